#pragma once

/* For tests that put themselves under a filter: each test is a process of its own. */

#include "sandbox/seccomp.h"
#include "sandbox/syscalls.h"
#include "syscall/numbers.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rules of a profile with changes (a list that ends with NULL), with all that may be refused beyond
 * names left out. */
static inline SeccompRules rules_for(SyscallProfile profile, const char *const *changes)
{
    SeccompRules rules = {
        .may_exec = true,
        .truncate_covered = true,
        .signals_scoped = true,
        .template_pid = getppid(),
    };
    const char *bad = NULL;
    size_t n = 0;

    while (changes && changes[n])
        n++;
    ck_assert_int_eq(syscall_set_build(profile, changes, n, true, &rules.calls, &bad), 0);
    return rules;
}

static inline void install(SeccompStage stage, const SeccompRules *rules)
{
    SeccompFilter *f = NULL;

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(seccomp_filter_new(stage, rules, &f), 0);
    ck_assert_int_eq(seccomp_filter_install(f, NULL), 0);
    seccomp_filter_free(f);
}

/* As a worker is: under both. The first stage does not let the second be built. */
static inline void install_worker(const SeccompRules *rules)
{
    SeccompFilter *own = NULL, *worker = NULL;

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(seccomp_filter_new(SECCOMP_TEMPLATE, rules, &own), 0);
    ck_assert_int_eq(seccomp_filter_new(SECCOMP_WORKER, rules, &worker), 0);
    ck_assert_int_eq(seccomp_filter_install(own, NULL), 0);
    ck_assert_int_eq(seccomp_filter_install(worker, NULL), 0);
    seccomp_filter_free(own);
    seccomp_filter_free(worker);
}

static volatile sig_atomic_t trapped = -1;

static inline void on_trap(int number, siginfo_t *info, void *context)
{
    trapped = info->si_syscall;
}

static inline void catch_traps(void)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

    sigaction(SIGSYS, &action, NULL);
}

/* What the call gives, with arguments that no call takes; -1: it was fatal. */
static inline int probe(const char *name)
{
    int number = syscall_to_number(name);
    long r;

    trapped = -1;
    errno = 0;
    r = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
    if (trapped >= 0)
        return trapped == number ? -1 : -2;
    return r < 0 ? errno : 0;
}
