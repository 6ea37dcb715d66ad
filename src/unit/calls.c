#include "unit/private.h"

#include "syscall/set.h"

#include <string.h>

/*
 * SystemCallFilter= and RestrictNamespaces= of the unit hold for everything in it, and stand around
 * the filter of the pool (src/syscall/). What the pool file allows besides has to be allowed there
 * too; and of a call that the unit refuses nobody hears, so where denied calls are reported it
 * leaves those to the pool's filter.
 */

/* Groups of which the unit denies all calls. */
static const char *const denied[] = {
    "bpf",
    "chroot",
    "clock",
    "cpu-emulation",
    "debug",
    "file-events",
    "file-open-handle",
    "io-uring",
    "keyring",
    "module",
    "mount",
    "numa",
    "obsolete",
    "page-move",
    "raw-io",
    "reboot",
    "scheduling",
    "swap",
    "userfaultfd",
};

static bool is_denied(const SyscallGroup *g)
{
    for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
        if (strcmp(denied[i], g->name) == 0)
            return true;
    return false;
}

/* Names divided by blanks, each once. */
static int add_name(Buffer *b, const char *name)
{
    return buffer_printf(b, "%s%s", b->size > 0 ? " " : "", name);
}

static int add_filter(const Buffer *names, const char *directive, UnitSettings *s)
{
    if (names->size == 0)
        return 0;
    return settings_add(s, UNIT_SERVICE, "Service", "SystemCallFilter", directive, "%.*s",
                        (int)names->size, names->data);
}

static int add_namespaces(const char *directive, UnitSettings *s)
{
    return settings_add(s, UNIT_SERVICE, "Service", "RestrictNamespaces", directive, "no");
}

/* What the pool has and the unit denies. */
static int add_allowed(const SyscallSet *set, UnitSettings *s)
{
    _cleanup_buffer_ Buffer names = {0};
    int r = 0;

    for (size_t i = 0; i < n_syscall_groups; i++)
        for (size_t k = 0; r == 0 && is_denied(&syscall_groups[i]) && k < syscall_groups[i].n_calls;
             k++)
            if (syscall_set_has(set, syscall_groups[i].calls[k]))
                r = add_name(&names, syscall_groups[i].calls[k]);
    return r < 0 ? r : add_filter(&names, "sandbox.syscalls", s);
}

/* What both deny. The end of a process (SYSCALL_FATAL) comes before every error, and what is as if
 * it did not exist is not reported. */
static int add_reported(const SyscallSet *set, UnitSettings *s)
{
    _cleanup_buffer_ Buffer names = {0};
    int r = 0;

    for (size_t i = 0; i < n_syscall_groups; i++) {
        const SyscallGroup *g = &syscall_groups[i];

        for (size_t k = 0; r == 0 && g->fate == SYSCALL_EPERM && is_denied(g) && k < g->n_calls;
             k++)
            if (!syscall_set_has(set, g->calls[k]))
                r = add_name(&names, g->calls[k]);
    }
    return r < 0 ? r : add_filter(&names, "sandbox.report", s);
}

int call_settings_make(const PoolConfig *c, UnitSettings *s)
{
    bool report = c->sandbox_report && c->sandbox_seccomp != SANDBOX_SECCOMP_OFF;
    const char *bad;
    SyscallSet set;
    int r;

    if (c->sandbox_seccomp == SANDBOX_SECCOMP_OFF || (!report && c->sandbox_syscalls.n == 0))
        return 0;
    /* What is wrong with the names has been said when the file was read. */
    if (syscall_set_build((SyscallProfile)c->sandbox_seccomp,
                          (const char *const *)c->sandbox_syscalls.items, c->sandbox_syscalls.n,
                          true, &set, &bad) < 0)
        return 0;
    r = add_allowed(&set, s);
    if (r == 0 && report)
        r = add_reported(&set, s);
    if (r == 0 && syscall_set_has(&set, "unshare"))
        r = add_namespaces("sandbox.syscalls", s);
    else if (r == 0 && report)
        r = add_namespaces("sandbox.report", s);
    return r;
}
