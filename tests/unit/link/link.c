#include "base/fd.h"
#include "link/message.h"
#include "link/spec.h"
#include "../run.h"

#include <signal.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static ino_t inode(int fd)
{
    struct stat st;

    ck_assert_int_eq(fstat(fd, &st), 0);
    return st.st_ino;
}

START_TEST(message_carries_descriptors)
{
    LinkMessage sent = {.type = LINK_FORK, .count = 2, .flags = 5}, got;
    int pair[2], fds[4], peer_fds[4];
    size_t n = 0;

    ck_assert_int_eq(link_pair(pair), 0);
    strcpy(sent.text, "hello");
    for (int i = 0; i < 4; i++)
        fds[i] = memfd_create("x", 0);
    ck_assert_int_eq(link_send(pair[0], &sent, fds, 4), 0);
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, peer_fds, 4, &n, NULL), 1);
    ck_assert_uint_eq(got.type, LINK_FORK);
    ck_assert_uint_eq(got.count, 2);
    ck_assert_uint_eq(got.flags, 5);
    ck_assert_str_eq(got.text, "hello");
    ck_assert_uint_eq(n, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(inode(fds[i]), inode(peer_fds[i]));
        ck_assert_int_eq(fcntl(peer_fds[i], F_GETFD), FD_CLOEXEC);
    }
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), -EAGAIN);
    close(pair[0]);
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), 0);
}
END_TEST

START_TEST(pid_is_the_senders)
{
    LinkMessage m = {.type = LINK_HELLO};
    int pair[2], status;
    pid_t child, pid = 0;

    ck_assert_int_eq(link_pair(pair), 0);
    child = fork();
    if (child == 0)
        _exit(link_send(pair[1], &m, NULL, 0) == 0 ? 0 : 1);
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(link_receive(pair[0], MSG_DONTWAIT, &m, NULL, 0, NULL, &pid), 1);
    ck_assert_int_eq(pid, child);
}
END_TEST

static void send_nothing_with(int link_fd, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr msg = {.msg_control = &control, .msg_controllen = sizeof(control)};

    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    ck_assert_int_eq(sendmsg(link_fd, &msg, 0), 0);
}

/* Bad messages are refused and leak no descriptor. */
START_TEST(absurd_messages)
{
    LinkMessage m = {.type = LINK_HELLO}, got;
    int pair[2], before, fd;

    ck_assert_int_eq(link_pair(pair), 0);
    fd = memfd_create("x", 0);
    before = dup(fd);
    close(before);

    ck_assert_int_eq(send(pair[0], "short", 5, 0), 5);
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), -EBADMSG);

    m.type = _LINK_TYPE_MAX;
    ck_assert_int_eq(link_send(pair[0], &m, &fd, 1), 0);
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), -EBADMSG);

    m.type = 0;
    ck_assert_int_eq(link_send(pair[0], &m, &fd, 1), 0);
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), -EBADMSG);

    m.type = LINK_HELLO;
    m.version = LINK_VERSION + 1;
    ck_assert_int_eq(send(pair[0], &m, sizeof(m), 0), (int)sizeof(m));
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), -EBADMSG);

    /* An empty one, with a descriptor or without, is not the end of file. */
    ck_assert_int_eq(send(pair[0], "", 0, 0), 0);
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), -EBADMSG);
    send_nothing_with(pair[0], fd);
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), -EBADMSG);

    /* More descriptors than asked for: the rest is closed, the message counts. */
    m.version = LINK_VERSION;
    ck_assert_int_eq(link_send(pair[0], &m, &fd, 1), 0);
    ck_assert_int_eq(link_receive(pair[1], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), 1);

    ck_assert_int_eq(dup(fd), before);
}
END_TEST

/* Of the other process only: what it sends would be closed by us, however long that takes. */
START_TEST(descriptors_of_the_other_are_refused)
{
    LinkMessage m = {.type = LINK_HELLO}, got;
    int pair[2], fd = memfd_create("x", 0);

    ck_assert_int_eq(link_pair(pair), 0);
    ck_assert_int_eq(link_can_refuse_fds(pair[0]), link_refuse_fds(pair[0]) == 1);
    if (!link_can_refuse_fds(pair[0]))
        return; /* before Linux 6.16: the filter of the workers does it */
    ck_assert_int_eq(link_send(pair[1], &m, &fd, 1), -EPERM);
    ck_assert_int_eq(link_send(pair[1], &m, NULL, 0), 0);
    ck_assert_int_eq(link_receive(pair[0], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(link_receive(pair[0], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), -EAGAIN);
    ck_assert_int_eq(link_send(pair[0], &m, &fd, 1), 0);
    ck_assert_int_eq(link_admit_fds(pair[0]), 0);
    ck_assert_int_eq(link_send(pair[1], &m, &fd, 1), 0);
}
END_TEST

/* As those of the control socket are; before accept(2) as well. */
START_TEST(accepted_connections_inherit_it)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(address);
    LinkMessage m = {.type = LINK_HELLO};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    int fd = memfd_create("x", 0);

    if (link_refuse_fds(listener) == 0)
        return;
    /* An address that the kernel chooses. */
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(link_send(client, &m, &fd, 1), -EPERM);
    ck_assert_int_ge(accept(listener, NULL, NULL), 0);
    ck_assert_int_eq(link_send(client, &m, &fd, 1), -EPERM);
    ck_assert_int_eq(link_send(client, &m, NULL, 0), 0);
}
END_TEST

START_TEST(text_is_always_terminated)
{
    LinkMessage m = {.type = LINK_FAILED}, got;
    int pair[2];

    ck_assert_int_eq(link_pair(pair), 0);
    memset(m.text, 'x', sizeof(m.text));
    ck_assert_int_eq(link_send(pair[1], &m, NULL, 0), 0);
    ck_assert_int_eq(link_receive(pair[0], MSG_DONTWAIT, &got, NULL, 0, NULL, NULL), 1);
    ck_assert_uint_eq(strlen(got.text), sizeof(got.text) - 1);
}
END_TEST

static PoolConfig *example(void)
{
    static EnvSetting env[] = {{(char *)(uintptr_t) "A", (char *)(uintptr_t) "1"}};
    static IniSetting ini[] = {
        {.kind = INI_VALUE,
         .key = (char *)(uintptr_t) "error_reporting",
         .text = (char *)(uintptr_t) "E_ALL & ~E_NOTICE"},
        {.kind = INI_ADMIN_FLAG,
         .key = (char *)(uintptr_t) "log_errors",
         .text = (char *)(uintptr_t) "1"},
    };
    static char *extensions[] = {(char *)(uintptr_t) ".php"};
    static char *folders[] = {(char *)(uintptr_t) "/var/lib/nginx"};
    static char *quiet[] = {(char *)(uintptr_t) "/ping", (char *)(uintptr_t) "/a=b"};
    /* 192.0.2.0/24 and ::1 */
    static ClientRange clients[] = {
        {.address = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2}, .n_bits = 120},
        {.address = {[15] = 1}, .n_bits = 128},
    };
    static PoolConfig c = {.name = (char *)(uintptr_t) "www",
                           .runtime = (char *)(uintptr_t) "php8.2",
                           .chdir = (char *)(uintptr_t) "/srv",
                           .pm_max_requests = 500,
                           .log_level = 5,
                           .env = env,
                           .n_env = 1,
                           .ini = ini,
                           .n_ini = 2,
                           .limit_extensions = extensions,
                           .n_limit_extensions = 1,
                           .status_path = (char *)(uintptr_t) "/status",
                           .ping_path = (char *)(uintptr_t) "/ping",
                           .ping_response = (char *)(uintptr_t) "pong = pong",
                           .allow_php_value = true,
                           .body_file_paths = {folders, 1},
                           .access_log = (char *)(uintptr_t) "/var/log/fpmd/www.access",
                           .access_format = (char *)(uintptr_t) "%m = %{A=B}e",
                           .access_suppress = {quiet, 2},
                           .allowed_clients = clients,
                           .n_allowed_clients = 2};

    return &c;
}

START_TEST(spec_there_and_back)
{
    static const char *const names[] = {"link", "handover", "listen", "listen", "future",  "status",
                                        "park", "repark",   "slot",   "access", "history", NULL};
    static const char *const env[] = {"A=1", "B=two=2", "C=", NULL};
    _cleanup_buffer_ Buffer b = {0};
    RuntimeSpec s;
    const char *error;
    int fd;

    ck_assert_int_eq(spec_write(&b, example(), 7, 1, names, env), 0);
    fd = fd_make_sealed("spec", b.data, b.size);
    /* fd 4 … 14 must exist, since the spec names them. */
    for (int i = 4; i < 15; i++)
        if (fcntl(i, F_GETFD) < 0)
            ck_assert_int_eq(dup2(STDERR_FILENO, i), i);
    ck_assert_int_eq(spec_read(fd, &s, &error), 0);
    ck_assert_str_eq(s.pool, "www");
    ck_assert_str_eq(s.runtime, "php8.2");
    ck_assert_uint_eq(s.generation, 7);
    ck_assert_uint_eq(s.moot, 1);
    ck_assert_int_eq(s.log_level, 5);
    ck_assert_uint_eq(s.max_requests, 500);
    ck_assert_str_eq(s.chdir, "/srv");
    ck_assert_ptr_null(s.php_ini);
    ck_assert_int_eq(s.link_fd, 4);
    ck_assert_int_eq(s.handover_fd, 5);
    ck_assert_int_eq(s.park_fd, 10);
    ck_assert_int_eq(s.repark_fd, 11);
    ck_assert_int_eq(s.slot_fd, 12);
    ck_assert_int_eq(s.access_fd, 13);
    ck_assert_int_eq(s.history_fd, 14);
    ck_assert_str_eq(s.access_format, "%m = %{A=B}e");
    ck_assert(!s.access_journal);
    ck_assert_uint_eq(s.n_access_suppress, 2);
    ck_assert_str_eq(s.access_suppress[1], "/a=b");
    ck_assert_int_eq(s.journal_fd, -1);
    ck_assert_uint_eq(s.n_listen_fds, 2);
    ck_assert_int_eq(s.listen_fds[1], 7);
    ck_assert_uint_eq(s.n_status_fds, 1);
    ck_assert_int_eq(s.status_fds[0], 9);
    ck_assert_uint_eq(s.n_allowed_clients, 2);
    ck_assert_uint_eq(s.allowed_clients[0].n_bits, 120);
    ck_assert_int_eq(s.allowed_clients[0].address[12], 192);
    ck_assert_uint_eq(s.allowed_clients[1].n_bits, 128);
    ck_assert_int_eq(s.allowed_clients[1].address[15], 1);
    ck_assert_str_eq(s.status_path, "/status");
    ck_assert_str_eq(s.ping_path, "/ping");
    ck_assert_str_eq(s.ping_response, "pong = pong");
    ck_assert(s.allow_php_value);
    ck_assert_uint_eq(s.n_body_file_paths, 1);
    ck_assert_str_eq(s.body_file_paths[0], "/var/lib/nginx");
    ck_assert_uint_eq(s.n_env, 3);
    ck_assert_str_eq(s.env[1], "B=two=2");
    ck_assert_str_eq(s.env[2], "C=");
    ck_assert_uint_eq(s.n_ini, 2);
    ck_assert_int_eq(s.ini_kinds[0], INI_VALUE);
    ck_assert_str_eq(s.ini_keys[0], "error_reporting");
    ck_assert_str_eq(s.ini_texts[0], "E_ALL & ~E_NOTICE");
    ck_assert_int_eq(s.ini_kinds[1], INI_ADMIN_FLAG);
    spec_done(&s);
}
END_TEST

/* For who only tells of the settings: nothing to serve with. */
START_TEST(settings_without_descriptors)
{
    static const char text[] = "fpmd-spec=1\0pool=www\0chdir=/srv\0env=A=b";
    int fd = fd_make_sealed("spec", text, sizeof(text));
    const char *error;
    RuntimeSpec s;

    ck_assert_int_eq(spec_read_settings(fd, &s, &error), 0);
    ck_assert_str_eq(s.pool, "www");
    ck_assert_str_eq(s.chdir, "/srv");
    ck_assert_str_eq(s.env[0], "A=b");
    ck_assert_int_eq(s.link_fd, -1);
    spec_done(&s);
    ck_assert_int_eq(spec_read(fd, &s, &error), -EBADMSG);
    ck_assert_str_eq(error, "link, handover or listen is missing");
    fd_close(fd);
}
END_TEST

START_TEST(access_records)
{
    static const char *const env[] = {NULL};
    PoolConfig c = *example();
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_fd_ int fd = -1;
    const char *error;
    RuntimeSpec s;

    c.access_log = _i == 0 ? NULL : (char *)(uintptr_t) "journal";
    ck_assert_int_eq(spec_write(&b, &c, 7, 1, env, env), 0);
    fd = fd_make_sealed("spec", b.data, b.size);
    ck_assert_int_eq(spec_read_settings(fd, &s, &error), 0);
    ck_assert_int_eq(s.access_fd, -1);
    ck_assert_int_eq(s.access_journal, _i);
    ck_assert_int_eq(s.access_format != NULL, _i);
    ck_assert_uint_eq(s.n_access_suppress, _i ? 2 : 0);
    spec_done(&s);
}
END_TEST

START_TEST(bad_specs_are_refused)
{
#define TEXT(t)                                                                                    \
    {                                                                                              \
        t, sizeof(t)                                                                               \
    }
    static const struct {
        const char *text;
        size_t n;
    } cases[] = {
        {"", 0},
        TEXT("fpmd-spec=2"),
        {"fpmd-spec=1", 11}, /* not terminated */
        TEXT("fpmd-spec=1"), /* nothing else */
        TEXT("fpmd-spec=1\0pool"),
        TEXT("fpmd-spec=1\0pool=www\0generation=x"),
        TEXT("fpmd-spec=1\0pool=www\0log-level=99"),
        TEXT("fpmd-spec=1\0pool=www\0php_value=keyonly"),
        TEXT("fpmd-spec=1\0pool=www\0allowed-client=::1"),
        TEXT("fpmd-spec=1\0pool=www\0allowed-client=::1/129"),
        TEXT("fpmd-spec=1\0pool=www\0allowed-client=x/1"),
        TEXT("fpmd-spec=1\0pool=www\0fd=link\0fd=handover"), /* no listener */
    };
    int fd = fd_make_sealed("spec", cases[_i].text, cases[_i].n);
    RuntimeSpec s = {.text = NULL};
    const char *error = NULL;

    ck_assert_int_lt(spec_read(fd, &s, &error), 0);
    ck_assert_ptr_nonnull(error);
    ck_assert_ptr_null(s.text);
    close(fd);
}
END_TEST

static volatile sig_atomic_t signalled, signal_value;

static void on_stop(int number, siginfo_t *info, void *context)
{
    signalled = 1;
    signal_value = info->si_code == SI_QUEUE ? info->si_value.sival_int : 0;
}

/* Without a place in the queue of its user's signals it arrives all the same, without the value. */
START_TEST(signals_arrive_with_a_full_queue)
{
    struct sigaction action = {.sa_sigaction = on_stop, .sa_flags = SA_SIGINFO};
    struct rlimit limit;
    sigset_t set;

    sigaction(LINK_SIGNAL_STOP, &action, NULL);
    link_signal(getpid(), LINK_SIGNAL_STOP, 504);
    ck_assert_int_eq(signalled, 1);
    ck_assert_int_eq(signal_value, 504);

    sigemptyset(&set);
    sigaddset(&set, LINK_SIGNAL_STOP);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
    limit.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
    signalled = 0;
    link_signal(getpid(), LINK_SIGNAL_STOP, 504);
    ck_assert_int_eq(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
    ck_assert_int_eq(signalled, 1);
    ck_assert_int_eq(signal_value, 0);
}
END_TEST

static Suite *link_suite(void)
{
    Suite *s = suite_create("link/link");
    TCase *t = tcase_create("all");

    tcase_add_test(t, message_carries_descriptors);
    tcase_add_test(t, descriptors_of_the_other_are_refused);
    tcase_add_test(t, accepted_connections_inherit_it);
    tcase_add_test(t, pid_is_the_senders);
    tcase_add_test(t, absurd_messages);
    tcase_add_test(t, text_is_always_terminated);
    tcase_add_test(t, signals_arrive_with_a_full_queue);
    tcase_add_test(t, spec_there_and_back);
    tcase_add_loop_test(t, access_records, 0, 2);
    tcase_add_test(t, settings_without_descriptors);
    tcase_add_loop_test(t, bad_specs_are_refused, 0, 12);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(link_suite)
