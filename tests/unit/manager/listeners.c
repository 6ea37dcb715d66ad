#include "base/fd.h"
#include "manager/listeners.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char path[64];
static Listeners listeners;

static int bind_one(ListenAddress *address, char **reason)
{
    PoolConfig c = {.listen = address, .n_listen = 1, .listen_backlog = -1, .listen_mode = 0640};

    listeners = (Listeners){.growth_fd = -1, .diag_fd = -1};
    return listeners_bind(&listeners, &c, reason);
}

static int connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void set_up(void)
{
    ListenAddress address = {.kind = LISTEN_UNIX, .text = path, .path = path};
    char *reason = NULL;

    snprintf(path, sizeof(path), "/tmp/fpmd-listen-test-%d", (int)getpid());
    ck_assert_int_eq(bind_one(&address, &reason), 0);
    ck_assert_int_eq(listeners_set_up(&listeners), 0);
}

static void tear_down(void)
{
    listeners_done(&listeners);
}

START_TEST(unix_socket_and_its_end)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    ck_assert_int_ne(fcntl(listeners.items[0].fd, F_GETFL) & O_NONBLOCK, 0);
    listeners_done(&listeners);
    ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(queue_is_counted)
{
    int fds[3], accepted;

    ck_assert_uint_eq(listeners_queued(&listeners, 77), 0);
    for (int i = 0; i < 3; i++)
        fds[i] = connect_unix();
    ck_assert_uint_eq(listeners_queued(&listeners, 77), 3);
    accepted = accept(listeners.items[0].fd, NULL, NULL);
    ck_assert_int_ge(accepted, 0);
    ck_assert_uint_eq(listeners_queued(&listeners, 77), 2);
    close(accepted);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}
END_TEST

START_TEST(queue_is_guessed_without_diag)
{
    int fd;

    listeners.diag_fd = fd_close(listeners.diag_fd);
    ck_assert_uint_eq(listeners_queued(&listeners, 7), 0);
    fd = connect_unix();
    ck_assert_uint_eq(listeners_queued(&listeners, 7), 7);
    close(fd);
}
END_TEST

static bool woken(void)
{
    struct pollfd p = {.fd = listeners.growth_fd, .events = POLLIN};
    bool yes = poll(&p, 1, 0) > 0;

    listeners_drain(&listeners);
    return yes;
}

/* The rule that growth rests on: a waiting worker that registered earlier takes the wake-up, and
 * only a connection that finds nobody waiting wakes the manager. */
START_TEST(manager_is_woken_last)
{
    int fd;

    listeners_watch(&listeners, true);
    ck_assert(!woken());
    fd = connect_unix();
    ck_assert(woken());
    ck_assert_msg(!woken(), "edge-triggered: once per connection");
    /* Being added again reports what waits. */
    listeners_rearm(&listeners);
    ck_assert(woken());
    listeners_watch(&listeners, false);
    close(fd);
    fd = connect_unix();
    ck_assert(!woken());
    close(fd);
}
END_TEST

START_TEST(living_socket_is_left_alone)
{
    ListenAddress address = {.kind = LISTEN_UNIX, .text = path, .path = path};
    Listeners first = listeners;
    char *reason = NULL;

    ck_assert_int_eq(bind_one(&address, &reason), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(reason, path));
    free(reason);
    listeners = first;

    /* A dead one is replaced. */
    fd_close(listeners.items[0].fd);
    free(listeners.items[0].unlink);
    reason = NULL;
    ck_assert_int_eq(bind_one(&address, &reason), 0);
    first.items[0].unlink = NULL;
    free(first.items[0].text);
    free(first.items);
    fd_close(first.growth_fd);
    fd_close(first.diag_fd);
}
END_TEST

START_TEST(other_files_are_left_alone)
{
    char file[80];
    ListenAddress address = {.kind = LISTEN_UNIX, .text = file, .path = file};
    Listeners first = listeners;
    char *reason = NULL;
    int fd;

    snprintf(file, sizeof(file), "%s-file", path);
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    close(fd);
    ck_assert_int_eq(bind_one(&address, &reason), -EEXIST);
    ck_assert_int_eq(access(file, F_OK), 0);
    ck_assert_ptr_nonnull(strstr(reason, "is not a socket"));
    free(reason);
    unlink(file);
    listeners = first;
}
END_TEST

START_TEST(tcp_queue)
{
    ListenAddress address = {.kind = LISTEN_TCP,
                             .text = (char *)(uintptr_t) "127.0.0.1:0",
                             .host = (char *)(uintptr_t) "127.0.0.1"};
    struct sockaddr_in bound;
    socklen_t size = sizeof(bound);
    Listeners first = listeners;
    char *reason = NULL;
    int fds[2];

    ck_assert_int_eq(bind_one(&address, &reason), 0);
    ck_assert_int_eq(getsockname(listeners.items[0].fd, (struct sockaddr *)&bound, &size), 0);
    for (int i = 0; i < 2; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(connect(fds[i], (struct sockaddr *)&bound, sizeof(bound)), 0);
    }
    ck_assert_uint_eq(listeners_queued(&listeners, 77), 2);
    for (int i = 0; i < 2; i++)
        close(fds[i]);
    listeners_done(&listeners);
    listeners = first;
}
END_TEST

/* One who asks for the status is no visitor of the site, and no worker's. */
/* What a worker does to the sockets that it shares. */
START_TEST(what_workers_do_is_undone)
{
    ListenAddress address = {.kind = LISTEN_TCP,
                             .text = (char *)(uintptr_t) "127.0.0.1:0",
                             .host = (char *)(uintptr_t) "127.0.0.1"};
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    char *reason = NULL;
    int fd, backlog, on = 1;
    socklen_t size = sizeof(on);

    ck_assert_uint_eq(listeners_mend(&listeners), 0);
    backlog = listener_backlog(&listeners, &listeners.items[0]);
    ck_assert_int_gt(backlog, 0);
    ck_assert_int_eq(listen(listeners.items[0].fd, 0), 0);
    ck_assert_uint_eq(listeners_mend(&listeners), 1);
    ck_assert_int_eq(listener_backlog(&listeners, &listeners.items[0]), backlog);
    listeners_done(&listeners);

    ck_assert_int_eq(bind_one(&address, &reason), 0);
    ck_assert_int_eq(listeners_set_up(&listeners), 0);
    fd = listeners.items[0].fd;
    backlog = listener_backlog(&listeners, &listeners.items[0]);
    ck_assert_int_eq(connect(fd, &none, sizeof(none)), 0);
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size), 0);
    ck_assert_int_eq(on, 0);
    ck_assert_uint_eq(listeners_mend(&listeners), 1);
    ck_assert_int_eq(listener_backlog(&listeners, &listeners.items[0]), backlog);
    ck_assert_uint_eq(listeners_mend(&listeners), 0);
}
END_TEST

START_TEST(status_sockets_are_counted_apart)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = sizeof(address);

    /* With only the family the kernel chooses an abstract name. */
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(listeners_add(&listeners, LISTENER_STATUS, fd, "status", NULL), 0);
    listeners_watch(&listeners, true);
    ck_assert(!woken());
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, size), 0);
    ck_assert(!woken());
    ck_assert_uint_eq(listeners_queued(&listeners, 77), 0);
    listeners_rearm(&listeners);
    ck_assert(!woken());
    ck_assert_int_eq(listener_backlog(&listeners, &listeners.items[1]), 5);
    close(client);
}
END_TEST

/* What systemd passes: a listening socket of each name at fd 3, 4, … */
static int take(const char *names, Listeners *l, char **reason)
{
    char count[16], pid[16];
    int n = 1;

    for (const char *p = names; (p = strchr(p, ':')); p++)
        n++;
    for (int i = 0; i < n; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        ck_assert_int_eq(
            bind(fd, (struct sockaddr *)&(struct sockaddr_un){AF_UNIX, ""}, sizeof(sa_family_t)),
            0);
        ck_assert_int_eq(listen(fd, 1), 0);
        ck_assert_int_eq(dup2(fd, 100 + i), 100 + i);
        close(fd);
    }
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(dup2(100 + i, 3 + i), 3 + i);
        close(100 + i);
    }
    snprintf(count, sizeof(count), "%d", n);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDNAMES", names, 1);
    *l = (Listeners){.growth_fd = -1, .diag_fd = -1};
    return listeners_take(l, reason);
}

static const struct {
    const char *names, *kinds; /* r: requests, s: status, "": an error */
} passed[] = {
    {"fastcgi", "r"},
    {"fastcgi:fastcgi", "rr"},
    {"status:fastcgi", "sr"},
    {"fastcgi:status:status", "rss"},
    {"connection", "r"}, /* the name that systemd gives of itself */
    {"fpmd@www.socket:status", "rs"},
    {"other:fastcgi:status", "rs"},
    {"status", ""},
};

START_TEST(names_tell_sockets_apart)
{
    char *reason = NULL, kinds[8] = "";
    Listeners l;
    int r = take(passed[_i].names, &l, &reason);

    for (size_t i = 0; i < l.n; i++)
        strcat(kinds, l.items[i].kind == LISTENER_STATUS ? "s" : "r");
    if (passed[_i].kinds[0]) {
        ck_assert_int_gt(r, 0);
        ck_assert_str_eq(kinds, passed[_i].kinds);
    } else {
        ck_assert_int_lt(r, 0);
        ck_assert_ptr_nonnull(strstr(reason, "FileDescriptorName=fastcgi"));
        free(reason);
    }
    listeners_done(&l);
}
END_TEST

static Suite *listeners_suite(void)
{
    Suite *s = suite_create("manager/listeners");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, unix_socket_and_its_end);
    tcase_add_test(t, queue_is_counted);
    tcase_add_test(t, queue_is_guessed_without_diag);
    tcase_add_test(t, manager_is_woken_last);
    tcase_add_test(t, living_socket_is_left_alone);
    tcase_add_test(t, other_files_are_left_alone);
    tcase_add_test(t, tcp_queue);
    tcase_add_test(t, what_workers_do_is_undone);
    tcase_add_test(t, status_sockets_are_counted_apart);
    suite_add_tcase(s, t);

    t = tcase_create("passed");
    tcase_add_loop_test(t, names_tell_sockets_apart, 0, ARRAY_SIZE(passed));
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(listeners_suite)
