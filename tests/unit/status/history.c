#include "status/history.h"
#include "base/fd.h"
#include "../run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Frame {
    int fd;
    History *h;
} Frame;

static Frame frame_make(void)
{
    Frame f = {.fd = history_create()};

    ck_assert_int_ge(f.fd, 0);
    ck_assert_int_eq(history_attach(f.fd, &f.h), 0);
    return f;
}

static void frame_done(Frame *f)
{
    munmap(f->h, HISTORY_SIZE);
    close(f->fd);
}

static StatusPool pool_at(unsigned step)
{
    return (StatusPool){.started_usec = 7,
                        .uptime_usec = 1000 + step * 10 * USEC_PER_SEC,
                        .answered = step * 100,
                        .outcomes = {[BOARD_OUTCOME_OK] = step * 90,
                                     [BOARD_OUTCOME_SERVER_ERROR] = step * 8,
                                     [BOARD_OUTCOME_TIMED_OUT] = step},
                        .crashed = step,
                        .active = step % 5,
                        .idle = 3,
                        .queued = step,
                        .max_children = 8,
                        .latency = {step * 100}};
}

START_TEST(samples)
{
    Frame f = frame_make();
    History copy;
    StatusPool earlier = pool_at(0);

    ck_assert_int_eq(history_open(f.fd, &copy), 0);
    ck_assert_uint_eq(copy.n, 0);
    history_add(f.h, NULL, &earlier, 1000);
    for (unsigned i = 1; i <= (unsigned)_i; i++) {
        StatusPool now = pool_at(i);

        history_add(f.h, &earlier, &now, 1000 + 10 * i);
        earlier = now;
    }
    ck_assert_int_eq(history_open(f.fd, &copy), 0);
    ck_assert_uint_eq(copy.n, MIN((uint32_t)_i, (uint32_t)HISTORY_SAMPLES));
    for (uint32_t k = 0; k < copy.n; k++) {
        const HistorySample *s = &copy.samples[k];
        unsigned step = (unsigned)_i - copy.n + 1 + k;

        ck_assert_uint_eq(s->time_sec, 1000 + 10 * step);
        ck_assert_uint_eq(s->step_usec, 10 * USEC_PER_SEC);
        ck_assert_uint_eq(s->requests, 100);
        ck_assert_uint_eq(s->errors, 10);
        ck_assert_uint_eq(s->active, step % 5);
        ck_assert_uint_eq(s->queued, step);
        ck_assert_uint_eq(s->total_max, 8);
        ck_assert_uint_le(s->p50_usec, s->p95_usec);
        ck_assert_uint_le(s->p95_usec, s->p99_usec);
        ck_assert_uint_le(s->p99_usec, 250);
    }
    frame_done(&f);
}
END_TEST

/* Of another manager, or of the same moment, there is no difference to draw. */
START_TEST(another_manager)
{
    Frame f = frame_make();
    StatusPool earlier = pool_at(5), now = pool_at(6);
    History copy;

    now.started_usec++;
    history_add(f.h, &earlier, &now, 1060);
    now = pool_at(6);
    now.answered = earlier.answered - 1;
    history_add(f.h, &earlier, &now, 1060);
    history_add(f.h, &earlier, &earlier, 1060);
    ck_assert_int_eq(history_open(f.fd, &copy), 0);
    ck_assert_uint_eq(copy.n, 0);
    frame_done(&f);
}
END_TEST

/* The porter may write what it likes. */
START_TEST(hostile)
{
    Frame f = frame_make();
    StatusPool earlier = pool_at(0), now = pool_at(1);
    History copy;

    for (unsigned seed = 0; seed < 500; seed++) {
        srandom(seed);
        for (size_t i = 0; i < sizeof(*f.h) / sizeof(uint32_t); i++)
            ((uint32_t *)(void *)f.h)[i] = (uint32_t)random();
        f.h->version = seed % 7 ? HISTORY_VERSION : HISTORY_VERSION + 1;
        f.h->sequence = seed % 5 ? 2 : 3;
        f.h->n = seed % 3 ? seed : UINT32_MAX - seed;
        f.h->next = seed % 2 ? seed : UINT32_MAX;
        /* Others of the pool's user may have written what the porter adds to. */
        history_add(f.h, &earlier, &now, 1000);
        if (history_open(f.fd, &copy) < 0)
            continue;
        ck_assert_uint_le(copy.n, HISTORY_SAMPLES);
        for (uint32_t k = 1; k < copy.n; k++)
            ck_assert_uint_gt(copy.samples[k].time_sec, copy.samples[k - 1].time_sec);
    }
    frame_done(&f);
}
END_TEST

START_TEST(sealed)
{
    Frame f = frame_make();
    History copy;
    int other = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ck_assert_int_lt(ftruncate(f.fd, 0), 0);
    ck_assert_int_lt(ftruncate(f.fd, (off_t)HISTORY_SIZE * 2), 0);
    /* One that could be cut under the reader is none. */
    ck_assert_int_eq(ftruncate(other, (off_t)HISTORY_SIZE), 0);
    ck_assert_int_lt(history_open(other, &copy), 0);
    ck_assert_int_lt(history_open(-1, &copy), 0);
    close(other);
    frame_done(&f);
}
END_TEST

START_TEST(percentile)
{
    static const uint64_t none[BOARD_LATENCY_BUCKETS];
    uint64_t counts[BOARD_LATENCY_BUCKETS] = {100}, more[BOARD_LATENCY_BUCKETS] = {100};

    ck_assert_uint_eq(history_percentile(none, none, 50), 0);
    ck_assert_uint_eq(history_percentile(counts, counts, 50), 0);
    ck_assert_uint_eq(history_percentile(counts, none, 50), 0);
    ck_assert_uint_eq(history_percentile(none, counts, 50), 125);
    ck_assert_uint_eq(history_percentile(none, counts, 99), 247);
    /* 98 of 100 at most 250 µs, the others between 50 and 100 ms. */
    counts[0] = 98;
    counts[8] = 2;
    ck_assert_uint_le(history_percentile(none, counts, 95), 250);
    ck_assert_uint_gt(history_percentile(none, counts, 99), 50000);
    ck_assert_uint_le(history_percentile(none, counts, 99), 100000);
    /* Beyond all bounds. */
    more[BOARD_LATENCY_BUCKETS - 1] = 1;
    counts[0] = 100;
    counts[8] = 0;
    ck_assert_uint_eq(history_percentile(counts, more, 50), 60000000);
    for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
        more[i] = UINT64_MAX / BOARD_LATENCY_BUCKETS;
    for (unsigned p = 1; p < 100; p++)
        ck_assert_uint_le(history_percentile(none, more, p), 60000000);
}
END_TEST

static Suite *history_suite(void)
{
    static const int steps[] = {0, 1, 2, 359, 360, 361, 1000};
    Suite *s = suite_create("status/history");
    TCase *tc = tcase_create("history");

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        tcase_add_loop_test(tc, samples, steps[i], steps[i] + 1);
    tcase_add_test(tc, another_manager);
    tcase_add_test(tc, hostile);
    tcase_add_test(tc, sealed);
    tcase_add_test(tc, percentile);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(history_suite)
