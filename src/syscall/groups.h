#pragma once

/*
 * The system calls of Linux, in named groups, each with a reason: which a worker may make and what
 * becomes of the others. Data and lookups only; sandbox/seccomp.c makes filters of it, conf/ checks
 * names against it, fpmctl(1) explains it.
 *
 * Every call that libseccomp knows for x86_64 and aarch64 is in exactly one group (a test holds
 * it), and newer ones. What is in none is refused with ENOSYS, as by a kernel that does not have
 * it.
 */

#include "base/macro.h"

typedef enum SyscallProfile {
    SYSCALL_PROFILE_STRICT,  /* PHP and its extensions, and simple programs */
    SYSCALL_PROFILE_DEFAULT, /* and what ordinary programs use that scripts start */
    _SYSCALL_PROFILE_MAX,
} SyscallProfile;

/* What becomes of a call that is not allowed. */
typedef enum SyscallFate {
    SYSCALL_EPERM,  /* fails: innocent programs try it and go on without */
    SYSCALL_ENOSYS, /* as if the kernel did not have it: libraries then use something older */
    SYSCALL_FATAL,  /* ends the process, with SIGSYS: no innocent program of a site makes it */
    _SYSCALL_FATE_MAX,
} SyscallFate;

typedef struct SyscallGroup {
    const char *name;    /* without the @ */
    const char *reason;  /* what it is for, and why it is allowed or not: a sentence */
    SyscallProfile from; /* the first profile that allows it; _SYSCALL_PROFILE_MAX: none does */
    SyscallFate fate;    /* where it is not allowed */
    bool vital;          /* workers cannot serve without, so nobody may take it away */
    const char *const *calls;
    size_t n_calls;
} SyscallGroup;

extern const SyscallGroup syscall_groups[];
extern const size_t n_syscall_groups;

/** The group of that name (without @), NULL: there is none. */
const SyscallGroup *syscall_group_find(const char *name);

/** The group that has the call, NULL: no such call is known. */
const SyscallGroup *syscall_group_of(const char *call);

bool syscall_is_known(const char *call);

/** The name of a call, or with @ of a group, that comes nearest to a misspelt one ("@" before it:
 * among groups); NULL: none is near. */
const char *syscall_nearest(const char *name);

/** Whether a profile allows the group, before changes of the pool file. */
static inline bool syscall_group_in_profile(const SyscallGroup *g, SyscallProfile profile)
{
    return profile >= g->from;
}

/** The text of an errno, or "ends the process", for messages. */
const char *syscall_fate_to_string(SyscallFate fate);
