#include "syscall/set.h"

#include "syscall/numbers.h"

#include <errno.h>
#include <string.h>

/* Whose flags are behind a pointer: a filter that allows it allows namespaces and, where programs
 * may not be started, processes. */
static const char unconfinable[] = "clone3";

static void put(SyscallSet *set, const char *call, bool allowed)
{
    int row = syscall_find(call);

    if (row < 0)
        return;
    if (allowed)
        set->bits[row / 64] |= UINT64_C(1) << row % 64;
    else
        set->bits[row / 64] &= ~(UINT64_C(1) << row % 64);
}

static void put_group(SyscallSet *set, const SyscallGroup *g, bool allowed)
{
    for (size_t i = 0; i < g->n_calls; i++)
        put(set, g->calls[i], allowed);
}

SyscallChange syscall_set_change(SyscallSet *set, const char *word)
{
    bool add = *word == '+', whole = *word && word[1] == '@';
    const char *name = *word ? word + 1 + whole : word;
    const SyscallGroup *g = whole ? syscall_group_find(name) : syscall_group_of(name);

    if ((*word != '+' && *word != '-') || !g)
        return SYSCALL_CHANGE_UNKNOWN;
    if (!add && g->vital)
        return SYSCALL_CHANGE_VITAL;
    if (add && strcmp(name, unconfinable) == 0)
        return SYSCALL_CHANGE_NEVER;
    if (set && whole)
        put_group(set, g, add);
    else if (set)
        put(set, name, add);
    return SYSCALL_CHANGE_OK;
}

int syscall_set_build(SyscallProfile profile, const char *const *changes, size_t n_changes,
                      bool may_exec, SyscallSet *ret, const char **ret_bad)
{
    /* Programs of their own; clone(2) stays, for threads, and the filter looks at its flags. */
    static const char *const starting[] = {"execve", "execveat", "fork", "vfork"};
    SyscallSet set = {0};

    for (size_t i = 0; i < n_syscall_groups; i++)
        if (syscall_group_in_profile(&syscall_groups[i], profile))
            put_group(&set, &syscall_groups[i], true);
    for (size_t i = 0; i < n_changes; i++)
        if (syscall_set_change(&set, changes[i]) != SYSCALL_CHANGE_OK) {
            *ret_bad = changes[i];
            return -EINVAL;
        }
    for (size_t i = 0; !may_exec && i < ARRAY_SIZE(starting); i++)
        put(&set, starting[i], false);
    *ret = set;
    return 0;
}

bool syscall_set_has(const SyscallSet *set, const char *call)
{
    int row = syscall_find(call);

    return row >= 0 && set->bits[row / 64] & UINT64_C(1) << row % 64;
}
