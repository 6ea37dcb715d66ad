#include "pool/policy.h"
#include "../run.h"

#define SEC USEC_PER_SEC

static const PolicyLimits on_demand = {.mode = POOL_MODE_ONDEMAND,
                                       .max_children = 16,
                                       .max_spawn_rate = 32,
                                       .idle_timeout_usec = 10 * SEC};
static const PolicyLimits dynamic = {.mode = POOL_MODE_DYNAMIC,
                                     .max_children = 10,
                                     .start_servers = 3,
                                     .min_spare = 2,
                                     .max_spare = 4,
                                     .max_spawn_rate = 32,
                                     .idle_timeout_usec = 10 * SEC};
static const PolicyLimits fixed = {.mode = POOL_MODE_STATIC,
                                   .max_children = 5,
                                   .max_spawn_rate = 32,
                                   .idle_timeout_usec = 10 * SEC};

typedef struct Case {
    const char *what;
    const PolicyLimits *limits;
    PolicySample sample; /* starting, idle, active, idle_unused, queued */
    unsigned spawn, retire;
    bool watch, at_limit;
} Case;

static const Case cases[] = {
    {"static starts all", &fixed, {0, 0, 0, 0, 0}, 5, 0, false, false},
    {"static replaces one", &fixed, {0, 3, 1, 0, 0}, 1, 0, false, false},
    {"static counts the starting", &fixed, {1, 3, 1, 0, 0}, 0, 0, false, false},
    {"static never shrinks", &fixed, {0, 5, 0, 5, 0}, 0, 0, false, false},
    {"a lowered limit retires", &fixed, {0, 4, 3, 0, 0}, 0, 2, false, false},
    {"a lowered limit retires idle ones only", &fixed, {0, 1, 6, 0, 0}, 0, 1, false, false},

    {"ondemand: nothing to do", &on_demand, {0, 0, 0, 0, 0}, 0, 0, true, false},
    {"ondemand: one connection, one worker", &on_demand, {0, 0, 0, 0, 1}, 1, 0, true, false},
    {"ondemand: a burst at once", &on_demand, {0, 0, 0, 0, 16}, 16, 0, false, false},
    {"ondemand: idle ones take some", &on_demand, {0, 2, 1, 0, 5}, 3, 0, true, false},
    {"ondemand: starting ones take some", &on_demand, {4, 0, 1, 0, 5}, 1, 0, true, false},
    {"ondemand: limit", &on_demand, {0, 0, 14, 0, 5}, 2, 0, false, true},
    {"ondemand: at the limit", &on_demand, {0, 0, 16, 0, 1}, 0, 0, false, true},
    {"ondemand: all busy, nobody waits", &on_demand, {0, 0, 16, 0, 0}, 0, 0, false, false},
    {"ondemand: unused ones go", &on_demand, {0, 5, 1, 3, 0}, 0, 3, true, false},
    {"ondemand: no shrinking while growing", &on_demand, {0, 1, 1, 1, 4}, 3, 0, true, false},

    {"dynamic keeps min_spare", &dynamic, {0, 1, 4, 0, 0}, 1, 0, true, false},
    {"dynamic: queue and spare", &dynamic, {0, 0, 4, 0, 1}, 3, 0, true, false},
    {"dynamic: starting counts as spare", &dynamic, {2, 0, 4, 0, 0}, 0, 0, true, false},
    {"dynamic: spare is cut by the limit, which is no alarm",
     &dynamic,
     {0, 0, 9, 0, 1},
     1,
     0,
     false,
     false},
    {"dynamic: limit", &dynamic, {0, 0, 10, 0, 1}, 0, 0, false, true},
    {"dynamic: more than max_spare unused", &dynamic, {0, 7, 0, 7, 0}, 0, 3, true, false},
    {"dynamic: max_spare unused stay", &dynamic, {0, 4, 0, 4, 0}, 0, 0, true, false},
    {"dynamic: idle but used stay", &dynamic, {0, 7, 1, 2, 0}, 0, 0, true, false},
};

START_TEST(decisions)
{
    const Case *c = &cases[_i];
    PolicyDecision d;
    PolicySample s = c->sample;

    s.next_unused_usec = USEC_INFINITY;
    d = policy_decide(c->limits, &s, 100 * SEC);
    ck_assert_msg(d.spawn == c->spawn, "%s: spawn %u, not %u", c->what, d.spawn, c->spawn);
    ck_assert_msg(d.retire == c->retire, "%s: retire %u, not %u", c->what, d.retire, c->retire);
    ck_assert_msg(d.watch == c->watch, "%s: watch %d", c->what, d.watch);
    ck_assert_msg(d.at_limit == c->at_limit, "%s: at_limit %d", c->what, d.at_limit);
}
END_TEST

/* Idle workers that do not take what waits (one waits for the bytes of its connection, or hangs) do
 * not count. */
START_TEST(a_stalled_queue_grows_the_pool)
{
    PolicySample s = {.idle = 1, .queued = 1, .next_unused_usec = USEC_INFINITY};

    ck_assert_uint_eq(policy_decide(&on_demand, &s, 0).spawn, 0);
    ck_assert_uint_eq(policy_decide(&on_demand, &s, 0).look_again_usec, POLICY_QUEUE_LOOK_USEC);
    s.stalled = true;
    ck_assert_uint_eq(policy_decide(&on_demand, &s, 0).spawn, 1);
    s.starting = 1;
    ck_assert_uint_eq(policy_decide(&on_demand, &s, 0).spawn, 0);
}
END_TEST

START_TEST(spawn_rate_bounds_what_is_starting)
{
    PolicyLimits l = on_demand;
    PolicySample s = {.queued = 16, .next_unused_usec = USEC_INFINITY};

    l.max_spawn_rate = 4;
    ck_assert_uint_eq(policy_decide(&l, &s, 0).spawn, 4);
    s.starting = 4;
    ck_assert_uint_eq(policy_decide(&l, &s, 0).spawn, 0);
    s.starting = 1;
    s.active = 3;
    ck_assert_uint_eq(policy_decide(&l, &s, 0).spawn, 3);
}
END_TEST

START_TEST(initial_workers)
{
    PolicyLimits l = dynamic;

    ck_assert_uint_eq(policy_initial(&fixed, 0), 5);
    ck_assert_uint_eq(policy_initial(&dynamic, 0), 3);
    ck_assert_uint_eq(policy_initial(&dynamic, 7), 7);
    ck_assert_uint_eq(policy_initial(&dynamic, 70), 10);
    ck_assert_uint_eq(policy_initial(&on_demand, 0), 0);
    ck_assert_uint_eq(policy_initial(&on_demand, 3), 3);
    l.start_servers = 99;
    ck_assert_uint_eq(policy_initial(&l, 0), 10);
}
END_TEST

START_TEST(quiet_pools_are_left_alone)
{
    PolicySample s = {.next_unused_usec = USEC_INFINITY};

    ck_assert_uint_eq(policy_decide(&on_demand, &s, 5 * SEC).look_again_usec, USEC_INFINITY);
    ck_assert_uint_eq(policy_decide(&fixed, &s, 5 * SEC).look_again_usec, USEC_INFINITY);
    s.idle = 4;
    ck_assert_uint_eq(policy_decide(&dynamic, &s, 5 * SEC).look_again_usec, USEC_INFINITY);
    /* One idle worker of an ondemand pool: exactly when its time has come. */
    s.idle = 1;
    s.next_unused_usec = 9 * SEC;
    ck_assert_uint_eq(policy_decide(&on_demand, &s, 5 * SEC).look_again_usec, 9 * SEC);
    s.active = 1;
    ck_assert_uint_eq(policy_decide(&on_demand, &s, 5 * SEC).look_again_usec, 6 * SEC);
}
END_TEST

/* Whatever the sample: never beyond the limits, never both directions at once. */
START_TEST(invariants)
{
    static const PolicyLimits *const all[] = {&on_demand, &dynamic, &fixed};

    for (size_t l = 0; l < ARRAY_SIZE(all); l++)
        for (unsigned n = 0; n < 8008; n++) {
            PolicySample s = {.starting = n % 7,
                              .idle = n / 7 % 11,
                              .active = n / 77 % 13,
                              .queued = n / 1001 % 23,
                              .next_unused_usec = USEC_INFINITY};
            unsigned total;
            PolicyDecision d;

            s.idle_unused = s.idle ? n % (s.idle + 1) : 0;
            d = policy_decide(all[l], &s, SEC);
            total = s.starting + s.idle + s.active;
            ck_assert(d.spawn == 0 || total + d.spawn <= all[l]->max_children);
            ck_assert(d.spawn == 0 || d.retire == 0);
            ck_assert_uint_le(d.retire, s.idle);
            ck_assert(!d.watch || total + d.spawn < all[l]->max_children);
        }
}
END_TEST

static Suite *policy_suite(void)
{
    Suite *s = suite_create("pool/policy");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, decisions, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, a_stalled_queue_grows_the_pool);
    tcase_add_test(t, spawn_rate_bounds_what_is_starting);
    tcase_add_test(t, initial_workers);
    tcase_add_test(t, quiet_pools_are_left_alone);
    tcase_add_test(t, invariants);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(policy_suite)
