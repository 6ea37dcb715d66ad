#include "conf/setting.h"

#include "syscall/set.h"

#include <string.h>

/* Less does not hold PHP and its first script. */
#define MEMORY_LEAST_BYTES (16 * 1024 * 1024)

/* What only means something with a filter. */
static void check_filter(const PoolConfig *c, const Reporter *r)
{
    Reporter at_profile = reporter_at(r, c, "sandbox.seccomp");
    static const struct {
        const char *directive;
        size_t given, n; /* offsets: of a flag, or of the length of a list */
        bool wanted;     /* the value of the flag that needs a filter */
        ConfigSeverity severity;
        const char *text;
    } rows[] = {
        {"sandbox.exec", offsetof(PoolConfig, sandbox_exec), 0, false, CONFIG_ERROR,
         "'no' needs the filter of system calls, expected sandbox.seccomp = default or strict"},
        {"sandbox.report", offsetof(PoolConfig, sandbox_report), 0, true, CONFIG_WARNING,
         "has no effect with sandbox.seccomp = off, expected default or strict there"},
        {"sandbox.syscalls", 0, offsetof(PoolConfig, sandbox_syscalls.n), false, CONFIG_ERROR,
         "changes nothing with sandbox.seccomp = off, expected default or strict there"},
    };

    if (c->sandbox_seccomp != SANDBOX_SECCOMP_OFF)
        return;
    report(
        &at_profile, CONFIG_WARNING, "sandbox.seccomp",
        "'off': workers may make every system call that the service unit leaves, and signal each "
        "other and the template on kernels before Linux 6.12; expected default or strict");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *base = (const char *)c;
        Reporter there = reporter_at(r, c, rows[i].directive);
        bool is_there = rows[i].n > 0
                            ? *(const size_t *)(const void *)(base + rows[i].n) > 0
                            : *(const bool *)(const void *)(base + rows[i].given) == rows[i].wanted;

        if (is_there)
            report(&there, rows[i].severity, rows[i].directive, "%s", rows[i].text);
    }
}

static void check_syscalls(const PoolConfig *c, const Reporter *r)
{
    static const char directive[] = "sandbox.syscalls";
    Reporter there = reporter_at(r, c, directive);

    for (size_t i = 0; i < c->sandbox_syscalls.n; i++) {
        const char *word = c->sandbox_syscalls.items[i], *near;
        bool is_group = word[1] == '@';

        switch (syscall_set_change(NULL, word)) {
        case SYSCALL_CHANGE_OK:
            break;
        case SYSCALL_CHANGE_UNKNOWN:
            near = syscall_nearest(word + 1);
            report(&there, CONFIG_ERROR, directive, "'%s': there is no such %s, %s%s%s%s%s", word,
                   is_group ? "group of system calls" : "system call",
                   near ? "did you mean '" : "expected one of 'fpmctl sandbox --calls'",
                   near ? (char[]){*word, 0} : "", near && is_group ? "@" : "", near ? near : "",
                   near ? "'?" : "");
            break;
        case SYSCALL_CHANGE_VITAL:
            report(&there, CONFIG_ERROR, directive,
                   "'%s': workers cannot serve without it, expected another call or group", word);
            break;
        case SYSCALL_CHANGE_NEVER:
            report(
                &there, CONFIG_ERROR, directive,
                "'%s': a filter cannot look at what it does, expected another call; programs use "
                "clone instead",
                word);
            break;
        }
    }
}

/* Starting programs is one directive, and it has the last word (syscall_set_build()). */
static void check_programs(const PoolConfig *c, const Reporter *r)
{
    static const char directive[] = "sandbox.syscalls";
    Reporter there = reporter_at(r, c, directive);

    for (size_t i = 0; !c->sandbox_exec && i < c->sandbox_syscalls.n; i++) {
        const char *word = c->sandbox_syscalls.items[i];
        bool is_group = word[1] == '@';
        const SyscallGroup *g =
            is_group ? syscall_group_find(word + 2) : syscall_group_of(word + 1);

        if (*word == '+' && g && (strcmp(g->name, "exec") == 0 || strcmp(g->name, "fork") == 0))
            report(
                &there, CONFIG_WARNING, directive,
                "'%s' does not let programs start with sandbox.exec = no, expected yes there, or "
                "not this word",
                word);
    }
}

/* Without a word a list restricts nothing: one that a variable of the environment should have
 * filled, say. */
static void check_lists(const PoolConfig *c, const Reporter *r)
{
    static const struct {
        const char *directive;
        size_t n; /* offset of the length of the list */
        const char *expected;
    } rows[] = {
        {"sandbox.read", offsetof(PoolConfig, sandbox_read.n), "paths, / for all"},
        {"sandbox.write", offsetof(PoolConfig, sandbox_write.n), "paths, / for all"},
        {"sandbox.exec_paths", offsetof(PoolConfig, sandbox_exec_paths.n), "paths, / for all"},
        {"sandbox.tcp_connect", offsetof(PoolConfig, sandbox_tcp_connect.n), "ports"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *base = (const char *)c;
        Reporter there = reporter_at(r, c, rows[i].directive);

        if (pool_config_origin(c, rows[i].directive).line > 0 &&
            *(const size_t *)(const void *)(base + rows[i].n) == 0)
            report(&there, CONFIG_WARNING, rows[i].directive,
                   "is empty, which restricts nothing; expected %s, none, or no such line",
                   rows[i].expected);
    }
}

static void check_limits(const PoolConfig *c, const Reporter *r)
{
    Reporter at_memory = reporter_at(r, c, "pm.worker_memory_max");

    if (c->pm_worker_memory_max_bytes > 0 && c->pm_worker_memory_max_bytes < MEMORY_LEAST_BYTES)
        report(&at_memory, CONFIG_ERROR, "pm.worker_memory_max",
               "'%s' is less than PHP needs to start, expected 0 or at least 16M",
               pool_config_text(c, "pm.worker_memory_max"));
}

void check_sandbox(const PoolConfig *c, const Reporter *r)
{
    check_filter(c, r);
    check_syscalls(c, r);
    check_programs(c, r);
    check_lists(c, r);
    check_limits(c, r);
}
