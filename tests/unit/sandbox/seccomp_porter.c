/* Live: the porter's list. */
#include "filtered.h"
#include "../run.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void install_porter(void)
{
    install(SECCOMP_PORTER, NULL);
}

START_TEST(porter_has_what_it_needs)
{
    const struct linger off = {0};
    int pair[2], fd = memfd_create("test", MFD_CLOEXEC);
    struct stat st;
    char byte;
    void *p;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    install_porter();
    /* a snapshot */
    ck_assert_int_ge(fcntl(fd, F_GET_SEALS), 0);
    ck_assert_int_lt(fcntl(fd, F_DUPFD, 10), 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(pread(fd, &byte, 1, 0), 0);
    ck_assert_int_lt(stat("/", &st), 0);
    ck_assert_int_eq(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
    ck_assert_int_eq(recv(pair[1], &byte, 1, 0), 1);
    ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &off, sizeof(off)), 0);
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(p, MAP_FAILED);
    ck_assert_int_eq(munmap(p, 4096), 0);
    p = malloc(1000000);
    ck_assert_ptr_nonnull(p);
    free(p);
    ck_assert_int_eq(close(pair[0]), 0);
}
END_TEST

/* No files, no processes, no new sockets, no code, nothing of other processes. */
START_TEST(porter_has_nothing_else)
{
    static const char *const names[] = {
        "open",
        "openat",
        "openat2",
        "creat",
        "execve",
        "execveat",
        "fork",
        "vfork",
        "clone",
        "clone3",
        "socket",
        "socketpair",
        "connect",
        "bind",
        "listen",
        "accept",
        "ptrace",
        "kill",
        "tkill",
        "tgkill",
        "pidfd_open",
        "pidfd_getfd",
        "prctl",
        "unlink",
        "unlinkat",
        "rename",
        "chmod",
        "fchmod",
        "chown",
        "stat",
        "newfstatat",
        "statx",
        "readlink",
        "getdents64",
        "memfd_create",
        "dup",
        "dup2",
        "dup3",
        "fcntl",
        "ioctl",
        "setuid",
        "setresuid",
        "setgroups",
        "prlimit64",
        "setrlimit",
        "bpf",
        "io_uring_setup",
        "userfaultfd",
        "process_vm_readv",
        "keyctl",
        "mount",
        "unshare",
        "setns",
        "chdir",
        "pipe2",
        "epoll_create1",
        "signalfd4",
        "timerfd_create",
        "shmget",
        "msgget",
        "rt_sigaction",
        "seccomp",
        "personality",
        "recvmmsg",
    };
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0), on = 1;

    install_porter();
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (syscall_to_number(names[i]) >= 0) {
            int r = probe(names[i]);

            ck_assert_msg(r == EPERM, "%s: %s", names[i], strerror(r));
        }
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), -1);
    ck_assert_int_eq(errno, EPERM);
    /* To an address of its choice. */
    ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                     MAP_FAILED);
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(porter_calls_are_known)
{
    for (size_t i = 0; i < n_porter_calls; i++)
        ck_assert_msg(syscall_is_known(porter_calls[i]), "%s", porter_calls[i]);
    for (size_t i = 0; i < n_porter_arguments; i++)
        ck_assert_msg(syscall_is_known(porter_arguments[i].call), "%s", porter_arguments[i].call);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sandbox/seccomp_porter");
    TCase *t = tcase_create("porter");

    tcase_add_test(t, porter_has_what_it_needs);
    tcase_add_test(t, porter_has_nothing_else);
    tcase_add_test(t, porter_calls_are_known);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
