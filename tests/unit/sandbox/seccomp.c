/* Live: each denied call is made under the filter, and what PHP needs still works. */
#include "sandbox/sandbox.h"
#include "sandbox/syscalls.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Stands for the template: the parent of the test's process. */
static pid_t template_pid;

static void install(SeccompProfile profile)
{
    SeccompFilter *f = NULL;

    template_pid = getppid();
    /* Should a filter let vhangup(2) pass: there is no terminal to hang up. */
    setsid();
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(seccomp_filter_new(profile, template_pid, &f), 0);
    ck_assert_int_eq(seccomp_filter_install(f), 0);
    seccomp_filter_free(f);
}

/* What the call gives under the filter; arguments that no call takes. */
static int probe(const char *name)
{
    long number = seccomp_syscall_resolve_name(name);

    errno = 0;
    return syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 ? errno : 0;
}

static void probe_all(SeccompProfile profile)
{
    unsigned probed = 0;

    install(profile);
    for (size_t i = 0; i < n_denied_calls; i++) {
        int r;

        if (denied_calls[i].from > profile ||
            seccomp_syscall_resolve_name(denied_calls[i].name) < 0)
            continue;
        r = probe(denied_calls[i].name);
        if (r != denied_calls[i].error)
            ck_abort_msg("%s: %s", denied_calls[i].name, strerror(r));
        probed++;
    }
    ck_assert_uint_gt(probed, 50);
}

START_TEST(denied_to_templates)
{
    probe_all(SECCOMP_TEMPLATE);
}
END_TEST

START_TEST(denied_to_workers)
{
    probe_all(SECCOMP_WORKER);
}
END_TEST

/* The probes find something else without the filter; those that need privileges only as root. */
START_TEST(unfiltered_calls_differ)
{
    static const char *const names[] = {"clone3",      "bpf",  "keyctl", "process_vm_readv",
                                        "setpriority", "kcmp", "ptrace", "io_uring_enter"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        int r;

        if (geteuid() != 0 && strcmp(names[i], "bpf") == 0)
            continue;
        r = probe(names[i]);
        ck_assert_msg(r != EPERM && !(r == ENOSYS && i == 0), "%s: %s", names[i], strerror(r));
    }
}
END_TEST

static int set_linger(void)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 3600};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0 ? errno : 0;
}

/* Only where a close(2) of the manager could wait for it; other options always. */
START_TEST(lingering_is_denied_to_workers_of_old_kernels)
{
    static const int on = 1;

    install(_i == 0 ? SECCOMP_WORKER : SECCOMP_WORKER_UNLINGERING);
    ck_assert_int_eq(set_linger(), _i == 0 ? 0 : EPERM);
    ck_assert_int_eq(
        setsockopt(socket(AF_INET, SOCK_STREAM, 0), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
}
END_TEST

/* A typed mistake in the table would be skipped as a name that is unknown here. */
START_TEST(names_are_known)
{
    static const char *const newer[] = {"statmount", "listmount", "open_tree_attr", "quotactl_fd"};

    for (size_t i = 0; i < n_denied_calls; i++) {
        bool is_newer = false;

        for (size_t k = 0; k < ARRAY_SIZE(newer); k++)
            is_newer = is_newer || strcmp(newer[k], denied_calls[i].name) == 0;
        ck_assert_msg(is_newer ||
                          seccomp_syscall_resolve_name(denied_calls[i].name) != __NR_SCMP_ERROR,
                      "%s", denied_calls[i].name);
    }
    for (size_t i = 0; i < n_denied_arguments; i++)
        ck_assert_int_ge(seccomp_syscall_resolve_name(denied_arguments[i].name), 0);
    for (size_t i = 0; i < n_template_calls; i++)
        ck_assert_int_ge(seccomp_syscall_resolve_name(template_calls[i]), 0);
}
END_TEST

/* Also with bits above those that the kernel looks at. */
START_TEST(denied_arguments_are_denied)
{
    install(SECCOMP_WORKER);
    for (size_t i = 0; i < n_denied_arguments; i++) {
        const DeniedArgument *d = &denied_arguments[i];
        long number = seccomp_syscall_resolve_name(d->name);

        for (int high = 0; high < 2; high++) {
            long arguments[6] = {-1, -1, -1, -1, -1, -1};
            long r;

            arguments[d->argument] = (long)d->value | (high ? 1L << 40 : 0);
            r = syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
            ck_assert_msg(r < 0 && errno == EPERM, "%s %#x: %ld %s", d->name, d->value, r,
                          strerror(errno));
        }
    }
}
END_TEST

START_TEST(exceptions)
{
    struct rlimit limit;
    int fd;

    install(SECCOMP_WORKER);
    ck_assert_int_ge(personality(0xffffffff), 0);
    ck_assert_int_eq(personality(ADDR_NO_RANDOMIZE), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit), 0);
    ck_assert_int_eq(syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, &limit), -1);
    ck_assert_int_eq(errno, EPERM);
    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), -1);
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(template_is_out_of_reach)
{
    install(SECCOMP_WORKER);
    for (size_t i = 0; i < n_template_calls; i++) {
        long number = seccomp_syscall_resolve_name(template_calls[i]);

        ck_assert_int_eq(syscall(number, template_pid, 0, 0, 0), -1);
        ck_assert_msg(errno == EPERM, "%s: %s", template_calls[i], strerror(errno));
    }
    ck_assert_int_eq(kill(getpid(), 0), 0);
    ck_assert_int_eq(kill(0, 0), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(kill(-1, 0), -1);
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

static void *thread(void *argument)
{
    return argument;
}

/* What PHP and the programs that it starts do. */
START_TEST(needed_calls_work)
{
    struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG}, *found = NULL;
    char text[16] = "";
    pthread_t t;
    void *p, *returned = NULL;
    int status, fds[2], r;
    FILE *f;
    pid_t pid;

    install((SeccompProfile)_i);
    pid = fork();
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);

    ck_assert_int_eq(pthread_create(&t, NULL, thread, text), 0);
    ck_assert_int_eq(pthread_join(t, &returned), 0);
    ck_assert_ptr_eq(returned, text);

    f = popen("echo hello | cat", "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
    ck_assert_str_eq(text, "hello\n");
    ck_assert_int_eq(pclose(f), 0);

    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(p, MAP_FAILED);
    ck_assert_int_eq(mprotect(p, 4096, PROT_READ | PROT_EXEC), 0);

    r = getaddrinfo("localhost", "80", &hints, &found);
    ck_assert(r == 0 || r == EAI_NONAME); /* a machine without /etc/hosts */
    if (r == 0)
        freeaddrinfo(found);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    ck_assert_int_ge(socket(AF_INET, SOCK_STREAM, 0), 0);
    ck_assert_int_ge(memfd_create("test", MFD_CLOEXEC), 0);
}
END_TEST

START_TEST(porter_has_what_it_needs)
{
    const struct linger off = {0};
    int pair[2], fd = memfd_create("test", MFD_CLOEXEC);
    struct stat st;
    char byte;
    void *p;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    install(SECCOMP_PORTER);
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

    install(SECCOMP_PORTER);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (seccomp_syscall_resolve_name(names[i]) >= 0) {
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
        ck_assert_msg(seccomp_syscall_resolve_name(porter_calls[i]) != __NR_SCMP_ERROR, "%s",
                      porter_calls[i]);
    for (size_t i = 0; i < n_porter_arguments; i++)
        ck_assert_int_ne(seccomp_syscall_resolve_name(porter_arguments[i].name), __NR_SCMP_ERROR);
}
END_TEST

/* The worker's filter is put over the template's, which it inherited. */
START_TEST(filters_stack)
{
    install(SECCOMP_TEMPLATE);
    ck_assert_int_ne(probe("setpriority"), EPERM);
    install(SECCOMP_WORKER);
    ck_assert_int_eq(probe("setpriority"), EPERM);
    ck_assert_int_eq(probe("ptrace"), EPERM);
}
END_TEST

START_TEST(wrong_use_is_refused)
{
    SeccompFilter *f = NULL;

    ck_assert_int_eq(seccomp_filter_new(SECCOMP_WORKER, 0, &f), -EINVAL);
    ck_assert_int_eq(seccomp_filter_new(SECCOMP_WORKER, -1, &f), -EINVAL);
    ck_assert_int_eq(seccomp_filter_new(_SECCOMP_PROFILE_MAX, 1, &f), -EINVAL);
    ck_assert_ptr_null(f);
    ck_assert_ptr_null(seccomp_filter_free(NULL));
}
END_TEST

#ifdef __x86_64__
START_TEST(x32_calls_kill)
{
    install(SECCOMP_TEMPLATE);
    signal(SIGSYS, SIG_DFL);
    syscall(0x40000000 | __NR_getpid);
}
END_TEST

/* A call of the i386 table. Kernels without that table end the process with SIGSEGV. */
START_TEST(i386_calls_kill)
{
    int status;
    pid_t pid;

    install(SECCOMP_TEMPLATE);
    pid = fork();
    if (pid == 0) {
        long result = 20; /* getpid */

        signal(SIGSYS, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
}
END_TEST
#endif

static Suite *seccomp_suite(void)
{
    Suite *s = suite_create("sandbox/seccomp");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, lingering_is_denied_to_workers_of_old_kernels, 0, 2);
    tcase_add_test(t, names_are_known);
    tcase_add_test(t, denied_to_templates);
    tcase_add_test(t, denied_to_workers);
    tcase_add_test(t, unfiltered_calls_differ);
    tcase_add_test(t, denied_arguments_are_denied);
    tcase_add_test(t, exceptions);
    tcase_add_test(t, template_is_out_of_reach);
    tcase_add_loop_test(t, needed_calls_work, 0, SECCOMP_PORTER);
    tcase_add_test(t, porter_has_what_it_needs);
    tcase_add_test(t, porter_has_nothing_else);
    tcase_add_test(t, porter_calls_are_known);
    tcase_add_test(t, filters_stack);
    tcase_add_test(t, wrong_use_is_refused);
#ifdef __x86_64__
    tcase_add_test_raise_signal(t, x32_calls_kill, SIGSYS);
    tcase_add_test(t, i386_calls_kill);
#endif
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(seccomp_suite)
