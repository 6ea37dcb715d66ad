/* The manager's side with the real porter. The test is the workers and the web server. */
#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "manager/manager.h"
#include "../run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static Manager manager;
static Generation generation;
static PoolSetup setup;
static PoolConfig *config;
static int clients[2]; /* [0] the web server's end, [1] the connection */
static char libexec[256];
static Listener listener;
static FILE *log_file;

static void set_up(void)
{
    manager = (Manager){
        .options = {.pool = "www", .libexec_dir = getenv("FPMD_PORTER_DIR")},
        .state = MANAGER_READY,
        .nofile_soft = 256,
        .nofile_hard = 512,
        .listeners = {.items = &listener, .n = 1, .growth_fd = -1, .diag_fd = -1},
        .notifier = {.fd = -1},
        .snapshot_fd = -1,
        .history_fd = -1,
        .history_read_fd = -1,
        .porter = PORTER_NONE,
    };
    config = pool_config_new("www");
    ck_assert_ptr_nonnull(config);
    setup = (PoolSetup){.n_refs = 1, .config = config, .ids = {.keep = true}};
    generation = (Generation){
        .manager = &manager, .number = 1, .setup = &setup, .config = config, .link_fd = -1};
    manager.current = manager.generations = &generation;
    listener = (Listener){.kind = LISTENER_REQUESTS};
    listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(
        bind(listener.fd, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(listener.fd, 16), 0);
    log_file = tmpfile();
    log_open(&(LogOptions){.identifier = "test",
                           .max_priority = LOG_INFO,
                           .journal_fd = -1,
                           .text_fd = fileno(log_file)});
    ck_assert_int_ge(sd_event_new(&manager.event), 0);
    ck_assert_int_ge(settle_start(&manager), 0);
    ck_assert_int_eq(porter_set_up(&manager), 0);
}

static void tear_down(void)
{
    porter_done(&manager);
    sd_event_source_disable_unref(manager.settle_source);
    sd_event_unref(manager.event);
    close(listener.fd);
    pool_config_free(config);
    fclose(log_file);
}

/* What was logged so far. */
static const char *said(void)
{
    static char text[8192];
    ssize_t n = pread(fileno(log_file), text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = 0;
    return text;
}

/* Runs the loop until the condition holds, or for so long. */
static bool run_until(bool (*condition)(void), unsigned limit_msec)
{
    uint64_t end_usec = clock_monotonic_usec() + limit_msec * USEC_PER_MSEC;

    for (;;) {
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid > 0)
            porter_on_exit(&manager, info.si_pid, info.si_code, info.si_status);
        if (condition && condition())
            return true;
        if (clock_monotonic_usec() >= end_usec)
            return false;
        /* Not the settle step, which acts on a whole manager. */
        sd_event_source_set_enabled(manager.settle_source, SD_EVENT_OFF);
        ck_assert_int_ge(sd_event_run(manager.event, 2000), 0);
    }
}

static bool is_ready(void)
{
    return manager.porter.ready;
}

static bool is_gone(void)
{
    return porter_is_gone(&manager);
}

static bool holds_one(void)
{
    return porter_count(&manager) == 1;
}

static bool holds_none(void)
{
    return porter_count(&manager) == 0;
}

static bool holds_three(void)
{
    return porter_count(&manager) == 3;
}

static bool former_is_gone(void)
{
    return manager.porter.former_pid == 0;
}

static void park_one(void)
{
    LinkMessage m = {.type = LINK_PARK};

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, clients), 0);
    ck_assert_int_eq(link_send(manager.porter.park[1], &m, &clients[1], 1), 0);
    close(clients[1]);
}

static bool is_closed(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&p, 1, 1000) == 1 && recv(fd, &byte, 1, 0) == 0;
}

/* A worker gets the connection, which has a byte. */
static void expect_handed_over(int client)
{
    struct pollfd p = {.fd = manager.porter.handover[1], .events = POLLIN};
    LinkMessage m;
    size_t n = 0;
    int fd = -1;
    char byte;

    ck_assert_int_eq(poll(&p, 1, 3000), 1);
    ck_assert_int_eq(link_receive(p.fd, MSG_DONTWAIT, &m, &fd, 1, &n, NULL), 1);
    ck_assert_uint_eq(m.type, LINK_SERVE);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 1);
    close(fd);
    ck_assert(is_closed(client));
}

static void expect_served(int client)
{
    ck_assert_int_eq(send(client, "x", 1, 0), 1);
    expect_handed_over(client);
}

static void leave(void)
{
    porter_leave(&manager);
    ck_assert(run_until(is_gone, 1000));
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}

START_TEST(starts_when_it_is_needed)
{
    LinkMessage m = {.type = LINK_PARK};

    ck_assert(!run_until(is_ready, 50));
    ck_assert(porter_is_gone(&manager));
    ck_assert_uint_eq(porter_count(&manager), 0);
    park_one();
    ck_assert(run_until(holds_one, 3000));
    ck_assert(manager.porter.ready);
    ck_assert(!porter_is_gone(&manager));
    ck_assert(!porter_on_exit(&manager, getpid(), CLD_EXITED, 0));
    expect_served(clients[0]);
    leave();
    ck_assert_str_eq(said(), "");
    /* Not again: workers keep what they have. */
    ck_assert_int_eq(link_send(manager.porter.park[1], &m, NULL, 0), -EPIPE);
    ck_assert(!run_until(is_ready, 50));
    ck_assert(porter_is_gone(&manager));
}
END_TEST

/* At the end of the pool nobody is left behind, whether a porter runs or not. */
START_TEST(leaving_serves_what_has_bytes)
{
    park_one();
    if (_i == 1)
        ck_assert(run_until(is_ready, 3000));
    ck_assert_int_eq(send(clients[0], "x", 1, 0), 1);
    porter_leave(&manager);
    ck_assert(run_until(is_gone, 1000));
    expect_handed_over(clients[0]);
}
END_TEST

START_TEST(a_stuck_one_is_ended)
{
    park_one();
    ck_assert(run_until(is_ready, 3000));
    kill(manager.porter.pid, SIGSTOP);
    porter_leave(&manager);
    ck_assert(!run_until(is_gone, 1000));
    ck_assert(run_until(is_gone, 1000));
}
END_TEST

START_TEST(one_that_dies_is_replaced)
{
    uint64_t begin_usec;
    pid_t pid;

    park_one();
    ck_assert(run_until(holds_one, 3000));
    pid = manager.porter.pid;
    kill(pid, SIGKILL);
    ck_assert(run_until(is_gone, 1000));
    ck_assert_ptr_nonnull(strstr(said(), "was killed by signal 9 (SIGKILL) after"));
    ck_assert_ptr_nonnull(strstr(said(), "the 1 idle connections that it held are closed"));
    ck_assert(is_closed(clients[0]));
    /* Nobody needs one. */
    ck_assert(!run_until(is_ready, 200));
    park_one();
    ck_assert(run_until(holds_one, 3000));
    ck_assert_int_ne(manager.porter.pid, pid);
    expect_served(clients[0]);
    ck_assert(run_until(holds_none, 3000));
    /* The second time the pause is longer. */
    park_one();
    ck_assert(run_until(holds_one, 3000));
    begin_usec = clock_monotonic_usec();
    kill(manager.porter.pid, SIGKILL);
    ck_assert(run_until(is_gone, 1000));
    park_one();
    ck_assert(run_until(holds_one, 3000));
    ck_assert_uint_ge(clock_monotonic_usec() - begin_usec, 150 * USEC_PER_MSEC);
    ck_assert_uint_eq(manager.porter.pause_usec, 200 * USEC_PER_MSEC);
    leave();
}
END_TEST

/* The manager tries at growing distances, and does nothing meanwhile. */
START_TEST(one_that_cannot_start)
{
    unsigned tries = 0;
    const char *text;

    snprintf(libexec, sizeof(libexec), "/nowhere");
    manager.options.libexec_dir = libexec;
    park_one();
    ck_assert(!run_until(is_ready, 1000));
    text = said();
    for (const char *p = text; (p = strstr(p, "exited with status 108 (exec)")); p++)
        tries++;
    /* At 0, 100, 300, 700 ms. */
    ck_assert_uint_ge(tries, 3);
    ck_assert_uint_le(tries, 4);
    ck_assert_ptr_nonnull(strstr(text, "/nowhere/fpmd-porter: No such file"));
    manager.options.libexec_dir = getenv("FPMD_PORTER_DIR");
    ck_assert(run_until(holds_one, 3000));
    expect_served(clients[0]);
    leave();
}
END_TEST

/* Between two generations there is nobody whose user it could have. */
START_TEST(without_a_generation)
{
    manager.current = manager.generations = NULL;
    park_one();
    porter_shed(&manager, 1);
    ck_assert(!run_until(is_ready, 100));
    ck_assert(porter_is_gone(&manager));
    manager.current = manager.generations = &generation;
    ck_assert(run_until(holds_one, 3000));
    leave();
}
END_TEST

static int connect_client(void)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_int_eq(getsockname(listener.fd, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

static bool has_shed_two(void)
{
    porter_count(&manager);
    return manager.shed == 2;
}

START_TEST(refuses)
{
    int a = connect_client(), b = connect_client(), c = connect_client();
    char text[512] = "";

    config->queue_timeout_usec = 2 * USEC_PER_SEC + 1;
    porter_shed(&manager, 0);
    ck_assert(porter_is_gone(&manager));
    porter_shed(&manager, 2);
    ck_assert(run_until(has_shed_two, 3000));
    ck_assert_uint_eq(manager.accepted, 2);
    ck_assert_int_gt(recv(a, text, sizeof(text) - 1, MSG_DONTWAIT), 0);
    ck_assert_ptr_nonnull(strstr(text + 8, "Status: 503"));
    ck_assert_ptr_nonnull(strstr(text + 8, "Retry-After: 3\r\n"));
    ck_assert_int_lt(recv(c, text, sizeof(text), MSG_DONTWAIT), 0);
    /* Counted once. */
    porter_count(&manager);
    ck_assert_uint_eq(manager.shed, 2);
    close(a);
    close(b);
    close(c);
    leave();
}
END_TEST

/* After a reload that concerns it another one takes over all connections; else it stays. */
START_TEST(renewed)
{
    int held[3];
    pid_t pid;

    for (int i = 0; i < 3; i++) {
        park_one();
        held[i] = clients[0];
    }
    ck_assert(run_until(holds_three, 3000));
    pid = manager.porter.pid;
    porter_renew(&manager);
    ck_assert_int_eq(manager.porter.pid, pid);
    config->log_level = LOG_DEBUG;
    porter_renew(&manager);
    ck_assert_int_ne(manager.porter.pid, pid);
    ck_assert_int_eq(manager.porter.former_pid, pid);
    ck_assert(run_until(former_is_gone, 3000));
    ck_assert(run_until(holds_three, 3000));
    for (int i = 0; i < 3; i++)
        expect_served(held[i]);
    ck_assert_str_eq(said(), "");
    leave();
}
END_TEST

/* With a socket of pm.status_listen one runs from the beginning, and comes back at once. */
START_TEST(runs_for_the_status)
{
    Listener two[2] = {listener, {.kind = LISTENER_STATUS}};
    pid_t first;

    porter_look(&manager);
    ck_assert_int_eq(manager.porter.pid, 0);
    two[1].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(two[1].fd, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)),
                     0);
    ck_assert_int_eq(listen(two[1].fd, 16), 0);
    manager.listeners.items = two;
    manager.listeners.n = 2;
    manager.current = manager.generations = NULL;
    porter_look(&manager);
    ck_assert_int_eq(manager.porter.pid, 0); /* there is no user yet */
    manager.coming = manager.generations = &generation;
    porter_look(&manager);
    first = manager.porter.pid;
    ck_assert_int_gt(first, 0);
    ck_assert_int_ge(manager.history_fd, 0);
    ck_assert(run_until(is_ready, 3000));
    manager.current = &generation;
    porter_renew(&manager);
    ck_assert_int_eq(manager.porter.pid, first);
    kill(first, SIGKILL);
    for (int i = 0; i < 300 && (manager.porter.pid == 0 || manager.porter.pid == first); i++) {
        run_until(NULL, 10);
        porter_look(&manager);
    }
    ck_assert_int_gt(manager.porter.pid, 0);
    ck_assert_int_ne(manager.porter.pid, first);
    /* Its paths are of the pool file. */
    first = manager.porter.pid;
    config->status_path = strdup("/status");
    porter_renew(&manager);
    ck_assert_int_ne(manager.porter.pid, first);
    ck_assert_int_eq(manager.porter.former_pid, first);
    ck_assert(run_until(former_is_gone, 3000));
    leave();
    fd_close(two[1].fd);
    fd_close(manager.history_fd);
}
END_TEST

/* As after a re-exec: descriptors and numbers are there, everything else is made anew. */
START_TEST(goes_on_in_another_program)
{
    Porter old, *p = &manager.porter;
    pid_t pid;

    park_one();
    ck_assert(run_until(holds_one, 3000));
    pid = p->pid;
    sd_event_source_disable_unref(p->park_source);
    sd_event_source_disable_unref(p->link_source);
    sd_event_source_disable_unref(p->time_source);
    output_close(&p->out);
    output_close(&p->err);
    board_unmap(p->slot);
    old = *p;
    *p = PORTER_NONE;
    memcpy(p->handover, old.handover, sizeof(p->handover));
    memcpy(p->park, old.park, sizeof(p->park));
    p->pid = old.pid;
    p->link_fd = old.link_fd;
    p->slot_fd = old.slot_fd;
    p->identity = old.identity;
    p->ready = old.ready;
    p->started_usec = old.started_usec;
    ck_assert_int_eq(porter_set_up(&manager), 0);
    ck_assert_uint_eq(porter_count(&manager), 1);
    porter_renew(&manager);
    ck_assert_int_eq(p->pid, pid);
    expect_served(clients[0]);
    leave();
}
END_TEST

static Suite *porter_suite(void)
{
    Suite *s = suite_create("manager/porter");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, starts_when_it_is_needed);
    tcase_add_loop_test(t, leaving_serves_what_has_bytes, 0, 2);
    tcase_add_test(t, a_stuck_one_is_ended);
    tcase_add_test(t, one_that_dies_is_replaced);
    tcase_add_test(t, one_that_cannot_start);
    tcase_add_test(t, without_a_generation);
    tcase_add_test(t, refuses);
    tcase_add_test(t, renewed);
    tcase_add_test(t, runs_for_the_status);
    tcase_add_test(t, goes_on_in_another_program);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(porter_suite)
