#include "base/macro.h"
#include "link/message.h"
#include "log/log.h"
#include "manager/orphans.h"
#include "../run.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static sd_event *event;
static unsigned gone;

static void on_gone(void *userdata)
{
    gone++;
}

static void set_up(void)
{
    log_open(&(LogOptions){.identifier = "test", .max_priority = LOG_EMERG, .journal_fd = -1});
    ck_assert_int_ge(sd_event_new(&event), 0);
    gone = 0;
}

static pid_t child(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static void run_for(uint64_t usec)
{
    while (sd_event_run(event, usec) > 0)
        ;
}

START_TEST(the_last_end_is_told)
{
    pid_t pids[] = {child(), child()};
    Orphans o;

    ck_assert_int_ge(orphans_adopt(&o, event, pids, 2, 60 * USEC_PER_SEC, on_gone, NULL), 0);
    ck_assert_uint_eq(o.n_alive, 2);
    kill(pids[0], SIGKILL);
    run_for(100000);
    ck_assert_uint_eq(o.n_alive, 1);
    ck_assert_uint_eq(gone, 0);
    kill(pids[1], SIGKILL);
    run_for(100000);
    ck_assert_uint_eq(o.n_alive, 0);
    ck_assert_uint_eq(gone, 1);
    orphans_done(&o);
    ck_assert_ptr_null(o.items);
}
END_TEST

START_TEST(the_limit_ends_them)
{
    pid_t pids[] = {child()};
    Orphans o;
    int status;

    ck_assert_int_ge(orphans_adopt(&o, event, pids, 1, 1000, on_gone, NULL), 0);
    run_for(500000);
    ck_assert_uint_eq(gone, 1);
    ck_assert_int_eq(waitpid(pids[0], &status, 0), pids[0]);
    ck_assert(WIFSIGNALED(status));
    /* A program that does not know the signal. */
    ck_assert_int_eq(WTERMSIG(status), LINK_SIGNAL_END);
    orphans_done(&o);
}
END_TEST

START_TEST(one_that_does_not_end_is_killed)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    pid_t pids[1];
    Orphans o;
    int status;

    sigaction(LINK_SIGNAL_END, &ignore, NULL);
    pids[0] = child();
    sigaction(LINK_SIGNAL_END, &standard, NULL);
    ck_assert_int_ge(orphans_adopt(&o, event, pids, 1, 60 * USEC_PER_SEC, on_gone, NULL), 0);
    ck_assert_uint_eq(orphans_end(&o, 503), 1);
    run_for(500000);
    ck_assert_uint_eq(gone, 0);
    run_for(1000000);
    ck_assert_uint_eq(gone, 1);
    ck_assert_int_eq(waitpid(pids[0], &status, 0), pids[0]);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    ck_assert_uint_eq(orphans_end(&o, 503), 0);
    orphans_done(&o);
}
END_TEST

START_TEST(one_that_has_ended_already_is_none)
{
    pid_t pids[] = {child()};
    Orphans o;

    kill(pids[0], SIGKILL);
    ck_assert_int_eq(waitpid(pids[0], NULL, 0), pids[0]);
    ck_assert_int_ge(orphans_adopt(&o, event, pids, 1, 1000, on_gone, NULL), 0);
    ck_assert_uint_eq(o.n_alive, 0);
    ck_assert_uint_eq(orphans_kill(&o), 0);
    orphans_done(&o);
}
END_TEST

static Suite *orphans_suite(void)
{
    Suite *s = suite_create("manager/orphans");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, the_last_end_is_told);
    tcase_add_test(t, the_limit_ends_them);
    tcase_add_test(t, one_that_does_not_end_is_killed);
    tcase_add_test(t, one_that_has_ended_already_is_none);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(orphans_suite)
