/*
 * Facts about this kernel and about what runs, and where that is not what the file says.
 */

#include "ctl/sandbox.h"

#include "sandbox/ruleset.h"

#include <inttypes.h>
#include <string.h>

/* ---- the kernel ---- */

static void tell_landlock(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    static const struct {
        int abi;
        const char *text;
    } lacks[] = {
        {ABI_WITH_REFER, "renaming between folders always fails"},
        {ABI_WITH_TRUNCATE,
         "sandbox.write cannot cover truncate(), which the filter of system calls denies instead"},
        {ABI_WITH_NET, "sandbox.tcp_connect needs Linux 6.7"},
        {ABI_WITH_IOCTL_DEV, "ioctl() on devices is not covered"},
        {ABI_WITH_SCOPES, "signals and abstract sockets are not kept in (Linux 6.12)"},
    };
    size_t n = 0;

    if (v->landlock_abi == 0) {
        report_put(r, b,
                   "not there, switched off (lsm= of the kernel's command line) or denied to the "
                   "service: "
                   "sandbox.read, write, exec_paths and tcp_connect cannot be done");
        return;
    }
    report_put(r, b, "version %d", v->landlock_abi);
    for (size_t i = 0; i < ARRAY_SIZE(lacks); i++)
        if (v->landlock_abi < lacks[i].abi)
            report_put(r, b, "%s%s", n++ > 0 ? "; " : ", which lacks: ", lacks[i].text);
    if (n == 0)
        report_put(r, b, ": nothing is missing");
}

static void tell_cgroups(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const struct {
        bool is_there;
        const char *controller, *needed_by;
    } rows[] = {
        {v->limits_memory, "memory", "pm.worker_memory_max"},
        {v->limits_tasks, "pids", "pm.worker_tasks_max"},
    };
    size_t n = 0;

    for (size_t i = 0; v->cgroups_known && i < ARRAY_SIZE(rows); i++)
        if (!rows[i].is_there)
            report_put(r, b, "%sno controller %s, so %s cannot be done", n++ > 0 ? "; " : "",
                       rows[i].controller, rows[i].needed_by);
    if (n == 0 && v->cgroups_known)
        report_put(r, b, "version 2 with memory and pids: nothing is missing");
}

/* ---- what runs ---- */

static void tell_state(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const StatusPool *s = v->status;

    if (!s) {
        report_put(r, b, "%s", v->status_reason);
        return;
    }
    if (!v->runtime_told) {
        report_put(r, b, "%s, no generation serves, manager %u: %s", s->state, s->manager_pid,
                   s->status_text);
        return;
    }
    report_put(r, b, "%s, generation %u, %s, manager %u", s->state, s->generation,
               *s->runtime_version ? s->runtime_version : s->runtime, s->manager_pid);
    if (s->template_pid > 0)
        report_put(r, b, ", template %" PRIu64, s->template_pid);
}

static void tell_confined(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (v->runtime_told)
        report_put(r, b, "its workers are confined by: %s", v->status->sandbox);
}

static void tell_moot(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } words[] = {
        {BOARD_MOOT_BOUNDING_SET,
         "the bounding set of capabilities is not empty, which no_new_privs makes harmless"},
        {BOARD_MOOT_SECUREBITS, "securebits are not locked, which no_new_privs makes harmless"},
        {BOARD_MOOT_LANDLOCK, "no Landlock layers between workers: they are not dumpable instead"},
        {BOARD_MOOT_PATHS, "sandbox.read, write and exec_paths are passed over"},
        {BOARD_MOOT_TCP, "sandbox.tcp_connect is passed over"},
        {BOARD_MOOT_SCOPES, "signals and abstract sockets are not kept in"},
        {BOARD_MOOT_SECCOMP, "no filter of system calls (sandbox.seccomp = off)"},
    };
    size_t n = 0;

    if (!v->runtime_told)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (v->status->moot & words[i].bit)
            report_put(r, b, "%s%s", n++ > 0 ? "; " : "", words[i].text);
    if (n == 0)
        report_put(r, b, "nothing: all steps were done");
}

static void tell_process(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const SandboxProcess *p = &v->process;

    if (p->pid == 0)
        return;
    report_put(r, b,
               "process %" PRIu64 " has uid %" PRIu64 ", %s, %s, and %s filter of system calls",
               p->pid, p->uid, p->capabilities == 0 ? "no capability" : "CAPABILITIES",
               p->no_new_privs ? "no_new_privs" : "NO no_new_privs", p->filtered ? "a" : "NO");
}

static const FactRow running_rows[] = {
    {TOPIC_KERNEL, "Landlock", NULL, 0, tell_landlock},
    {TOPIC_KERNEL, "cgroups", NULL, 0, tell_cgroups},
    {TOPIC_RUNNING, "state", NULL, 0, tell_state},
    {TOPIC_RUNNING, "confinement", NULL, 0, tell_confined},
    {TOPIC_RUNNING, "moot", NULL, 0, tell_moot},
    {TOPIC_RUNNING, "seen in /proc", NULL, 0, tell_process},
};

/* ---- differences ---- */

static bool has_paths(const PoolConfig *c)
{
    return c->sandbox_read.n > 0 || c->sandbox_write.n > 0 || c->sandbox_exec_paths.n > 0;
}

static bool has_ports(const PoolConfig *c)
{
    return c->sandbox_tcp_connect.n > 0;
}

static bool has_filter(const PoolConfig *c)
{
    return c->sandbox_seccomp != SANDBOX_SECCOMP_OFF;
}

static bool has_chroot(const PoolConfig *c)
{
    return c->chroot != NULL;
}

/* Words of the status against the file. */
static void compare_words(const SandboxView *v, SandboxReport *r)
{
    static const struct {
        const char *word;
        const char *name;
        const char *what;
        uint32_t excuses; /* bits of BoardMoot that explain a word that is not there */
        bool (*wanted)(const PoolConfig *c);
    } words[] = {
        {"paths", "paths", "sandbox.read, write or exec_paths", BOARD_MOOT_PATHS, has_paths},
        {"tcp-connect", "TCP connections", "sandbox.tcp_connect", BOARD_MOOT_TCP, has_ports},
        {"seccomp", "filter", "a filter of system calls (sandbox.seccomp)", 0, has_filter},
        {"chroot", "chroot", "chroot", 0, has_chroot},
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        bool wanted = words[i].wanted(v->config);
        const char *sandbox = v->status->sandbox, *p = sandbox;
        size_t n = strlen(words[i].word);
        bool has = false;

        while (!has && (p = strstr(p, words[i].word))) {
            has = (p == sandbox || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0);
            p += n;
        }
        if (wanted && !has && !(v->status->moot & words[i].excuses))
            report_fact(r, TOPIC_DIFFERENCES, words[i].name, NULL,
                        "the file has %s, what runs does not", words[i].what);
        else if (!wanted && has)
            report_fact(r, TOPIC_DIFFERENCES, words[i].name, NULL,
                        "what runs has %s, the file does not", words[i].what);
    }
}

static void compare_running(const SandboxView *v, SandboxReport *r)
{
    const StatusPool *s = v->status;
    const char *options = v->user_scope ? "--user " : "";

    if (v->file_usec > s->generation_usec)
        report_fact(r, TOPIC_DIFFERENCES, "age", NULL,
                    "the pool's files were written after the running generation began: what is "
                    "said here is what they say, and holds after systemctl %sreload %s",
                    options, v->unit_name);
    if (v->user && *s->request_user && strcmp(v->user, s->request_user) != 0)
        report_fact(r, TOPIC_DIFFERENCES, "user", NULL, "workers run as %s, the file says %s",
                    s->request_user, v->user);
    compare_words(v, r);
}

/* Of the file itself only errors count here: what runs is not what it says then. */
static void tell_issues(const ConfigIssues *issues, const char *name, bool warnings,
                        SandboxReport *r)
{
    for (size_t i = 0; i < issues->n; i++) {
        const ConfigIssue *issue = &issues->items[i];

        if (warnings || issue->severity == CONFIG_ERROR)
            report_fact(r, TOPIC_DIFFERENCES, name, NULL, "%s%s%s",
                        issue->directive ? issue->directive : "", issue->directive ? ": " : "",
                        issue->text ? issue->text : "out of memory");
    }
}

void sandbox_tell_running(const SandboxView *v, SandboxReport *r)
{
    report_rows(r, v, running_rows, ARRAY_SIZE(running_rows));
    if (v->runtime_told)
        compare_running(v, r);
    tell_issues(&v->file_issues, "error in the file", false, r);
    tell_issues(&v->unit_issues, "units", true, r);
}
