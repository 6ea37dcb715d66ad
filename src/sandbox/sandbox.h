#pragma once

/*
 * Confinement. One file per technique; each function does one step or returns -errno, and never
 * half of it silently. Callers end the process when a step fails (base/exit_status.h has a status
 * for each).
 *
 * In this order:
 *   manager    privileges_reduce() in the first lines of main()
 *   child      between fork and exec: confine_for_exec(): rlimits, bounding set, groups, gid, uid,
 *              capabilities, no_new_privs; the descriptors are arranged before it. The process
 *              that changes a template's root does the same and keeps SYS_CHROOT
 *   template   landlock_confine(), then seccomp_filter_install(SECCOMP_TEMPLATE), before the
 *              language starts; there also the filter for workers is built, with its own pid
 *   worker     after fork: landlock_isolate(), then seccomp_filter_install(SECCOMP_WORKER) on top
 *   porter     like a template until its exec; then landlock_renounce() and
 *              seccomp_filter_install(SECCOMP_PORTER)
 *
 * Filters are inherited and cannot be taken back. LeakSanitizer needs ptrace, which they deny:
 * ASAN_OPTIONS=detect_leaks=0 for a filtered process.
 */

#include "base/macro.h"
#include "sandbox/landlock.h"

#include <sys/types.h>

/* ---- privileges.c: the manager's own ---- */

typedef struct Privileges {
    bool may_change_ids; /* has SETUID and SETGID */
    bool may_kill;       /* has KILL */
    bool may_chroot;     /* has SYS_CHROOT */
    bool bounding_empty; /* the bounding set is empty now */
    bool securebits_locked;
} Privileges;

/**
 * Keeps of the capabilities that this process has at most SETUID, SETGID, KILL and SYS_CHROOT
 * (effective, permitted, inheritable and ambient), empties the bounding set and locks NOROOT,
 * NO_SETUID_FIXUP, KEEP_CAPS off and NO_CAP_AMBIENT_RAISE while SETPCAP lasts, and drops SETPCAP.
 * Without SETPCAP the last two are left out and ret says so. As root without ambient capabilities
 * it does the same with what root has. 0 or -errno.
 */
int privileges_reduce(Privileges *ret);

/* ---- confine.c: between fork and exec ---- */

typedef struct Confinement {
    bool set_ids; /* change to uid, gid, groups; needs SETUID and SETGID */
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t n_groups;
    uint64_t rlimit_files; /* RLIMIT_KEEP, … of conf/config.h */
    uint64_t rlimit_core;
    uint64_t keep_capabilities; /* effective and permitted, never inherited; 0 before an exec */
} Confinement;

/**
 * All steps in order. After it: all five capability sets empty (the bounding set as far as it was
 * before; but for keep_capabilities), ids as given, no_new_privs. Returns 0, or the positive
 * ExitStatus of the step that failed with errno set.
 */
int confine_for_exec(const Confinement *c);
