/*
 * The groups of system calls: of the table alone, or as a pool has them.
 */

#include "ctl/sandbox.h"

#include "status/escape.h"

#include <string.h>

#define CALLS_COLUMN 4

/* What becomes of a call. */
typedef enum Verdict {
    VERDICT_ALLOWED,
    VERDICT_BY_UNIT, /* the pool allows it, the unit refuses it */
    VERDICT_REFUSED,
    _VERDICT_MAX,
} Verdict;

static Verdict judge(const SandboxView *v, const char *call)
{
    if (v->config->sandbox_seccomp != SANDBOX_SECCOMP_OFF && v->calls_known &&
        !syscall_set_has(&v->calls, call))
        return VERDICT_REFUSED;
    return view_unit_refuses(v, call) ? VERDICT_BY_UNIT : VERDICT_ALLOWED;
}

static const char *profile_of(const SyscallGroup *g)
{
    return g->from == SYSCALL_PROFILE_STRICT    ? "strict and default"
           : g->from == SYSCALL_PROFILE_DEFAULT ? "default"
                                                : "none";
}

/* "EPERM", or of calls that end the process so. */
static int print_head(Buffer *b, const SyscallGroup *g, const char *verdict)
{
    int r = buffer_printf(b, "\n  @%s: %s\n%*s", g->name, verdict, CALLS_COLUMN, "");

    return r < 0 ? r : sandbox_wrap(b, g->reason, CALLS_COLUMN, CALLS_COLUMN);
}

static int print_list(Buffer *b, const char *title, const SandboxView *v, const SyscallGroup *g,
                      Verdict verdict)
{
    _cleanup_buffer_ Buffer list = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < g->n_calls; i++)
        if (!v || judge(v, g->calls[i]) == verdict)
            r = buffer_printf(&list, "%s%s", list.size > 0 ? " " : title, g->calls[i]);
    if (r < 0 || list.size == 0)
        return r;
    r = buffer_append(&list, "", 1);
    if (r == 0)
        r = buffer_printf(b, "%*s", CALLS_COLUMN, "");
    return r < 0 ? r : sandbox_wrap(b, list.data, CALLS_COLUMN, CALLS_COLUMN + 2);
}

/* Of a group: all allowed, none, or some. */
static const char *sum_up(const SandboxView *v, const SyscallGroup *g)
{
    size_t n[_VERDICT_MAX] = {0};

    for (size_t i = 0; i < g->n_calls; i++)
        n[judge(v, g->calls[i])]++;
    if (n[VERDICT_ALLOWED] == g->n_calls)
        return "allowed";
    if (n[VERDICT_BY_UNIT] == g->n_calls)
        return "refused by SystemCallFilter= of the unit";
    if (n[VERDICT_ALLOWED] > 0 || n[VERDICT_REFUSED] < g->n_calls)
        return "some allowed";
    switch (g->fate) {
    case SYSCALL_FATAL:
        return "ends the process";
    case SYSCALL_ENOSYS:
        return "refused with ENOSYS";
    default:
        return "refused with EPERM";
    }
}

int sandbox_print_calls(Buffer *b, const SandboxView *v)
{
    int r = buffer_printf(b, v ? "\nSystem calls by group\n"
                               : "Groups of system calls, for sandbox.syscalls = +@group -@group "
                                 "+name -name\n");

    for (size_t i = 0; r == 0 && i < n_syscall_groups; i++) {
        const SyscallGroup *g = &syscall_groups[i];
        _cleanup_buffer_ Buffer head = {0};

        if (v)
            r = buffer_printf(&head, "%s", sum_up(v, g));
        else
            r = buffer_printf(&head, "in profiles: %s%s%s%s", profile_of(g),
                              g->from == SYSCALL_PROFILE_STRICT ? "" : "; elsewhere: ",
                              g->from == SYSCALL_PROFILE_STRICT ? ""
                                                                : syscall_fate_to_string(g->fate),
                              g->vital ? "; cannot be taken away" : "");
        if (r == 0)
            r = buffer_append(&head, "", 1);
        if (r == 0)
            r = print_head(b, g, head.data);
        if (r == 0)
            r = print_list(b, "", v, g, VERDICT_ALLOWED);
        if (r == 0 && v)
            r = print_list(b, "refused: ", v, g, VERDICT_REFUSED);
        if (r == 0 && v)
            r = print_list(b, "refused by the unit: ", v, g, VERDICT_BY_UNIT);
    }
    return r;
}

/* ---- JSON ---- */

static int json_list(Buffer *b, const char *key, const SandboxView *v, const SyscallGroup *g,
                     Verdict verdict)
{
    bool first = true;
    int r = buffer_printf(b, ", \"%s\": [", key);

    for (size_t i = 0; r == 0 && i < g->n_calls; i++)
        if (!v || judge(v, g->calls[i]) == verdict) {
            r = buffer_printf(b, "%s\"%s\"", first ? "" : ", ", g->calls[i]);
            first = false;
        }
    return r < 0 ? r : buffer_append(b, "]", 1);
}

static int json_group(Buffer *b, const SandboxView *v, const SyscallGroup *g, bool first)
{
    int r = buffer_printf(b,
                          "%s\n    {\"group\": \"%s\", \"profiles\": \"%s\", \"fate\": \"%s\", "
                          "\"vital\": %s, \"reason\": ",
                          first ? "" : ",", g->name, profile_of(g), syscall_fate_to_string(g->fate),
                          g->vital ? "true" : "false");

    if (r == 0)
        r = escape_json(b, g->reason);
    if (r == 0)
        r = json_list(b, v ? "allowed" : "calls", v, g, VERDICT_ALLOWED);
    if (r == 0 && v)
        r = json_list(b, "refused", v, g, VERDICT_REFUSED);
    if (r == 0 && v)
        r = json_list(b, "refused_by_unit", v, g, VERDICT_BY_UNIT);
    return r < 0 ? r : buffer_append(b, "}", 1);
}

int sandbox_print_calls_json(Buffer *b, const SandboxView *v)
{
    int r = buffer_append(b, "[", 1);

    for (size_t i = 0; r == 0 && i < n_syscall_groups; i++)
        r = json_group(b, v, &syscall_groups[i], i == 0);
    return r < 0 ? r : buffer_printf(b, "\n  ]");
}
