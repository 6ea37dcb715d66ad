#include "pool/recovery.h"
#include "../run.h"

#include <string.h>

#define MSEC  USEC_PER_MSEC
#define SEC   USEC_PER_SEC
#define START (1000 * SEC) /* some time after the machine has booted */

static const RecoveryLimits none = {0};
static const RecoveryLimits first_try = {.first_try = true};
static const RecoveryLimits three = {.fault_threshold = 3, .fault_interval_usec = 10 * SEC};

typedef struct Case {
    const char *what;
    Mishap mishap;
    const RecoveryLimits *limits;
    unsigned n_before; /* of the same kind, each when the pause of the one before is over */
    Remedy remedy;
    uint64_t pause_usec;
} Case;

static const Case cases[] = {
    {"the first start fails at once", MISHAP_START, &first_try, 0, REMEDY_FAIL, 0},
    {"a start that nobody waits for", MISHAP_START, &none, 0, REMEDY_WAIT, 1 * SEC},
    {"the second start", MISHAP_START, &none, 1, REMEDY_WAIT, 1 * SEC},
    {"the third start", MISHAP_START, &none, 2, REMEDY_WAIT, 2 * SEC},
    {"the fourth start", MISHAP_START, &none, 3, REMEDY_WAIT, 4 * SEC},
    {"the fifth start", MISHAP_START, &none, 4, REMEDY_WAIT, 8 * SEC},
    {"the seventh start", MISHAP_START, &none, 6, REMEDY_WAIT, 32 * SEC},
    {"the eighth start", MISHAP_START, &none, 7, REMEDY_WAIT, 60 * SEC},
    {"the hundredth start", MISHAP_START, &none, 99, REMEDY_WAIT, 60 * SEC},
    {"a later try of a first process waits", MISHAP_START, &first_try, 1, REMEDY_WAIT, 1 * SEC},

    {"a reload", MISHAP_RELOAD, &first_try, 0, REMEDY_GO_ON, 0},
    {"the tenth reload", MISHAP_RELOAD, &none, 9, REMEDY_GO_ON, 0},

    {"a template is replaced at once", MISHAP_TEMPLATE, &none, 0, REMEDY_REPLACE, 0},
    {"the second template", MISHAP_TEMPLATE, &none, 1, REMEDY_REPLACE, 1 * SEC},
    {"the third template", MISHAP_TEMPLATE, &none, 2, REMEDY_REPLACE, 2 * SEC},
    {"the sixth template", MISHAP_TEMPLATE, &none, 5, REMEDY_REPLACE, 16 * SEC},
    {"the seventh template", MISHAP_TEMPLATE, &none, 6, REMEDY_REPLACE, 30 * SEC},

    {"an unborn worker", MISHAP_UNBORN, &none, 0, REMEDY_REPLACE, 0},
    {"the second", MISHAP_UNBORN, &none, 1, REMEDY_REPLACE, 50 * MSEC},
    {"the third", MISHAP_UNBORN, &none, 2, REMEDY_REPLACE, 100 * MSEC},
    {"the sixth", MISHAP_UNBORN, &none, 5, REMEDY_REPLACE, 800 * MSEC},
    {"the twelfth", MISHAP_UNBORN, &none, 11, REMEDY_REPLACE, 30 * SEC},

    {"a crash", MISHAP_CRASH, &three, 0, REMEDY_REPLACE, 0},
    {"many crashes", MISHAP_CRASH, &three, 1000, REMEDY_REPLACE, 0},

    {"a fault", MISHAP_FAULT, &three, 0, REMEDY_REPLACE, 0},
    {"below the threshold", MISHAP_FAULT, &three, 1, REMEDY_REPLACE, 0},
    {"the threshold", MISHAP_FAULT, &three, 2, REMEDY_GENERATION, 0},
    {"faults that do not count", MISHAP_FAULT, &none, 1000, REMEDY_REPLACE, 0},
};

START_TEST(every_row)
{
    const Case *c = &cases[_i];
    Recovery r = {0};
    uint64_t now_usec = START;
    RecoveryDecision d;

    for (unsigned i = 0; i < c->n_before; i++)
        now_usec = recovery_decide(&r, c->limits, c->mishap, now_usec).until_usec;
    d = recovery_decide(&r, c->limits, c->mishap, now_usec);
    ck_assert_msg(d.remedy == c->remedy, "%s: %s", c->what, remedy_to_string(d.remedy));
    ck_assert_msg(d.until_usec - now_usec == c->pause_usec, "%s: a pause of %llu us", c->what,
                  (unsigned long long)(d.until_usec - now_usec));
    ck_assert_msg(d.n_tries == c->n_before + 1, "%s: %u tries", c->what, d.n_tries);
}
END_TEST

/* Whatever the kind: a pause is never shorter than the one before, nor without end, and there is
 * always something that follows. */
START_TEST(pauses_grow_and_are_bounded)
{
    for (Mishap m = 0; m < _MISHAP_MAX; m++) {
        Recovery r = {0};
        uint64_t now_usec = START, before_usec = 0;

        for (unsigned i = 0; i < 100; i++) {
            RecoveryDecision d = recovery_decide(&r, &none, m, now_usec);
            uint64_t pause_usec = d.until_usec - now_usec;

            ck_assert_uint_ge(pause_usec, before_usec);
            ck_assert_uint_le(pause_usec, 60 * SEC);
            ck_assert_ptr_nonnull(remedy_to_string(d.remedy));
            ck_assert_ptr_nonnull(mishap_to_string(m));
            before_usec = pause_usec;
            now_usec = d.until_usec;
        }
    }
}
END_TEST

START_TEST(success_makes_the_next_the_first)
{
    for (Mishap m = 0; m < _MISHAP_MAX; m++) {
        Recovery r = {0};
        RecoveryDecision first = recovery_decide(&r, &none, m, START), d = first;

        for (unsigned i = 0; i < 20; i++)
            d = recovery_decide(&r, &none, m, d.until_usec);
        recovery_went_well(&r, m);
        d = recovery_decide(&r, &none, m, d.until_usec + SEC);
        ck_assert_uint_eq(d.n_tries, 1);
        ck_assert_int_eq(d.remedy, first.remedy);
        ck_assert_uint_eq(d.until_usec - r.last_usec[m], first.until_usec - START);
    }
}
END_TEST

/* Of a template and of unborn workers nobody says that it went well: they are forgotten. */
START_TEST(a_long_calm_forgets)
{
    static const Mishap kinds[] = {MISHAP_TEMPLATE, MISHAP_UNBORN};

    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        Recovery r = {0};
        uint64_t now_usec = START;

        for (unsigned i = 0; i < 10; i++)
            now_usec = recovery_decide(&r, &none, kinds[k], now_usec).until_usec;
        ck_assert_uint_gt(recovery_decide(&r, &none, kinds[k], now_usec).n_tries, 10);
        now_usec += 61 * SEC;
        ck_assert_uint_eq(recovery_decide(&r, &none, kinds[k], now_usec).n_tries, 1);
    }
}
END_TEST

/* A batch of 32 that dies is one mishap, not 32: the pause does not jump to its end. */
START_TEST(unborn_workers_of_one_order_are_one_mishap)
{
    Recovery r = {0};
    RecoveryDecision d = {0};

    for (unsigned i = 0; i < 32; i++)
        d = recovery_decide(&r, &none, MISHAP_UNBORN, START + i * MSEC);
    ck_assert_uint_eq(d.n_tries, 2);
    ck_assert_uint_eq(d.until_usec, START + 51 * MSEC);
    d = recovery_decide(&r, &none, MISHAP_UNBORN, START + 60 * MSEC);
    ck_assert_uint_eq(d.n_tries, 3);
    ck_assert_uint_eq(d.until_usec, START + 160 * MSEC);
}
END_TEST

/* The rule of PHP-FPM: the last three lie within ten seconds. */
START_TEST(faults_count_within_the_interval)
{
    static const struct {
        uint64_t at_sec[4];
        Remedy last;
    } rows_of_faults[] = {
        {{0, 1, 2, 3}, REMEDY_REPLACE}, /* too soon after the generation that the third brought */
        {{0, 6, 12, 18}, REMEDY_REPLACE},
        {{0, 6, 11, 16}, REMEDY_GENERATION}, /* exactly ten */
        {{0, 8, 12, 17}, REMEDY_GENERATION},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows_of_faults); i++) {
        Recovery r = {0};
        RecoveryDecision d = {0};

        for (size_t k = 0; k < 4; k++)
            d = recovery_decide(&r, &three, MISHAP_FAULT,
                                START + rows_of_faults[i].at_sec[k] * SEC);
        ck_assert_msg(d.remedy == rows_of_faults[i].last, "row %zu: %s", i,
                      remedy_to_string(d.remedy));
    }
}
END_TEST

/* Fifty faults in a second, before the new generation serves, are one emergency; after it they have
 * to reach the threshold anew. */
START_TEST(emergencies_keep_a_distance)
{
    Recovery r = {0};
    unsigned generations = 0;

    for (unsigned i = 0; i < 50; i++)
        generations += recovery_decide(&r, &three, MISHAP_FAULT, START + i * 20 * MSEC).remedy ==
                       REMEDY_GENERATION;
    ck_assert_uint_eq(generations, 1);
    ck_assert_int_eq(recovery_decide(&r, &three, MISHAP_FAULT, START + 6 * SEC).remedy,
                     REMEDY_GENERATION);

    recovery_went_well(&r, MISHAP_FAULT);
    ck_assert_int_eq(recovery_decide(&r, &three, MISHAP_FAULT, START + 20 * SEC).remedy,
                     REMEDY_REPLACE);
    ck_assert_int_eq(recovery_decide(&r, &three, MISHAP_FAULT, START + 20 * SEC).remedy,
                     REMEDY_REPLACE);
    ck_assert_int_eq(recovery_decide(&r, &three, MISHAP_FAULT, START + 20 * SEC).remedy,
                     REMEDY_GENERATION);
}
END_TEST

/* Both have to be given, as with PHP-FPM. */
START_TEST(faults_need_threshold_and_interval)
{
    static const RecoveryLimits some[] = {
        {.fault_threshold = 2}, {.fault_interval_usec = 60 * SEC}, {0}};

    for (size_t l = 0; l < ARRAY_SIZE(some); l++) {
        Recovery r = {0};

        for (unsigned i = 0; i < 10; i++)
            ck_assert_int_eq(recovery_decide(&r, &some[l], MISHAP_FAULT, START).remedy,
                             REMEDY_REPLACE);
    }
}
END_TEST

/* The ring has 64 places. Longer thresholds are reached too, at most one part in 63 late and never
 * early. */
START_TEST(large_thresholds)
{
    static const unsigned thresholds[] = {1, 2, 63, 64, 65, 126, 127, 128, 1000, 12345};

    for (size_t t = 0; t < ARRAY_SIZE(thresholds); t++)
        for (unsigned offset = 0; offset < 5; offset++) {
            RecoveryLimits l = {.fault_threshold = thresholds[t], .fault_interval_usec = 10 * SEC};
            unsigned allowed =
                thresholds[t] <= 64 ? thresholds[t] : thresholds[t] + (thresholds[t] + 62) / 63;
            Recovery r = {0};
            unsigned n = 0;

            /* Some of long ago must not count. */
            for (unsigned i = 0; i < offset && i + 1 < thresholds[t]; i++)
                recovery_decide(&r, &l, MISHAP_FAULT, START);
            do
                n++;
            while (n <= 2 * allowed &&
                   recovery_decide(&r, &l, MISHAP_FAULT, START + 60 * SEC).remedy !=
                       REMEDY_GENERATION);
            ck_assert_msg(n >= thresholds[t] && n <= allowed, "threshold %u: %u faults",
                          thresholds[t], n);
        }
}
END_TEST

static Suite *recovery_suite(void)
{
    Suite *s = suite_create("pool/recovery");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, every_row, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, pauses_grow_and_are_bounded);
    tcase_add_test(t, success_makes_the_next_the_first);
    tcase_add_test(t, a_long_calm_forgets);
    tcase_add_test(t, unborn_workers_of_one_order_are_one_mishap);
    tcase_add_test(t, faults_count_within_the_interval);
    tcase_add_test(t, emergencies_keep_a_distance);
    tcase_add_test(t, faults_need_threshold_and_interval);
    tcase_add_test(t, large_thresholds);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(recovery_suite)
