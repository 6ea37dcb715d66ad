/* Live: each refused call is made under the filter, and what PHP needs still works. */
#include "filtered.h"
#include "../run.h"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* As seccomp_refuses(), and what only the template may. */
static bool refused_to_workers(const SeccompRules *rules, const char *call)
{
    return !syscall_set_has(&rules->calls, call);
}

static int expected(const SyscallGroup *g)
{
    static const int errors[] = {
        [SYSCALL_EPERM] = EPERM, [SYSCALL_ENOSYS] = ENOSYS, [SYSCALL_FATAL] = -1};

    return errors[g->fate];
}

START_TEST(refused_calls_are_refused)
{
    SeccompRules rules = rules_for((SyscallProfile)_i, NULL);
    unsigned n = 0;

    catch_traps();
    install_worker(&rules);
    for (size_t i = 0; i < n_syscall_groups; i++)
        for (size_t k = 0; k < syscall_groups[i].n_calls; k++) {
            const char *call = syscall_groups[i].calls[k];
            int r;

            if (!refused_to_workers(&rules, call) || syscall_to_number(call) < 0)
                continue;
            r = probe(call);
            ck_assert_msg(r == expected(&syscall_groups[i]), "%s: %d", call, r);
            n++;
        }
    ck_assert_uint_gt(n, 60);
}
END_TEST

/* How a call ends that is made in a process of its own. */
static int outcome(const char *call, const SeccompRules *rules)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGSYS, SIG_DFL);
        if (rules)
            install_worker(rules);
        _exit(probe(call));
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static bool has_argument_rules(const char *call)
{
    for (size_t i = 0; i < n_argument_rules; i++)
        if (strcmp(argument_rules[i].call, call) == 0)
            return true;
    return false;
}

/* The same as without a filter. */
START_TEST(allowed_calls_are_allowed)
{
    /* Those wait, or make everybody wait, or make something. */
    static const char *const others[] = {"pause",  "sync",   "fork",   "vfork",
                                         "msgget", "semget", "shmget", "rt_sigsuspend"};
    SeccompRules rules = rules_for((SyscallProfile)_i, NULL);
    unsigned n = 0;

    for (size_t i = 0; i < n_syscall_numbers; i++) {
        const char *call = syscall_numbers[i].name;
        bool skip = refused_to_workers(&rules, call) || syscall_to_number(call) < 0 ||
                    has_argument_rules(call);
        int with, without;

        for (size_t k = 0; k < ARRAY_SIZE(others); k++)
            skip = skip || strcmp(call, others[k]) == 0;
        if (skip)
            continue;
        without = outcome(call, NULL);
        with = outcome(call, &rules);
        ck_assert_msg(with == without, "%s: %#x, without a filter %#x", call, (unsigned)with,
                      (unsigned)without);
        n++;
    }
    ck_assert_uint_gt(n, 200);
}
END_TEST

START_TEST(calls_without_a_group_do_not_exist)
{
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, NULL);

    install(SECCOMP_TEMPLATE, &rules);
    ck_assert_int_eq(syscall(1000), -1);
    ck_assert_int_eq(errno, ENOSYS);
    ck_assert_int_eq(syscall(999999), -1);
    ck_assert_int_eq(errno, ENOSYS);
}
END_TEST

START_TEST(changes_count)
{
    static const char *const changes[] = {"+ptrace", "+@keyring", "-@pidfd", "-splice", NULL};
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, changes);

    catch_traps();
    install_worker(&rules);
    ck_assert_int_ge(probe("ptrace"), 0);
    ck_assert_int_ne(probe("ptrace"), EPERM);
    ck_assert_int_ne(probe("keyctl"), EPERM);
    ck_assert_int_eq(probe("splice"), ENOSYS);
    ck_assert_int_ne(probe("tee"), ENOSYS);
    ck_assert_int_eq(probe("pidfd_open"), EPERM);
    ck_assert_int_eq(probe("bpf"), -1);
}
END_TEST

/* +unshare allows namespaces, and clone(2) may make them then. */
START_TEST(namespaces_can_be_allowed)
{
    static const char *const changes[] = {"+@namespaces", NULL};
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, changes);

    install_worker(&rules);
    ck_assert_int_eq(syscall(SYS_clone, CLONE_NEWUSER | CLONE_THREAD, 0, 0, 0, 0), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* The value of an argument for which a comparison holds; three of each kind. */
static long matching(const ArgumentRule *a, size_t i, int variant)
{
    long value = (long)a->compares[i].value;

    switch (a->compares[i].compare) {
    case ARGUMENT_EQUAL:
        /* also with bits above those that the kernel looks at */
        return variant == 0 ? value : value | 1L << (31 + variant);
    case ARGUMENT_NOT:
        return variant == 0 ? value + 1 : variant == 1 ? value | 1L << 40 : -2;
    case ARGUMENT_ABOVE:
        return variant == 0 ? value + 1 : variant == 1 ? 1L << 40 : -1;
    }
    return 0;
}

START_TEST(arguments_are_refused)
{
    static const char *const all[] = {"+@scheduling", NULL};
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, all);

    rules.may_exec = rules.signals_scoped = rules.truncate_covered = false;
    rules.tcp_ports = true;
    install_worker(&rules);
    for (size_t i = 0; i < n_argument_rules; i++)
        for (int variant = 0; variant < 3; variant++) {
            const ArgumentRule *a = &argument_rules[i];
            long v[6] = {-1, -1, -1, -1, -1, -1};
            bool pretended;
            long r;

            for (size_t k = 0; k < a->n; k++)
                v[a->compares[k].argument] = matching(a, k, variant);
            r = syscall(syscall_to_number(a->call), v[0], v[1], v[2], v[3], v[4], v[5]);
            /* Two rules hold for what has bits above: one of them says so. */
            pretended = a->pretend || (strcmp(a->call, "shutdown") == 0 && variant > 0);
            ck_assert_msg((r < 0 && errno == EPERM) || (pretended && r == 0),
                          "rule %zu, %s: %ld %s", i, a->call, r, strerror(errno));
        }
}
END_TEST

START_TEST(rules_are_of_calls_that_exist)
{
    for (size_t i = 0; i < n_argument_rules; i++) {
        ck_assert_msg(syscall_is_known(argument_rules[i].call), "%s", argument_rules[i].call);
        ck_assert_msg(strlen(argument_rules[i].reason) > 5, "%zu", i);
        ck_assert(!argument_rules[i].unless || syscall_is_known(argument_rules[i].unless));
    }
    for (size_t i = 0; i < n_template_calls; i++)
        ck_assert_msg(syscall_is_known(template_calls[i]), "%s", template_calls[i]);
    for (size_t i = 0; i < n_aimed_calls; i++)
        ck_assert_msg(syscall_is_known(aimed_calls[i]), "%s", aimed_calls[i]);
}
END_TEST

static bool may_linger(int fd)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 3600};

    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0;
}

/* What is refused only where something else is missing is allowed where it is not. */
START_TEST(arguments_that_are_fine)
{
    static const char *const all[] = {"+@scheduling", NULL};
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, all);
    struct sched_param normal = {0};
    struct rlimit limit;
    cpu_set_t cpus;
    int fd, tcp, status;
    pid_t pid;

    install_worker(&rules);
    ck_assert_int_ge(personality(0xffffffff), 0);
    ck_assert_int_eq(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit), 0);
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0)), 0);
    ck_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
    ck_assert_int_eq(sched_setscheduler(0, SCHED_OTHER, &normal), 0);
    ck_assert_int_eq(
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)), 0);
    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), 0);
    ck_assert_int_ge(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP), 0);
    tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    ck_assert_int_ge(tcp, 0);
    ck_assert_int_eq(fcntl(tcp, F_SETOWN, getpid()), 0);
    send(tcp, "", 0, MSG_FASTOPEN | MSG_NOSIGNAL);
    ck_assert_int_ne(errno, EPERM);
    ck_assert_int_eq(shutdown(tcp, SHUT_WR), -1);
    ck_assert_int_eq(errno, ENOTCONN);
    ck_assert_int_eq(kill(getpid(), 0), 0);
    pid = vfork();
    if (pid == 0)
        _exit(7);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

/* A close(2) of the manager could wait for it, and listeners pass it on; other options are free. */
START_TEST(lingering_is_denied)
{
    static const int on = 1;
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    install_worker(&rules);
    ck_assert(!may_linger(fd));
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
}
END_TEST

/* The template and, as its neighbour here, the manager. */
START_TEST(template_and_manager_are_out_of_reach)
{
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, NULL);
    pid_t other = fork();

    if (other == 0) {
        pause();
        _exit(0);
    }
    rules.manager_pid = other;
    install_worker(&rules);
    for (size_t i = 0; i < n_aimed_calls; i++)
        for (int k = 0; k < 2; k++) {
            int number = syscall_to_number(aimed_calls[i]);

            ck_assert_int_eq(syscall(number, k ? rules.manager_pid : rules.template_pid, 0, 0, 0),
                             -1);
            ck_assert_msg(errno == EPERM, "%s: %s", aimed_calls[i], strerror(errno));
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

static void check_thread(void)
{
    void *returned = NULL;
    pthread_t t;

    ck_assert_int_eq(pthread_create(&t, NULL, thread, &returned), 0);
    ck_assert_int_eq(pthread_join(t, &returned), 0);
    ck_assert_ptr_eq(returned, (void *)&returned);
}

/* sandbox.exec = no */
START_TEST(programs_can_be_forbidden)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, NULL);
    int status;
    pid_t pid;

    rules.may_exec = false;
    ck_assert_int_eq(syscall_set_build(SYSCALL_PROFILE_DEFAULT, NULL, 0, false, &rules.calls, NULL),
                     0);
    /* The template forks workers. */
    install(SECCOMP_TEMPLATE, &rules);
    pid = fork();
    if (pid == 0)
        _exit(3);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 3);

    install(SECCOMP_WORKER, &rules);
    ck_assert_int_eq(execve("/bin/true", argv, NULL), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(fork(), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(vfork(), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_ne(system("true"), 0);
    ck_assert_ptr_null(popen("true", "r"));
    check_thread();
}
END_TEST

/* What PHP and the programs that it starts do. */
START_TEST(needed_calls_work)
{
    struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG}, *found = NULL;
    SeccompRules rules = rules_for(_i & 1 ? SYSCALL_PROFILE_DEFAULT : SYSCALL_PROFILE_STRICT, NULL);
    char text[16] = "";
    int status, fds[2], r;
    void *p;
    FILE *f;
    pid_t pid;

    if (_i & 2)
        install_worker(&rules);
    else
        install(SECCOMP_TEMPLATE, &rules);
    pid = fork();
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    check_thread();

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
}
END_TEST

START_TEST(wrong_use_is_refused)
{
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, NULL);
    SeccompFilter *f = NULL;

    ck_assert_int_eq(seccomp_filter_new(SECCOMP_TEMPLATE, NULL, &f), -EINVAL);
    rules.template_pid = 0;
    ck_assert_int_eq(seccomp_filter_new(SECCOMP_WORKER, &rules, &f), -EINVAL);
    rules.template_pid = -1;
    ck_assert_int_eq(seccomp_filter_new(SECCOMP_WORKER, &rules, &f), -EINVAL);
    ck_assert_int_eq(seccomp_filter_new(_SECCOMP_STAGE_MAX, &rules, &f), -EINVAL);
    ck_assert_ptr_null(f);
    ck_assert_ptr_null(seccomp_filter_free(NULL));
}
END_TEST

#ifdef __x86_64__
START_TEST(x32_calls_kill)
{
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, NULL);

    install(SECCOMP_TEMPLATE, &rules);
    signal(SIGSYS, SIG_DFL);
    syscall(0x40000000 | __NR_getpid);
}
END_TEST

/* A call of the i386 table. Kernels without that table end the process with SIGSEGV. */
START_TEST(i386_calls_kill)
{
    SeccompRules rules = rules_for(SYSCALL_PROFILE_DEFAULT, NULL);
    int status;
    pid_t pid;

    install(SECCOMP_TEMPLATE, &rules);
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

static Suite *suite(void)
{
    Suite *s = suite_create("sandbox/seccomp");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, refused_calls_are_refused, 0, _SYSCALL_PROFILE_MAX);
    tcase_add_loop_test(t, allowed_calls_are_allowed, 0, _SYSCALL_PROFILE_MAX);
    tcase_add_test(t, calls_without_a_group_do_not_exist);
    tcase_add_test(t, changes_count);
    tcase_add_test(t, namespaces_can_be_allowed);
    tcase_add_test(t, arguments_are_refused);
    tcase_add_test(t, rules_are_of_calls_that_exist);
    tcase_add_test(t, arguments_that_are_fine);
    tcase_add_test(t, lingering_is_denied);
    tcase_add_test(t, template_and_manager_are_out_of_reach);
    tcase_add_test(t, programs_can_be_forbidden);
    tcase_add_loop_test(t, needed_calls_work, 0, 4);
    tcase_add_test(t, wrong_use_is_refused);
#ifdef __x86_64__
    tcase_add_test_raise_signal(t, x32_calls_kill, SIGSYS);
    tcase_add_test(t, i386_calls_kill);
#endif
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
