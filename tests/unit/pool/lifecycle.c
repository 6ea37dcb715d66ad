#include "pool/lifecycle.h"
#include "../run.h"

#include <string.h>

/* ---- the pool ---- */

/* What each cell has to do, as one letter for the next state and one for the action. "--": cannot
 * happen. Written a second time here on purpose: a change of the table has to be meant. */
static const char *const pool_cells[_MANAGER_STATE_MAX] = {
    /* reload serves failed not-repl. put-off given-up check reexec drain quiet idle stop limit
       empty */
    [MANAGER_STARTING] = "sp rv sf -- w. gx -- sd sd -- -- ts -- --",
    [MANAGER_WAITING] = "sp -- -- -- -- gx -- wd wd -- -- ts -- --",
    [MANAGER_READY] = "ll rt -- rc -- -- rm re db -- tq ts -- --",
    [MANAGER_RELOADING] = "la rt rr -- -- -- la la db -- -- ts -- --",
    [MANAGER_DRAINING] = "dl dt dr dc -- -- dm dd dn tk -- ts -- --",
    [MANAGER_STOPPING] = "td -- -- -- -- -- t. td td -- -- th ty gz",
    [MANAGER_GONE] = "gd -- -- -- -- g. g. gd gd -- -- g. g. --",
};

static const char state_letters[] = "swrldtg";

static const struct {
    char letter;
    PoolAction action;
} pool_letters[] = {
    {'-', POOL_ACTION_IMPOSSIBLE}, {'.', POOL_ACTION_NONE},
    {'d', POOL_ACTION_DENY},       {'a', POOL_ACTION_LATER},
    {'p', POOL_ACTION_PREPARE},    {'l', POOL_ACTION_RELOAD},
    {'v', POOL_ACTION_SERVE},      {'t', POOL_ACTION_TAKE_OVER},
    {'f', POOL_ACTION_FAIL},       {'r', POOL_ACTION_REFUSE},
    {'c', POOL_ACTION_COMPLAIN},   {'m', POOL_ACTION_MEND},
    {'e', POOL_ACTION_REEXEC},     {'b', POOL_ACTION_DRAIN},
    {'n', POOL_ACTION_DRAIN_MORE}, {'s', POOL_ACTION_STOP},
    {'q', POOL_ACTION_LEAVE},      {'k', POOL_ACTION_LEAVE_DRAINED},
    {'h', POOL_ACTION_HURRY},      {'y', POOL_ACTION_END_REQUESTS},
    {'z', POOL_ACTION_FINISH},     {'x', POOL_ACTION_EXIT},
};

static char pool_letter(PoolAction action)
{
    for (size_t i = 0; i < ARRAY_SIZE(pool_letters); i++)
        if (pool_letters[i].action == action)
            return pool_letters[i].letter;
    return '?';
}

START_TEST(every_cell_of_the_pool)
{
    ck_assert_uint_eq(ARRAY_SIZE(pool_letters), _POOL_ACTION_MAX);
    for (unsigned s = 0; s < _MANAGER_STATE_MAX; s++) {
        ck_assert_uint_eq(strlen(pool_cells[s]), _POOL_EVENT_MAX * 3 - 1);
        for (unsigned e = 0; e < _POOL_EVENT_MAX; e++) {
            const char *wanted = pool_cells[s] + e * 3;
            PoolStep step = pool_step(s, e);

            ck_assert_msg(pool_letter(step.action) == wanted[1], "%s × %s: action %c, not %c",
                          manager_state_to_string(s), pool_event_to_string(e),
                          pool_letter(step.action), wanted[1]);
            ck_assert_msg(wanted[0] == '-' ? step.next == s : state_letters[step.next] == wanted[0],
                          "%s × %s: next is %s", manager_state_to_string(s),
                          pool_event_to_string(e), manager_state_to_string(step.next));
        }
    }
}
END_TEST

/* Which states can be reached from one, over any number of events. */
static unsigned reachable_states(ManagerState from)
{
    unsigned set = 1u << from, before;

    do {
        before = set;
        for (unsigned s = 0; s < _MANAGER_STATE_MAX; s++)
            for (unsigned e = 0; (set >> s & 1) && e < _POOL_EVENT_MAX; e++)
                set |= 1u << pool_step(s, e).next;
    } while (set != before);
    return set;
}

START_TEST(every_state_can_be_reached_and_none_but_the_last_is_a_trap)
{
    ck_assert_uint_eq(reachable_states(MANAGER_STARTING), (1u << _MANAGER_STATE_MAX) - 1);
    for (unsigned s = 0; s < _MANAGER_STATE_MAX; s++)
        ck_assert_msg(reachable_states(s) >> MANAGER_GONE & 1, "%s never ends",
                      manager_state_to_string(s));
    ck_assert_uint_eq(reachable_states(MANAGER_GONE), 1u << MANAGER_GONE);
}
END_TEST

START_TEST(invariants_of_the_pool)
{
    for (unsigned s = 0; s < _MANAGER_STATE_MAX; s++) {
        PoolAction stop = pool_step(s, POOL_EVENT_STOP).action;

        /* A signal to stop is taken in every state, and what people ask for is never a mistake. */
        ck_assert_int_ne(stop, POOL_ACTION_IMPOSSIBLE);
        ck_assert_int_ne(pool_step(s, POOL_EVENT_RELOAD).action, POOL_ACTION_IMPOSSIBLE);
        ck_assert_int_ne(pool_step(s, POOL_EVENT_REEXEC).action, POOL_ACTION_IMPOSSIBLE);
        ck_assert_int_ne(pool_step(s, POOL_EVENT_DRAIN).action, POOL_ACTION_IMPOSSIBLE);
        for (unsigned e = 0; e < _POOL_EVENT_MAX; e++) {
            PoolStep step = pool_step(s, e);

            /* STOPPING=1 cannot be taken back: systemd waits for the end. */
            if (s >= MANAGER_STOPPING)
                ck_assert_int_ge(step.next, s);
            /* A drain ends with the pool, whatever comes in between. */
            if (s == MANAGER_DRAINING)
                ck_assert(step.next == MANAGER_DRAINING || step.next == MANAGER_STOPPING);
            /* What is denied, put off or impossible changes nothing. */
            if (step.action == POOL_ACTION_DENY || step.action == POOL_ACTION_LATER ||
                step.action == POOL_ACTION_IMPOSSIBLE)
                ck_assert_int_eq(step.next, s);
            /* Nothing that serves is given up for what could not be started. */
            if (s < MANAGER_STOPPING && (e == POOL_EVENT_FAILED || e == POOL_EVENT_NOT_REPLACED))
                ck_assert_int_lt(step.next, MANAGER_STOPPING);
        }
    }
    ck_assert_int_eq(pool_step(MANAGER_RELOADING, POOL_EVENT_FAILED).next, MANAGER_READY);
    ck_assert_int_eq(pool_step(MANAGER_STOPPING, POOL_EVENT_STOP).next, MANAGER_STOPPING);
}
END_TEST

START_TEST(outside_of_the_table_is_impossible)
{
    ck_assert_int_eq(pool_step(_MANAGER_STATE_MAX, POOL_EVENT_STOP).action, POOL_ACTION_IMPOSSIBLE);
    ck_assert_int_eq(pool_step(MANAGER_READY, _POOL_EVENT_MAX).action, POOL_ACTION_IMPOSSIBLE);
    ck_assert_int_eq(worker_step(_WORKER_PHASE_MAX, WORKER_EVENT_END).action, WORKER_ACTION_ABSURD);
    ck_assert_int_eq(worker_step(WORKER_READY, _WORKER_EVENT_MAX).action, WORKER_ACTION_ABSURD);
    ck_assert_ptr_null(manager_state_to_string(_MANAGER_STATE_MAX));
    ck_assert_ptr_null(pool_event_to_string(_POOL_EVENT_MAX));
    ck_assert_ptr_null(worker_phase_to_string(_WORKER_PHASE_MAX));
    ck_assert_ptr_null(worker_event_to_string(_WORKER_EVENT_MAX));
}
END_TEST

/* ---- a worker ---- */

static const char phase_letters[] = "osrxltuced";

static const char *const worker_cells[_WORKER_PHASE_MAX] = {
    /* hello ready leaving question renew expire retire end closed exited failed killed */
    [WORKER_ORDERED] = "sn -- -- -- -- -- u. u. d? -- -- --",
    [WORKER_SETTING_UP] = "-- rr -- -- -- -- cl ee sk db du du",
    [WORKER_READY] = "-- -- ls ra rw xs tl ee rk db dm dm",
    [WORKER_EXPIRED] = "-- -- l. xa xw x. tl ee xk db dm dm",
    [WORKER_LEAVING] = "-- -- -- la lw l. tl ee lk db dm dm",
    [WORKER_RETIRED] = "-- -- -- -- -- -- t. ee -- db dm dm",
    [WORKER_UNWANTED] = "co -- -- -- -- -- u. u. d? -- -- --",
    [WORKER_CALLED_OFF] = "-- -- -- -- -- -- c. ee -- db db dm",
    [WORKER_ENDING] = "-- e. e. e. ew -- el e. e. db db db",
    [WORKER_DEAD] = "-- -- -- -- -- -- d. d. -- d. d. d.",
};

static const char worker_letters[_WORKER_ACTION_MAX] = {
    [WORKER_ACTION_ABSURD] = '-',   [WORKER_ACTION_NONE] = '.',     [WORKER_ACTION_NAME] = 'n',
    [WORKER_ACTION_CALL_OFF] = 'o', [WORKER_ACTION_REGISTER] = 'r', [WORKER_ACTION_SUCCEED] = 's',
    [WORKER_ACTION_ANSWER] = 'a',   [WORKER_ACTION_RENEW] = 'w',    [WORKER_ACTION_LET_GO] = 'l',
    [WORKER_ACTION_END] = 'e',      [WORKER_ACTION_KILL] = 'k',     [WORKER_ACTION_LOSE] = '?',
    [WORKER_ACTION_BURY] = 'b',     [WORKER_ACTION_UNBORN] = 'u',   [WORKER_ACTION_MOURN] = 'm',
};

START_TEST(every_cell_of_a_worker)
{
    for (unsigned p = 0; p < _WORKER_PHASE_MAX; p++) {
        ck_assert_uint_eq(strlen(worker_cells[p]), _WORKER_EVENT_MAX * 3 - 1);
        for (unsigned e = 0; e < _WORKER_EVENT_MAX; e++) {
            const char *wanted = worker_cells[p] + e * 3;
            WorkerStep step = worker_step(p, e);

            ck_assert_msg(worker_letters[step.action] == wanted[1], "%s × %s: action %c, not %c",
                          worker_phase_to_string(p), worker_event_to_string(e),
                          worker_letters[step.action], wanted[1]);
            ck_assert_msg(wanted[0] == '-' ? step.next == p : phase_letters[step.next] == wanted[0],
                          "%s × %s: next is %s", worker_phase_to_string(p),
                          worker_event_to_string(e), worker_phase_to_string(step.next));
        }
    }
}
END_TEST

static unsigned reachable_phases(WorkerPhase from)
{
    unsigned set = 1u << from, before;

    do {
        before = set;
        for (unsigned p = 0; p < _WORKER_PHASE_MAX; p++)
            for (unsigned e = 0; (set >> p & 1) && e < _WORKER_EVENT_MAX; e++)
                set |= 1u << worker_step(p, e).next;
    } while (set != before);
    return set;
}

START_TEST(every_phase_can_be_reached_and_ends)
{
    ck_assert_uint_eq(reachable_phases(WORKER_ORDERED), (1u << _WORKER_PHASE_MAX) - 1);
    for (unsigned p = 0; p < _WORKER_PHASE_MAX; p++)
        ck_assert_msg(reachable_phases(p) >> WORKER_DEAD & 1, "%s never ends",
                      worker_phase_to_string(p));
    ck_assert_uint_eq(reachable_phases(WORKER_DEAD), 1u << WORKER_DEAD);
}
END_TEST

START_TEST(invariants_of_a_worker)
{
    for (unsigned p = 0; p < _WORKER_PHASE_MAX; p++) {
        bool has_pid = p != WORKER_ORDERED && p != WORKER_UNWANTED;

        /* We may want it to leave or to end at any time, and that is final: no capacity again. */
        ck_assert_int_ne(worker_step(p, WORKER_EVENT_RETIRE).action, WORKER_ACTION_ABSURD);
        ck_assert_int_ne(worker_step(p, WORKER_EVENT_END).action, WORKER_ACTION_ABSURD);
        ck_assert(!worker_phase_is_capacity(worker_step(p, WORKER_EVENT_RETIRE).next));
        for (unsigned e = 0; e < _WORKER_EVENT_MAX; e++) {
            WorkerStep step = worker_step(p, e);

            if (!worker_phase_is_capacity(p))
                ck_assert(!worker_phase_is_capacity(step.next));
            /* The end of a process whose pid is known is the end of the worker. */
            if (has_pid && e >= WORKER_EVENT_EXITED)
                ck_assert_int_eq(step.next, WORKER_DEAD);
            /* No signal without a pid. */
            if (!has_pid)
                ck_assert(step.action != WORKER_ACTION_END && step.action != WORKER_ACTION_KILL);
            if (step.action == WORKER_ACTION_ABSURD)
                ck_assert_int_eq(step.next, p);
        }
    }
    /* Said twice, it makes no sense. */
    ck_assert_int_eq(worker_step(WORKER_LEAVING, WORKER_EVENT_LEAVING).action,
                     WORKER_ACTION_ABSURD);
    /* One that was told to end does so by our will. */
    ck_assert_int_eq(worker_step(WORKER_ENDING, WORKER_EVENT_KILLED).action, WORKER_ACTION_BURY);
}
END_TEST

static Suite *lifecycle_suite(void)
{
    Suite *s = suite_create("pool/lifecycle");
    TCase *t = tcase_create("all");

    tcase_add_test(t, every_cell_of_the_pool);
    tcase_add_test(t, every_state_can_be_reached_and_none_but_the_last_is_a_trap);
    tcase_add_test(t, invariants_of_the_pool);
    tcase_add_test(t, outside_of_the_table_is_impossible);
    tcase_add_test(t, every_cell_of_a_worker);
    tcase_add_test(t, every_phase_can_be_reached_and_ends);
    tcase_add_test(t, invariants_of_a_worker);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(lifecycle_suite)
