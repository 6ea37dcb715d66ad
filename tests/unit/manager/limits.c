/* Limits of time, against processes that note the signals which they get. */
#include "manager/limits_private.h"
#include "../run.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEC USEC_PER_SEC
#define NOW (now_usec)
#define AGE (1000 * SEC) /* of workers and of the requests of long ago */

static Manager *m;
static Generation *g;
static PoolConfig *config;
static uint64_t now_usec;

typedef struct Fake {
    Worker *w;
    BoardSlot *page; /* as the worker has it */
    int heard;       /* pipe: the signals */
} Fake;

typedef struct Heard {
    int signal, value;
} Heard;

static void fake_main(int out)
{
    sigset_t set;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&set);
    sigaddset(&set, LINK_SIGNAL_STOP);
    sigaddset(&set, LINK_SIGNAL_END);
    for (;;) {
        siginfo_t info;
        Heard heard = {0};

        if (sigwaitinfo(&set, &info) < 0)
            continue;
        heard.signal = info.si_signo;
        heard.value = info.si_value.sival_int;
        if (write(out, &heard, sizeof(heard)) < 0)
            _exit(1);
    }
}

static Fake fake(WorkerState state, uint64_t started_usec)
{
    Fake f = {0};
    sigset_t set;
    int pipe_fds[2], fd;

    ck_assert_int_eq(worker_add(g, &f.w), 0);
    fd = board_create(&f.w->slot);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(board_attach(fd, &f.page), 0);
    fd_close(fd);
    f.page->version = BOARD_SLOT_VERSION;
    f.page->state = state;
    f.page->request_started_usec = started_usec;
    f.page->requests = 1;
    f.w->phase = WORKER_READY;
    f.w->started_usec = now_usec - AGE;
    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    sigemptyset(&set);
    sigaddset(&set, LINK_SIGNAL_STOP);
    sigaddset(&set, LINK_SIGNAL_END);
    sigprocmask(SIG_BLOCK, &set, NULL);
    f.w->pid = fork();
    if (f.w->pid == 0)
        fake_main(pipe_fds[1]);
    close(pipe_fds[1]);
    f.heard = pipe_fds[0];
    return f;
}

/* The signal that it has got; 0 for none within the time. */
static int heard(const Fake *f, int limit_msec, int *ret_value)
{
    struct pollfd p = {.fd = f->heard, .events = POLLIN};
    Heard got;

    if (poll(&p, 1, limit_msec) <= 0)
        return 0;
    ck_assert_int_eq(read(f->heard, &got, sizeof(got)), sizeof(got));
    *ret_value = got.value;
    return got.signal;
}

static void expect(const Fake *f, int signal_number)
{
    int value = 0;

    ck_assert_int_eq(heard(f, signal_number ? 5000 : 100, &value), signal_number);
    if (signal_number)
        ck_assert_int_eq(value, 504);
}

static void look(uint64_t usec)
{
    limits_look(m, usec);
}

static uint64_t timer(void)
{
    int enabled = SD_EVENT_OFF;
    uint64_t usec = USEC_INFINITY;

    if (!m->limits->source)
        return USEC_INFINITY;
    sd_event_source_get_enabled(m->limits->source, &enabled);
    if (enabled != SD_EVENT_OFF)
        sd_event_source_get_time(m->limits->source, &usec);
    return usec;
}

static void set_up(void)
{
    log_open(&(LogOptions){.identifier = "test", .max_priority = LOG_EMERG, .journal_fd = -1});
    now_usec = clock_monotonic_usec();
    m = calloc(1, sizeof(*m));
    g = calloc(1, sizeof(*g));
    config = pool_config_new("www");
    m->state = MANAGER_READY;
    m->listeners = (Listeners){.growth_fd = -1, .diag_fd = -1};
    m->porter = PORTER_NONE;
    m->notifier.fd = m->control_fd = m->snapshot_fd = m->history_fd = -1;
    m->options.foreground = true;
    m->options.config_folders = "/nonexistent";
    m->options.pool = "www";
    ck_assert_int_ge(sd_event_new(&m->event), 0);
    ck_assert_int_ge(settle_start(m), 0);
    ck_assert_int_ge(limits_start(m), 0);
    ck_assert_int_ge(recover_set_up(m), 0);
    *g = (Generation){.manager = m,
                      .number = 1,
                      .state = GENERATION_CURRENT,
                      .config = config,
                      .template_pid = 1,
                      .link_fd = 1000, /* only looked at */
                      .changer = {.fd = -1},
                      .denied = {.line_fd = -1, .listener_fd = -1},
                      .out = {.fd = -1},
                      .err = {.fd = -1}};
    m->generations = m->current = g;
    config->request_terminate_timeout_usec = 10 * SEC;
    config->request_terminate_grace_usec = 5 * SEC;
}

static void tear_down(void)
{
    m->generations = g;
    g->link_fd = -1;
    manager_free(m);
    pool_config_free(config);
}

START_TEST(nothing_is_looked_at_without_a_limit)
{
    config->request_terminate_timeout_usec = 0;
    fake(WORKER_STATE_RUNNING, NOW - AGE);
    look(NOW);
    ck_assert_uint_eq(timer(), USEC_INFINITY);
}
END_TEST

START_TEST(a_pool_without_workers_sleeps)
{
    look(NOW);
    ck_assert_uint_eq(timer(), USEC_INFINITY);
}
END_TEST

START_TEST(the_next_look_is_the_earliest_end)
{
    Fake idle = fake(WORKER_STATE_IDLE, NOW - AGE);

    look(NOW);
    ck_assert_uint_eq(timer(), NOW + 10 * SEC);
    fake(WORKER_STATE_RUNNING, NOW - 4 * SEC);
    m->workers_started++;
    look(NOW);
    ck_assert_uint_eq(timer(), NOW + 6 * SEC);
    expect(&idle, 0);
}
END_TEST

/* With the slow log too; without an end it has a time of its own. */
START_TEST(two_limits_of_one_request)
{
    config->slowlog_timeout_usec = 3 * SEC;
    fake(WORKER_STATE_RUNNING, NOW - SEC);
    look(NOW);
    ck_assert_uint_eq(timer(), NOW + 2 * SEC);
    config->request_terminate_timeout_usec = 2 * SEC;
    m->workers_started++;
    look(NOW);
    ck_assert_uint_eq(timer(), NOW + SEC);
    config->request_terminate_timeout_usec = 0;
    m->workers_started++;
    look(NOW);
    ck_assert_uint_eq(timer(), NOW + 2 * SEC);
}
END_TEST

START_TEST(a_request_is_stopped_once_and_then_ended)
{
    Fake f = fake(WORKER_STATE_RUNNING, NOW - 10 * SEC);

    look(NOW);
    expect(&f, LINK_SIGNAL_STOP);
    ck_assert_uint_eq(timer(), NOW + 5 * SEC);
    m->workers_started++; /* any other reason to look */
    look(NOW + 4 * SEC);
    expect(&f, 0);
    look(NOW + 5 * SEC);
    expect(&f, LINK_SIGNAL_END);
    ck_assert_int_eq(f.w->phase, WORKER_ENDING);
    m->workers_started++;
    look(NOW + 6 * SEC);
    expect(&f, 0);
    ck_assert_uint_eq(m->workers_ended, 0);
    worker_on_exit(f.w, CLD_KILLED, SIGKILL);
    ck_assert_uint_eq(m->workers_ended, 1);
    ck_assert_uint_eq(m->workers_crashed, 0);
}
END_TEST

/* Its shutdown functions run, or it has sent its 504: the same request as long as it is busy. */
START_TEST(one_that_ends_in_the_grace_period_is_left_alone)
{
    Fake f = fake(WORKER_STATE_RUNNING, NOW - 10 * SEC);

    look(NOW);
    expect(&f, LINK_SIGNAL_STOP);
    f.page->state = WORKER_STATE_IDLE;
    look(NOW + 5 * SEC);
    expect(&f, 0);
    ck_assert_uint_eq(f.w->stop_asked_usec, 0);
    ck_assert_uint_eq(timer(), NOW + 15 * SEC);
    worker_on_exit(f.w, CLD_EXITED, 0);
    ck_assert_uint_eq(m->workers_ended, 0);
}
END_TEST

START_TEST(the_next_request_has_its_own_time)
{
    Fake f = fake(WORKER_STATE_RUNNING, NOW - 10 * SEC);

    look(NOW);
    expect(&f, LINK_SIGNAL_STOP);
    f.page->request_started_usec = NOW + 2 * SEC;
    look(NOW + 5 * SEC);
    expect(&f, 0);
    ck_assert_uint_eq(timer(), NOW + 12 * SEC);
    look(NOW + 12 * SEC);
    expect(&f, LINK_SIGNAL_STOP);
}
END_TEST

/* A request that is stopped may end at once: the next one does not wait for the longer grace period
 * of the one before. */
START_TEST(a_short_limit_and_a_long_grace)
{
    Fake f = fake(WORKER_STATE_RUNNING, NOW - 2 * SEC);

    config->request_terminate_timeout_usec = 2 * SEC;
    look(NOW);
    expect(&f, LINK_SIGNAL_STOP);
    ck_assert_uint_eq(timer(), NOW + 2 * SEC);
    f.page->request_started_usec = NOW + SEC / 2;
    look(NOW + 2 * SEC);
    ck_assert_uint_eq(timer(), NOW + SEC / 2 + 2 * SEC);
    look(NOW + SEC / 2 + 2 * SEC);
    expect(&f, LINK_SIGNAL_STOP);
    look(NOW + 4 * SEC + SEC / 2);
    expect(&f, 0);
    ck_assert_uint_eq(timer(), NOW + 6 * SEC + SEC / 2);
    look(NOW + 8 * SEC);
    expect(&f, LINK_SIGNAL_END);
}
END_TEST

/* After fastcgi_finish_request() only with track_finished. */
START_TEST(finished_requests)
{
    Fake f = fake(WORKER_STATE_FINISHING, NOW - 10 * SEC);

    look(NOW);
    expect(&f, 0);
    config->request_terminate_timeout_track_finished = true;
    m->workers_started++;
    look(NOW);
    expect(&f, LINK_SIGNAL_STOP);
}
END_TEST

START_TEST(connections_at_rest_are_left_alone)
{
    static const WorkerState states[] = {WORKER_STATE_STARTING, WORKER_STATE_IDLE,
                                         WORKER_STATE_READING, WORKER_STATE_DRAINING};

    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        Fake f = fake(states[i], NOW - AGE / 2);

        m->workers_started++;
        look(NOW);
        expect(&f, 0);
    }
}
END_TEST

/* Workers that leave finish their requests, but not for ever. */
START_TEST(leaving_workers_and_a_stopping_pool)
{
    Fake retired = fake(WORKER_STATE_RUNNING, NOW - 10 * SEC);

    retired.w->phase = WORKER_RETIRED;
    g->state = GENERATION_LEAVING;
    m->current = NULL;
    m->state = MANAGER_STOPPING;
    look(NOW);
    expect(&retired, LINK_SIGNAL_STOP);
    look(NOW + 5 * SEC);
    expect(&retired, LINK_SIGNAL_END);
}
END_TEST

/* What a worker says of the past before its birth does not count. */
START_TEST(a_page_of_nonsense)
{
    Fake f = fake(WORKER_STATE_RUNNING, 0);

    f.w->started_usec = NOW - 3 * SEC;
    look(NOW);
    expect(&f, 0);
    ck_assert_uint_eq(timer(), NOW + 7 * SEC);
    f.page->version = 4711;
    look(NOW + 7 * SEC);
    expect(&f, LINK_SIGNAL_STOP);
    look(NOW + 12 * SEC);
    expect(&f, LINK_SIGNAL_END);
}
END_TEST

START_TEST(lifetimes_end_one_after_the_other)
{
    Fake f[3];
    unsigned expired = 0, retired = 0;

    config->request_terminate_timeout_usec = 0;
    config->pm_max_lifetime_usec = AGE;
    for (size_t i = 0; i < ARRAY_SIZE(f); i++)
        f[i] = fake(WORKER_STATE_IDLE, NOW - AGE);
    look(NOW);
    for (size_t i = 0; i < ARRAY_SIZE(f); i++)
        expired += f[i].w->phase == WORKER_EXPIRED;
    ck_assert_uint_eq(expired, 1);
    ck_assert(m->scale_wanted);

    /* Its successor has been ordered, and serves. */
    Fake next = fake(WORKER_STATE_STARTING, 0);
    next.w->started_usec = NOW;
    next.w->phase = WORKER_SETTING_UP;
    m->workers_started++;
    look(NOW);
    for (size_t i = 0; i < ARRAY_SIZE(f); i++)
        retired += f[i].w->phase == WORKER_RETIRED;
    ck_assert_uint_eq(retired, 0);
    next.w->phase = WORKER_READY;
    look(NOW);
    retired = expired = 0;
    for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
        retired += f[i].w->phase == WORKER_RETIRED;
        expired += f[i].w->phase == WORKER_EXPIRED;
    }
    ck_assert_uint_eq(retired, 1);
    ck_assert_uint_eq(expired, 1);
    ck_assert_int_eq(next.w->phase, WORKER_READY);
    /* A template that has died can order nobody. */
    g->link_fd = -1;
    look(NOW);
    retired = 0;
    for (size_t i = 0; i < ARRAY_SIZE(f); i++)
        retired += f[i].w->phase == WORKER_RETIRED;
    ck_assert_uint_eq(retired, 1);
}
END_TEST

START_TEST(lifetimes_have_jitter)
{
    uint64_t least = USEC_INFINITY, most = 0;

    config->request_terminate_timeout_usec = 0;
    config->pm_max_lifetime_usec = 100 * AGE;
    for (unsigned i = 0; i < 30; i++) {
        Fake f = fake(WORKER_STATE_IDLE, NOW - AGE);
        uint64_t life_usec;

        m->workers_started++;
        look(NOW);
        life_usec = f.w->retire_at_usec - f.w->started_usec;
        ck_assert_uint_le(life_usec, 100 * AGE);
        ck_assert_uint_ge(life_usec, 90 * AGE);
        least = MIN(least, life_usec);
        most = MAX(most, life_usec);
    }
    ck_assert_uint_gt(most - least, 3 * AGE);
    ck_assert_uint_le(timer(), NOW - AGE + 100 * AGE);
}
END_TEST

/* A shell of the worker's script and its program: what is new and of its session ends, what was
 * there before, and other sessions, go on. */
START_TEST(leftover_processes)
{
    Leftover l = {0};
    pid_t worker, before, stranger, middle;
    uint64_t end_usec;
    int status, ready[2];
    char byte;

    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    m->generations = NULL;
    m->current = NULL;
    ck_assert_int_eq(pipe(ready), 0);
    before = fork();
    if (before == 0) {
        pause();
        _exit(0);
    }
    worker = fork();
    if (worker == 0) {
        pid_t shell = fork();

        if (shell == 0) {
            if (fork() == 0 && write(ready[1], "x", 1) < 0)
                _exit(1);
            for (;;)
                pause();
        }
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    leftover_expect(m, &l, worker);
    m->limits->leftover = l;
    stranger = fork();
    if (stranger == 0) {
        setsid();
        if (write(ready[1], "x", 1) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    kill(worker, SIGKILL);
    ck_assert_int_eq(waitpid(worker, &status, 0), worker);
    leftover_end(m, &m->limits->leftover);
    end_usec = clock_monotonic_usec() + SEC;
    while (clock_monotonic_usec() < end_usec)
        sd_event_run(m->event, 20 * USEC_PER_MSEC);
    for (unsigned n = 0; n < 2; n++) {
        middle = waitpid(-1, &status, WNOHANG);
        ck_assert_int_gt(middle, 0);
        ck_assert(middle != before && middle != stranger);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    ck_assert_int_eq(waitpid(-1, &status, WNOHANG), 0);
    ck_assert_ptr_null(m->limits->leftover.before);
    kill(before, SIGKILL);
    kill(stranger, SIGKILL);
}
END_TEST

static Suite *limits_suite(void)
{
    Suite *s = suite_create("manager/limits");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, nothing_is_looked_at_without_a_limit);
    tcase_add_test(t, a_pool_without_workers_sleeps);
    tcase_add_test(t, the_next_look_is_the_earliest_end);
    tcase_add_test(t, two_limits_of_one_request);
    tcase_add_test(t, a_request_is_stopped_once_and_then_ended);
    tcase_add_test(t, one_that_ends_in_the_grace_period_is_left_alone);
    tcase_add_test(t, the_next_request_has_its_own_time);
    tcase_add_test(t, a_short_limit_and_a_long_grace);
    tcase_add_test(t, finished_requests);
    tcase_add_test(t, connections_at_rest_are_left_alone);
    tcase_add_test(t, leaving_workers_and_a_stopping_pool);
    tcase_add_test(t, a_page_of_nonsense);
    tcase_add_test(t, lifetimes_end_one_after_the_other);
    tcase_add_test(t, lifetimes_have_jitter);
    tcase_add_test(t, leftover_processes);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(limits_suite)
