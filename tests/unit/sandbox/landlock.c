/* What two isolated children of one parent can do to each other. */
#include "base/fd.h"
#include "sandbox/sandbox.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ABI_WITH_SIGNALS 6

static char secret[] = "secret";
static int landlock_abi;

/* An ordinary user's processes, all dumpable: else other rules would keep them apart. */
static void setup(void)
{
    landlock_abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
    if (geteuid() == 0) {
        ck_assert_int_eq(setgroups(0, NULL), 0);
        ck_assert_int_eq(setresgid(65534, 65534, 65534), 0);
        ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    }
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
}

static int result(long r)
{
    return r < 0 ? errno : 0;
}

static int try_vm_read(pid_t pid)
{
    char copy[sizeof(secret)] = "";
    struct iovec to = {copy, sizeof(copy)}, from = {secret, sizeof(secret)};

    return result(process_vm_readv(pid, &to, 1, &from, 1, 0));
}

static int try_vm_write(pid_t pid)
{
    struct iovec to = {secret, sizeof(secret)}, from = {secret, sizeof(secret)};

    return result(process_vm_writev(pid, &from, 1, &to, 1, 0));
}

static int try_mem(pid_t pid)
{
    char path[64];
    _cleanup_fd_ int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return result(fd);
}

static int try_environ(pid_t pid)
{
    char path[64];
    _cleanup_fd_ int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return result(fd);
}

static int try_getfd(pid_t pid)
{
    _cleanup_fd_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    _cleanup_fd_ int fd = -1;

    if (pidfd < 0)
        return ESRCH;
    fd = (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
    return result(fd);
}

static int try_ptrace(pid_t pid)
{
    return result(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
}

static int try_signal(pid_t pid)
{
    return result(kill(pid, 0));
}

static const struct {
    const char *name;
    int (*attempt)(pid_t pid);
} attempts[] = {
    {"process_vm_readv", try_vm_read}, {"process_vm_writev", try_vm_write},
    {"/proc/PID/mem", try_mem},        {"/proc/PID/environ", try_environ},
    {"pidfd_getfd", try_getfd},        {"ptrace", try_ptrace},
};

/* A child that isolates itself (or not) and tells when it has; it ends with its parent. */
static pid_t victim(bool isolated)
{
    int ready[2];
    char byte = 0;
    pid_t pid;

    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        byte = isolated && landlock_isolate(landlock_abi, false) < 0 ? 'x' : 'y';
        if (write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'y');
    close(ready[0]);
    return pid;
}

/* What a sibling of the victim gets: an errno, or 0. */
static int attempt_by_sibling(int (*attempt)(pid_t), pid_t pid, bool isolated)
{
    int status;
    pid_t attacker = fork();

    if (attacker == 0)
        _exit(isolated && landlock_isolate(landlock_abi, false) < 0 ? 255 : attempt(pid));
    ck_assert_int_eq(waitpid(attacker, &status, 0), attacker);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

START_TEST(siblings_are_apart)
{
    pid_t pid = victim(true);
    int r = attempt_by_sibling(attempts[_i].attempt, pid, true);

    ck_assert_msg(r == EPERM || r == EACCES, "%s: %s", attempts[_i].name, strerror(r));
    end(pid);
}
END_TEST

/* The same attempts succeed without the layer, so that the test above shows something. */
START_TEST(without_isolation_they_are_not)
{
    pid_t pid = victim(false);
    int r = attempt_by_sibling(attempts[_i].attempt, pid, false);

    if (access("/proc/sys/kernel/yama/ptrace_scope", F_OK) == 0)
        fprintf(stderr, "%s: skipped, Yama is in force\n", attempts[_i].name);
    else
        ck_assert_msg(r == 0, "%s: %s", attempts[_i].name, strerror(r));
    end(pid);
}
END_TEST

START_TEST(parent_still_reads)
{
    pid_t pid = victim(true);

    if (landlock_abi < 1)
        fprintf(stderr, "parent_still_reads: skipped, no Landlock\n");
    else
        ck_assert_int_eq(try_vm_read(pid), 0);
    ck_assert_int_eq(try_signal(pid), 0);
    end(pid);
}
END_TEST

START_TEST(child_cannot_read_its_parent)
{
    ck_assert_int_eq(attempt_by_sibling(try_vm_read, getpid(), true), EPERM);
}
END_TEST

START_TEST(siblings_do_not_signal)
{
    pid_t pid = victim(true);

    if (landlock_abi < ABI_WITH_SIGNALS)
        fprintf(stderr, "siblings_do_not_signal: skipped, Landlock ABI %d\n", landlock_abi);
    else
        ck_assert_int_eq(attempt_by_sibling(try_signal, pid, true), EPERM);
    end(pid);
}
END_TEST

static int use_children_and_files(pid_t unused)
{
    int fd, status = -1;
    pid_t pid;

    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno;
    pid = fork();
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    if (kill(pid, 0) < 0)
        return errno;
    waitpid(pid, &status, 0);
    return status;
}

START_TEST(files_and_own_children_are_as_before)
{
    ck_assert_int_eq(attempt_by_sibling(use_children_and_files, 0, true), 0);
}
END_TEST

START_TEST(result_says_what_was_done)
{
    ck_assert_int_eq(landlock_isolate(landlock_abi, false), landlock_abi >= 1 ? 1 : 0);
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), landlock_abi >= 1 ? 1 : 0);
}
END_TEST

static int try_open(void)
{
    _cleanup_fd_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    return result(fd);
}

/* In a child, with the rights of ordinary processes or with none. */
static int attempt_in_child(int (*attempt)(void), bool renounce)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(renounce && landlock_renounce() < 0 ? 255 : attempt());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int try_list(void)
{
    _cleanup_fd_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return result(fd);
}

static int try_execute(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno;
}

static int try_bind(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return result(
        bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address)));
}

static int try_connect(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return result(
        connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address)));
}

static int try_signal_parent(void)
{
    return result(kill(getppid(), 0));
}

static int try_dumpable(void)
{
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static const struct {
    const char *name;
    int (*attempt)(void);
    int abi; /* that takes it away */
    int error;
} renounced[] = {
    {"open", try_open, 1, EACCES},       {"list", try_list, 1, EACCES},
    {"execute", try_execute, 1, EACCES}, {"bind", try_bind, 4, EACCES},
    {"connect", try_connect, 4, EACCES}, {"signal", try_signal_parent, 6, EPERM},
};

START_TEST(renouncing_takes_everything)
{
    int r = attempt_in_child(renounced[_i].attempt, true);

    if (landlock_abi < renounced[_i].abi)
        fprintf(stderr, "%s: skipped, Landlock ABI %d\n", renounced[_i].name, landlock_abi);
    else
        ck_assert_msg(r == renounced[_i].error, "%s: %s", renounced[_i].name, strerror(r));
    /* Which it had. */
    ck_assert_int_ne(attempt_in_child(renounced[_i].attempt, false), renounced[_i].error);
    ck_assert_int_eq(attempt_in_child(try_dumpable, true), 0);
}
END_TEST

static Suite *landlock_suite(void)
{
    Suite *s = suite_create("sandbox/landlock");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, siblings_are_apart, 0, ARRAY_SIZE(attempts));
    tcase_add_loop_test(t, without_isolation_they_are_not, 0, ARRAY_SIZE(attempts));
    tcase_add_test(t, parent_still_reads);
    tcase_add_test(t, child_cannot_read_its_parent);
    tcase_add_test(t, siblings_do_not_signal);
    tcase_add_test(t, files_and_own_children_are_as_before);
    tcase_add_test(t, result_says_what_was_done);
    tcase_add_loop_test(t, renouncing_takes_everything, 0, ARRAY_SIZE(renounced));
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(landlock_suite)
