/* Live: refused calls come to the listener, and stay refused whatever becomes of it. */
#include "filtered.h"
#include "../run.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* One who makes calls under the filter, one after the other when he is told to. */
typedef struct Caller {
    pid_t pid;
    int line;     /* to tell him, and to hear the outcome */
    int listener; /* of his filter */
} Caller;

static int send_fd(int line, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (char[]){0}, .iov_len = 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};

    control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    return sendmsg(line, &m, 0) < 0 ? -errno : 0;
}

static int receive_fd(int line)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    int fd = -1;

    ck_assert_int_eq(recvmsg(line, &m, MSG_CMSG_CLOEXEC), 1);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
    return fd;
}

_noreturn_ static void run_caller(int line, const SeccompRules *rules)
{
    SeccompFilter *own = NULL, *worker = NULL;
    int listener = -1;
    char name[64];
    ssize_t n;

    catch_traps();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        seccomp_filter_new(SECCOMP_TEMPLATE, rules, &own) < 0 ||
        seccomp_filter_new(SECCOMP_WORKER, rules, &worker) < 0 ||
        seccomp_filter_install(own, &listener) < 0 || send_fd(line, listener) < 0 ||
        seccomp_filter_install(worker, NULL) < 0)
        _exit(1);
    close(listener);
    while ((n = recv(line, name, sizeof(name) - 1, 0)) > 0) {
        int r;

        name[n] = 0;
        if (strcmp(name, "vsock") == 0)
            r = socket(AF_VSOCK, SOCK_STREAM, 0) < 0 ? errno : 0;
        else
            r = probe(name);
        send(line, &r, sizeof(r), 0);
    }
    _exit(0);
}

static Caller start(void)
{
    SeccompRules rules = rules_for(SYSCALL_PROFILE_STRICT, NULL);
    Caller c;
    int pair[2];

    rules.report = true;
    rules.template_pid = getpid();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    c.pid = fork();
    if (c.pid == 0) {
        close(pair[0]);
        run_caller(pair[1], &rules);
    }
    close(pair[1]);
    c.line = pair[0];
    c.listener = receive_fd(c.line);
    return c;
}

static void tell(const Caller *c, const char *call)
{
    ck_assert_int_eq(send(c->line, call, strlen(call), 0), (ssize_t)strlen(call));
}

static int hear(const Caller *c)
{
    int r = 0;

    ck_assert_int_eq(recv(c->line, &r, sizeof(r), 0), sizeof(r));
    return r;
}

/* The number of the call that the listener is asked for, answered with an error; -1: the call came
 * back without. */
static int answer(const Caller *c, int error)
{
    struct pollfd fds[] = {{.fd = c->listener, .events = POLLIN},
                           {.fd = c->line, .events = POLLIN}};
    struct seccomp_notif asked = {0};
    struct seccomp_notif_resp said = {0};

    ck_assert_int_gt(poll(fds, 2, 10000), 0);
    if (!(fds[0].revents & POLLIN))
        return -1;
    ck_assert_int_eq(ioctl(c->listener, SECCOMP_IOCTL_NOTIF_RECV, &asked), 0);
    ck_assert_int_eq((pid_t)asked.pid, c->pid);
    said.id = asked.id;
    said.error = -error;
    ck_assert_int_eq(ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &said), 0);
    return asked.data.nr;
}

static const struct {
    const char *call;
    bool reported;
    int error; /* -1: fatal */
} calls[] = {
    {"keyctl", true, EPERM},
    {"unshare", true, EPERM},
    {"vsock", true, EPERM}, /* an argument */
    {"splice", true, ENOSYS},
    /* nobody hears of them */
    {"clone3", false, ENOSYS},
    {"io_uring_setup", false, ENOSYS},
    {"process_vm_readv", false, EPERM}, /* which the template needs */
    {"bpf", false, -1},
    {"getpid", false, 0},
};

START_TEST(refused_calls_are_reported)
{
    Caller c = start();
    int number;

    tell(&c, calls[_i].call);
    number = answer(&c, calls[_i].error);
    if (!calls[_i].reported)
        ck_assert_int_eq(number, -1);
    else if (strcmp(calls[_i].call, "vsock") == 0)
        ck_assert_int_eq(number, SYS_socket);
    else
        ck_assert_int_eq(number, syscall_to_number(calls[_i].call));
    ck_assert_int_eq(hear(&c), calls[_i].error);
}
END_TEST

START_TEST(without_a_listener_they_fail)
{
    Caller c = start();

    close(c.listener);
    tell(&c, "keyctl");
    ck_assert_int_eq(hear(&c), ENOSYS);
    tell(&c, "vsock");
    ck_assert_int_eq(hear(&c), ENOSYS);
    tell(&c, "bpf");
    ck_assert_int_eq(hear(&c), -1);
}
END_TEST

/* The listener goes away while somebody waits for its answer. */
START_TEST(they_fail_when_it_goes)
{
    Caller c = start();
    struct pollfd fd = {.fd = c.listener, .events = POLLIN};

    tell(&c, "keyctl");
    ck_assert_int_eq(poll(&fd, 1, 10000), 1);
    close(c.listener);
    ck_assert_int_eq(hear(&c), ENOSYS);
}
END_TEST

START_TEST(the_end_of_all_is_seen)
{
    Caller c = start();
    struct pollfd fd = {.fd = c.listener, .events = POLLIN};

    close(c.line);
    ck_assert_int_eq(waitpid(c.pid, NULL, 0), c.pid);
    ck_assert_int_eq(poll(&fd, 1, 10000), 1);
    ck_assert(fd.revents & POLLHUP);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sandbox/seccomp_report");
    TCase *t = tcase_create("report");

    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, refused_calls_are_reported, 0, ARRAY_SIZE(calls));
    tcase_add_test(t, without_a_listener_they_fail);
    tcase_add_test(t, they_fail_when_it_goes);
    tcase_add_test(t, the_end_of_all_is_seen);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
