/* What follows when something has died: what recover.c and attempts.c make of the policy. */
#include "manager/attempts.h"
#include "manager/counter.h"
#include "manager/limits_private.h"
#include "../run.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEC USEC_PER_SEC

static char folder[64], counter[128];
static Manager *m;
static Generation *g;
static PoolConfig *config;

static void end(void)
{
    manager_free(m);
    m = NULL;
    config = pool_config_free(config);
}

/* A manager that has just begun. */
static void begin(bool foreground)
{
    end();
    m = calloc(1, sizeof(*m));
    m->state = MANAGER_STARTING;
    m->listeners = (Listeners){.growth_fd = -1, .diag_fd = -1};
    m->porter = PORTER_NONE;
    m->notifier.fd = m->control_fd = m->snapshot_fd = m->history_fd = -1;
    m->options.foreground = foreground;
    m->options.config_folders = folder;
    m->options.libexec_dir = folder;
    m->options.pool = "www";
    ck_assert_int_ge(sd_event_new(&m->event), 0);
    ck_assert_int_ge(settle_start(m), 0);
    ck_assert_int_ge(limits_start(m), 0);
    ck_assert_int_ge(recover_set_up(m), 0);
}

/* It serves. */
static void serve(void)
{
    config = pool_config_new("www");
    g = calloc(1, sizeof(*g));
    *g = (Generation){.manager = m,
                      .number = 7,
                      .state = GENERATION_CURRENT,
                      .config = config,
                      .template_pid = 1,
                      .link_fd = -1,
                      .changer = {.fd = -1},
                      .denied = {.line_fd = -1, .listener_fd = -1},
                      .out = {.fd = -1},
                      .err = {.fd = -1}};
    m->generations = m->current = g;
    m->last_number = 7;
    m->state = MANAGER_READY;
    recover_served(m);
}

static Worker *worker(uint64_t requests)
{
    BoardSlot *page;
    Worker *w;
    int fd;

    ck_assert_int_eq(worker_add(g, &w), 0);
    fd = board_create(&w->slot);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(board_attach(fd, &page), 0);
    fd_close(fd);
    page->version = BOARD_SLOT_VERSION;
    page->requests = requests;
    page->state = WORKER_STATE_IDLE;
    w->phase = WORKER_READY;
    w->pid = 4000000 + (pid_t)w->slot_number; /* beyond pid_max: nobody's */
    w->started_usec = clock_monotonic_usec();
    return w;
}

static void set_up(void)
{
    log_open(&(LogOptions){.identifier = "test", .max_priority = LOG_EMERG, .journal_fd = -1});
    snprintf(folder, sizeof(folder), "/tmp/fpmd-recover.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(counter, sizeof(counter), "%s/failed-starts", folder);
    setenv("RUNTIME_DIRECTORY", folder, true);
}

static void tear_down(void)
{
    char command[128];

    end();
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static uint64_t pause_usec(void)
{
    return m->attempts->next_usec - m->attempts->failed_usec;
}

START_TEST(the_first_failure_ends_the_process)
{
    begin(false);
    ck_assert(!recover_is_retrying(m));
    recover_start_failed(m, "no such thing", 78);
    ck_assert_int_eq(m->state, MANAGER_GONE);
    ck_assert_int_eq(m->exit_status, 78);
    ck_assert_uint_eq(counter_read(counter), 1);
    recover_done(m);
    ck_assert_uint_eq(counter_read(counter), 1);
}
END_TEST

START_TEST(the_next_process_waits)
{
    char text[256];

    counter_write(counter, 1);
    begin(false);
    ck_assert(recover_is_retrying(m));
    recover_start_failed(m, "no such thing", 78);
    ck_assert_int_eq(m->state, MANAGER_WAITING);
    ck_assert_uint_eq(counter_read(counter), 2);
    ck_assert_uint_eq(pause_usec(), 1 * SEC);
    recover_status(m, text, sizeof(text));
    ck_assert_str_eq(text, "Cannot start: no such thing; next try in 1 s (attempt 3)");
    for (unsigned i = 0; i < 10; i++) {
        static const uint64_t seconds[] = {2, 4, 8, 16, 32, 60, 60, 60, 60, 60};

        m->state = MANAGER_STARTING;
        recover_start_failed(m, "no such thing", 78);
        ck_assert_uint_eq(pause_usec(), seconds[i] * SEC);
        ck_assert_uint_eq(counter_read(counter), 3 + i);
    }
    /* One that dies of something else is followed by one that goes on. */
    recover_done(m);
    ck_assert_uint_eq(counter_read(counter), 12);
    begin(false);
    recover_start_failed(m, "no such thing", 78);
    ck_assert_uint_eq(pause_usec(), 60 * SEC);
}
END_TEST

START_TEST(a_long_reason_fits_into_the_status)
{
    char reason[1000], text[256];
    size_t n = 0;

    while (n < 990)
        n += (size_t)snprintf(reason + n, sizeof(reason) - n, "ä€");
    counter_write(counter, 1);
    begin(false);
    recover_start_failed(m, reason, 78);
    recover_status(m, text, sizeof(text));
    ck_assert_uint_lt(strlen(text), 255);
    ck_assert_ptr_nonnull(strstr(text, "…; next try in 1 s (attempt 3)"));
}
END_TEST

START_TEST(an_orderly_stop_forgets)
{
    counter_write(counter, 4);
    begin(false);
    recover_start_failed(m, "no such thing", 78);
    ck_assert_uint_eq(counter_read(counter), 5);
    m->state = MANAGER_GONE;
    recover_done(m);
    ck_assert_uint_eq(counter_read(counter), 0);
}
END_TEST

START_TEST(success_forgets)
{
    counter_write(counter, 4);
    begin(false);
    recover_start_failed(m, "no such thing", 78);
    serve();
    ck_assert_uint_eq(counter_read(counter), 0);
    ck_assert(!recover_is_retrying(m));
    ck_assert_int_eq(m->attempts->watch.fd, -1);
    ck_assert_uint_eq(m->recovery.n_in_row[MISHAP_START], 0);
}
END_TEST

START_TEST(nobody_to_follow)
{
    begin(true);
    recover_start_failed(m, "no such thing", 78);
    ck_assert_int_eq(m->state, MANAGER_GONE);
    ck_assert_uint_eq(counter_read(counter), 0);
    unsetenv("RUNTIME_DIRECTORY");
    begin(false);
    recover_start_failed(m, "no such thing", 78);
    ck_assert_int_eq(m->state, MANAGER_GONE);
}
END_TEST

/* After a re-exec: a pool that serves has failed at no start, whatever the folder has. */
START_TEST(a_new_program_file)
{
    counter_write(counter, 4);
    begin(false);
    recover_done(m);
    m->recovery = (Recovery){0};
    m->state = MANAGER_READY;
    ck_assert_int_ge(recover_set_up(m), 0);
    ck_assert(!recover_is_retrying(m));
    ck_assert_uint_eq(m->recovery.n_in_row[MISHAP_START], 0);
    ck_assert_uint_eq(counter_read(counter), 4);
    recover_done(m);
}
END_TEST

START_TEST(unborn_workers_pause_the_orders)
{
    uint64_t least[8], most[8]; /* of each pause: the clock went on while it was set */

    begin(true);
    serve();
    for (size_t i = 0; i < ARRAY_SIZE(least); i++) {
        uint64_t before_usec = clock_monotonic_usec(), until_usec;

        /* The pause of the one before is over. */
        m->recovery.until_usec[MISHAP_UNBORN] = 0;
        m->respawn_after_usec = 0;
        recover_on_worker_exit(worker(0), CLD_EXITED, 117, true, false);
        until_usec = recover_fork_after_usec(m);
        most[i] = until_usec - MIN(before_usec, until_usec);
        least[i] = until_usec - MIN(clock_monotonic_usec(), until_usec);
    }
    ck_assert_uint_lt(least[0], 20000);
    for (size_t i = 2; i < ARRAY_SIZE(least); i++)
        ck_assert_uint_gt(most[i], least[i - 1] * 3 / 2);
    ck_assert_uint_gt(most[7], 3 * SEC);

    /* One of those that were ordered since has served. */
    worker(1);
    m->recovery.until_usec[MISHAP_UNBORN] = m->respawn_after_usec = 0;
    recover_on_worker_exit(worker(0), CLD_KILLED, SIGKILL, true, true);
    ck_assert_uint_le(recover_fork_after_usec(m), clock_monotonic_usec());
}
END_TEST

START_TEST(deaths_that_pause_nothing)
{
    Worker *served;

    begin(true);
    serve();
    served = worker(5);
    served->counted.requests = 5;
    for (unsigned i = 0; i < 100; i++) {
        recover_on_worker_exit(served, CLD_KILLED, SIGKILL, true, true);
        recover_on_worker_exit(served, CLD_KILLED, SIGSEGV, true, true);
        /* Ended by us, and one that has done its work. */
        recover_on_worker_exit(served, CLD_EXITED, 0, false, true);
        recover_on_worker_exit(worker(0), CLD_KILLED, SIGTERM, false, false);
    }
    ck_assert_uint_eq(recover_fork_after_usec(m), 0);
    ck_assert_uint_eq(m->attempts->replace_number, 0);
    /* Of a generation that leaves. */
    m->current = NULL;
    for (unsigned i = 0; i < 100; i++)
        recover_on_worker_exit(worker(0), CLD_KILLED, SIGSEGV, true, false);
    ck_assert_uint_eq(recover_fork_after_usec(m), 0);
}
END_TEST

START_TEST(faults_ask_for_a_generation)
{
    Worker *w;

    begin(true);
    serve();
    config->emergency_restart_threshold = 3;
    config->emergency_restart_interval_usec = 60 * SEC;
    w = worker(1);
    w->counted.requests = 1;
    recover_on_worker_exit(w, CLD_KILLED, SIGSEGV, true, true);
    recover_on_worker_exit(w, CLD_DUMPED, SIGBUS, true, true);
    recover_on_worker_exit(w, CLD_KILLED, SIGABRT, true, true);
    recover_on_worker_exit(w, CLD_EXITED, SIGSEGV, true, true);
    ck_assert_uint_eq(m->attempts->replace_number, 0);
    recover_on_worker_exit(w, CLD_DUMPED, SIGSEGV, true, true);
    ck_assert_uint_eq(m->attempts->replace_number, 7);
    ck_assert_int_eq(m->attempts->replace_why, LOG_MESSAGE_EMERGENCY_RESTART);
    /* A reload came first. */
    g->number = 8;
    recover_template(m);
    ck_assert_ptr_null(m->coming);
    ck_assert_uint_eq(m->emergency_restarts, 0);
}
END_TEST

START_TEST(renewals_keep_their_distance)
{
    uint64_t now_usec = clock_monotonic_usec();
    Worker *w;

    begin(true);
    serve();
    w = worker(1);
    recover_on_renew(w);
    ck_assert_uint_eq(m->attempts->replace_number, 7);
    ck_assert_uint_le(m->attempts->replace_after_usec, now_usec + SEC);
    m->attempts->replace_number = 0;
    m->attempts->renewed_usec = now_usec;
    recover_on_renew(w);
    ck_assert_uint_eq(m->attempts->replace_number, 7);
    ck_assert_uint_eq(m->attempts->replace_after_usec, now_usec + 10 * SEC);
    recover_template(m);
    ck_assert_ptr_null(m->coming);
    /* Of a generation that leaves. */
    m->attempts->replace_number = 0;
    m->current = NULL;
    recover_on_renew(w);
    ck_assert_uint_eq(m->attempts->replace_number, 0);
}
END_TEST

static Suite *recover_suite(void)
{
    Suite *s = suite_create("manager/recover");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, the_first_failure_ends_the_process);
    tcase_add_test(t, the_next_process_waits);
    tcase_add_test(t, a_long_reason_fits_into_the_status);
    tcase_add_test(t, an_orderly_stop_forgets);
    tcase_add_test(t, success_forgets);
    tcase_add_test(t, nobody_to_follow);
    tcase_add_test(t, a_new_program_file);
    tcase_add_test(t, unborn_workers_pause_the_orders);
    tcase_add_test(t, deaths_that_pause_nothing);
    tcase_add_test(t, faults_ask_for_a_generation);
    tcase_add_test(t, renewals_keep_their_distance);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(recover_suite)
