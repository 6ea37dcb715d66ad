#pragma once

/*
 * Which system calls a pool allows: its profile, changed by sandbox.syscalls and sandbox.exec.
 */

#include "syscall/groups.h"

#define SYSCALL_SET_MAX 512

typedef struct SyscallSet {
    uint64_t bits[SYSCALL_SET_MAX / 64]; /* by row of syscall_numbers */
} SyscallSet;

/* What is wrong with a change. */
typedef enum SyscallChange {
    SYSCALL_CHANGE_OK,
    SYSCALL_CHANGE_UNKNOWN, /* no such call or group */
    SYSCALL_CHANGE_VITAL,   /* workers cannot serve without it */
    SYSCALL_CHANGE_NEVER,   /* a filter could not confine it */
} SyscallChange;

/** One word of sandbox.syscalls: "+@group", "-@group", "+name" or "-name". set may be NULL, to only
 * check. */
SyscallChange syscall_set_change(SyscallSet *set, const char *word);

/** The profile, then the changes in their order, then without what starts programs unless they may.
 * ret_bad is the word that is wrong, and the function returns -EINVAL then. */
int syscall_set_build(SyscallProfile profile, const char *const *changes, size_t n_changes,
                      bool may_exec, SyscallSet *ret, const char **ret_bad);

/** Whether it has the call; false for names that are not known. */
bool syscall_set_has(const SyscallSet *set, const char *call);
