#pragma once

/*
 * Filters of system calls, built with libseccomp and installed as ready BPF. They are inherited, by
 * programs too, and only add up: what one has refused none after it allows. So the template's is
 * the list of all that it and its workers may do, and a worker adds what only the template may:
 *
 *   template   1. bounds: calls that are in no group do not exist (ENOSYS); fatal ones raise SIGSYS
 *              2. refusals: what is known and not allowed, and arguments (sandbox/syscalls.h), is
 *                 EPERM or ENOSYS; or, when denied calls are reported, asked of the listener, which
 *                 says so. It is a filter of its own since a listener hears only its own filter,
 *                 and since an error weighs more than a question to it
 *   worker     3. what the template alone needs: its pid as a target, process_vm_readv(2), forks
 *                 where sandbox.exec = no; and some arguments. EPERM, never reported
 *   porter     a short list of its own, everything else is EPERM
 *
 * When nobody listens any more, what would be asked fails with ENOSYS (seccomp_unotify(2)).
 *
 * Calls whose arguments do not matter cost nothing: the kernel has a bitmap of those that all
 * filters allow (Linux 5.11).
 */

#include "syscall/set.h"

#include <sys/types.h>

typedef enum SeccompStage {
    SECCOMP_TEMPLATE,
    SECCOMP_WORKER,
    SECCOMP_PORTER,
    _SECCOMP_STAGE_MAX,
} SeccompStage;

/* What the filters of template and workers depend on; both get the same. */
typedef struct SeccompRules {
    SyscallSet calls; /* that workers may make */
    bool may_exec;
    bool report;                     /* there is a listener: the template's stage has one */
    bool tcp_ports;                  /* Landlock restricts the ports that may be connected to */
    bool truncate_covered;           /* Landlock knows truncate(2), or restricts no writing */
    bool signals_scoped;             /* Landlock keeps signals in its domain (ABI 6) */
    pid_t template_pid, manager_pid; /* that workers may not send signals to; manager 0: any */
} SeccompRules;

typedef struct SeccompFilter SeccompFilter;

/** Builds the filter of a stage; rules may be NULL for the porter's. 0 or -errno. */
int seccomp_filter_new(SeccompStage stage, const SeccompRules *rules, SeccompFilter **ret);
SeccompFilter *seccomp_filter_free(SeccompFilter *f);
DEFINE_CLEANUP(SeccompFilter, seccomp_filter_free)

/**
 * Installs it in this thread, so before others exist (needs no_new_privs). Allocates nothing.
 * ret_listener gets the descriptor that is asked, for the template with report, else -1; it may be
 * NULL when there is none. 0 or -errno.
 */
int seccomp_filter_install(const SeccompFilter *f, int *ret_listener);

/** Whether a call is refused by its name in the template's stage with these rules: its workers and
 * programs never succeed in it. */
bool seccomp_refuses(const SeccompRules *rules, const char *call);
