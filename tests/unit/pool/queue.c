#include "pool/queue.h"
#include "../run.h"

#include <string.h>

#define MSEC    USEC_PER_MSEC
#define SEC     USEC_PER_SEC
#define START   (1000 * SEC)
#define TIMEOUT (2 * SEC)

typedef struct Step {
    uint64_t at_msec;
    uint64_t taken;
    unsigned queued;
    unsigned overdue;
} Step;

static void run(const Step *steps, size_t n)
{
    QueueClock q = {0};

    for (size_t i = 0; i < n; i++) {
        const Step *s = &steps[i];
        uint64_t now_usec = START + s->at_msec * MSEC;
        unsigned overdue;

        queue_note(&q, s->taken, s->queued, TIMEOUT, now_usec);
        overdue = queue_overdue(&q, s->taken, s->queued, TIMEOUT, now_usec);
        ck_assert_msg(overdue == s->overdue, "at %llu ms: %u overdue, not %u",
                      (unsigned long long)s->at_msec, overdue, s->overdue);
    }
}

START_TEST(those_that_were_there_first_are_overdue_first)
{
    static const Step steps[] = {
        {0, 100, 3, 0},    {500, 100, 3, 0},  {1000, 100, 5, 0},
        {1900, 100, 9, 0}, {2000, 100, 9, 3}, /* the three of the beginning */
        {2500, 103, 6, 0},                    /* those are taken (or got their 503) */
        {3000, 103, 6, 2}, {3900, 103, 6, 6},
    };

    run(steps, ARRAY_SIZE(steps));
}
END_TEST

START_TEST(a_queue_that_moves_is_not_overdue)
{
    QueueClock q = {0};
    uint64_t taken = 0;

    /* 10 wait all the time, each for one second. */
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now_usec = START + i * 100 * MSEC;

        queue_note(&q, taken, 10, TIMEOUT, now_usec);
        ck_assert_uint_eq(queue_overdue(&q, taken, 10, TIMEOUT, now_usec), 0);
        taken += 1;
    }
    /* Slower: ten wait for 3 s each. */
    for (unsigned i = 0; i < 100; i++) {
        uint64_t now_usec = START + 100 * SEC + i * 300 * MSEC;

        queue_note(&q, taken, 10, TIMEOUT, now_usec);
        if (i > 10)
            ck_assert_uint_eq(queue_overdue(&q, taken, 10, TIMEOUT, now_usec), 3);
        taken += 1;
    }
}
END_TEST

START_TEST(an_empty_queue_forgets)
{
    static const Step steps[] = {
        {0, 0, 5, 0}, {1000, 5, 0, 0}, {1100, 5, 4, 0}, {2500, 5, 4, 0}, {3100, 5, 4, 4},
    };

    run(steps, ARRAY_SIZE(steps));
}
END_TEST

/* One that is taken between the two readings is in neither count: arrivals never go back. */
START_TEST(counts_that_were_read_one_after_the_other)
{
    static const Step steps[] = {
        {0, 10, 5, 0}, {200, 10, 4, 0}, {400, 11, 4, 0}, {2000, 11, 4, 4}, {2300, 11, 4, 4},
    };

    run(steps, ARRAY_SIZE(steps));
}
END_TEST

/* However often and however long it is sampled: never one that may have waited for less. */
START_TEST(nobody_is_overdue_early)
{
    enum { N = 6000 };

    static uint64_t arrived_usec[N * 3];
    QueueClock q = {0};
    uint64_t taken = 0, arrivals = 0;
    unsigned seed = 12345, found = 0;

    for (unsigned i = 0; i < N; i++) {
        uint64_t now_usec = START + i * 20 * MSEC;
        unsigned queued, overdue;

        seed = seed * 1103515245 + 12345;
        for (unsigned n = seed >> 16 & 1; n > 0; n--)
            arrived_usec[arrivals++] = now_usec;
        if (taken < arrivals && (seed >> 20) % 5 < (i / 1500 % 2 ? 4 : 1))
            taken++;
        queued = (unsigned)(arrivals - taken);
        queue_note(&q, taken, queued, TIMEOUT, now_usec);
        overdue = queue_overdue(&q, taken, queued, TIMEOUT, now_usec);
        ck_assert_uint_le(overdue, queued);
        for (unsigned k = 0; k < overdue; k++)
            ck_assert_uint_ge(now_usec - arrived_usec[taken + k], TIMEOUT);
        /* And nobody much later. */
        if (queued > overdue)
            ck_assert_uint_le(now_usec - arrived_usec[taken + overdue], TIMEOUT + TIMEOUT / 16);
        found += overdue > 0;
    }
    ck_assert_uint_gt(found, 10);
}
END_TEST

/* Seldom or often sampled, for however long: never older than he is, and not much younger. */
START_TEST(age_of_the_oldest)
{
    static const uint64_t pauses_usec[] = {MSEC, 50 * MSEC, SEC};
    enum { WAITING = 50 };

    for (size_t p = 0; p < ARRAY_SIZE(pauses_usec); p++) {
        uint64_t arrived_usec[WAITING], now_usec = START;
        QueueClock q = {0};
        uint64_t taken = 7;

        ck_assert_uint_eq(queue_age_usec(&q, taken, now_usec), 0);
        /* One comes with each of the first samples; then nobody, and the last one is taken much
         * later. */
        for (unsigned i = 0; i < WAITING * WAITING; i++, now_usec += pauses_usec[p]) {
            uint64_t age_usec, real_usec;

            if (i < WAITING)
                arrived_usec[i] = now_usec;
            else if (i % WAITING == 0)
                taken++;
            queue_note(&q, taken, (unsigned)(MIN(i + 1, WAITING + 0U) - (taken - 7)), 0, now_usec);
            age_usec = queue_age_usec(&q, taken, now_usec);
            real_usec = now_usec - arrived_usec[taken - 7];
            ck_assert_uint_le(age_usec, real_usec);
            ck_assert_uint_ge(age_usec + MAX(real_usec / 16, pauses_usec[p]), real_usec);
        }
        queue_note(&q, taken + 1, 0, 0, now_usec);
        ck_assert_uint_eq(queue_age_usec(&q, taken + 1, now_usec), 0);
    }
}
END_TEST

/* Who comes between two samples is as old as the second. */
START_TEST(age_of_one_between_two_samples)
{
    QueueClock q = {0};

    queue_note(&q, 0, 2, 0, START);
    ck_assert_uint_eq(queue_age_usec(&q, 0, START + SEC), SEC);
    ck_assert_uint_eq(queue_age_usec(&q, 2, START + SEC), 0);
    queue_note(&q, 2, 1, 0, START + 3 * SEC);
    ck_assert_uint_eq(queue_age_usec(&q, 2, START + 5 * SEC), 2 * SEC);
}
END_TEST

static Suite *queue_suite(void)
{
    Suite *s = suite_create("pool/queue");
    TCase *t = tcase_create("all");

    tcase_add_test(t, those_that_were_there_first_are_overdue_first);
    tcase_add_test(t, a_queue_that_moves_is_not_overdue);
    tcase_add_test(t, an_empty_queue_forgets);
    tcase_add_test(t, counts_that_were_read_one_after_the_other);
    tcase_add_test(t, nobody_is_overdue_early);
    tcase_add_test(t, age_of_the_oldest);
    tcase_add_test(t, age_of_one_between_two_samples);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(queue_suite)
