/*
 * Facts that the pool file and the kernel decide.
 */

#include "ctl/sandbox.h"

#include "sandbox/ruleset.h"
#include "status/human.h"

#include <inttypes.h>
#include <string.h>

static bool filtered(const SandboxView *v)
{
    return v->config->sandbox_seccomp != SANDBOX_SECCOMP_OFF;
}

/* ---- who it is ---- */

static void tell_user(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const char *name = v->user ? v->user : v->config->user;

    if (!name) {
        report_put(r, b, "the user of its manager");
        return;
    }
    report_put(r, b, "%s", name);
    if (v->uid != UINT64_MAX)
        report_put(r, b, " (uid %" PRIu64 ")", v->uid);
    else
        report_put(r, b, ", who is not known on this machine");
    if (v->groups)
        report_put(r, b, "; groups %s", v->groups);
    if (v->uid == 0)
        report_put(r, b, ". This is root");
}

static void tell_capabilities(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    report_put(
        r, b,
        "none, and none can be gained: all sets are empty, and no_new_privs takes the effect "
        "from set-id programs and from file capabilities (sudo, su, ping)");
}

static void tell_manager_user(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const char *user = v->properties[PROPERTY_USER];

    if (!user || !*user || v->user_scope)
        return;
    report_put(r, b,
               strcmp(user, FPMD_MANAGER_USER) == 0
                   ? "%s, another user than that of the workers; it can become the pool's user and "
                     "nobody worse than a user: never root's capabilities"
                   : "%s, the user of the workers too: it has no capability at all, and only "
                     "Landlock and the filter keep workers from it",
               user);
}

/* ---- network ---- */

static void tell_families(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (filtered(v))
        report_put(r, b,
                   "unix, IPv4 and IPv6 with TCP, UDP and ICMP, and netlink for addresses and "
                   "routes; no raw packets, no SCTP, no MPTCP, no Bluetooth, no others");
    else
        report_put(r, b,
                   "no filter of the pool's own: what RestrictAddressFamilies= of the unit "
                   "leaves");
}

static void tell_tcp(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const WordList *ports = &v->config->sandbox_tcp_connect;

    if (ports->n == 0)
        report_put(r, b, "to any port of any machine that can be reached, this one included");
    else if (config_list_is_none(ports))
        report_put(r, b, "to nobody");
    else {
        report_put(r, b, "only to port%s ", ports->n == 1 ? "" : "s");
        report_put_list(r, b, ports->items, ports->n);
        report_put(r, b, ", of any machine");
    }
    if (ports->n > 0 && v->landlock_abi < ABI_WITH_NET)
        report_put(r, b,
                   v->config->sandbox_landlock_optional
                       ? ": passed over, since this kernel cannot restrict it"
                       : ": this kernel cannot restrict it, so the pool does not start");
}

static void tell_udp(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    report_put(r, b,
               "any address and port, for DNS too; no directive restricts UDP, IPAddressDeny= of "
               "the unit does");
}

static void tell_unix(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    report_put(r, b,
               "every one in the file system whose permissions admit the user (databases, the "
               "journal) and that the unit shows");
    if (v->config->sandbox_abstract_sockets)
        report_put(r, b, "; abstract ones of all services, which have no permissions");
    else if (v->landlock_abi >= ABI_WITH_SCOPES)
        report_put(r, b, "; no abstract ones of others");
    else
        report_put(r, b, "; abstract ones too, since this kernel cannot keep them away");
}

/* ---- programs ---- */

static void tell_exec(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const WordList *paths = &v->config->sandbox_exec_paths;

    if (!v->config->sandbox_exec) {
        report_put(r, b, "none: exec(), system(), popen(), proc_open(), mail() and fork fail");
        return;
    }
    if (paths->n == 0)
        report_put(r, b,
                   "every program that the user may execute, also files it has written "
                   "itself");
    else if (config_list_is_none(paths))
        report_put(r, b, "none: Landlock lets it execute no file; it may still fork");
    else {
        report_put(r, b, "those in ");
        report_put_list(r, b, paths->items, paths->n);
        report_put(r, b, ", and by way of the dynamic loader (ld.so) every one that it may read");
    }
    report_put(r, b, "; they inherit all that is said here");
}

/* ---- system calls ---- */

static void tell_profile(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    static const char *const words[_SANDBOX_SECCOMP_MAX] = {
        [SANDBOX_SECCOMP_STRICT] =
            "strict: what PHP and its extensions need, and simple programs that scripts start",
        [SANDBOX_SECCOMP_DEFAULT] =
            "default: what PHP and its extensions need, and ordinary programs that scripts start",
        [SANDBOX_SECCOMP_OFF] = "off: no filter but that of the unit",
    };

    report_put(r, b, "%s", words[v->config->sandbox_seccomp]);
}

static void tell_changes(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const WordList *words = &v->config->sandbox_syscalls;

    for (size_t i = 0; filtered(v) && i < words->n; i++)
        report_put(r, b, "%s%s", i > 0 ? " " : "", words->items[i]);
}

static void tell_allowed(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    size_t allowed = 0, known = 0;

    for (size_t i = 0; i < n_syscall_groups; i++)
        for (size_t k = 0; k < syscall_groups[i].n_calls; k++, known++)
            allowed += syscall_set_has(&v->calls, syscall_groups[i].calls[k]);
    if (filtered(v) && v->calls_known)
        report_put(r, b, "%zu of %zu; -v or --calls lists them by group, with reasons", allowed,
                   known);
}

static void tell_fatal(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    size_t n = 0;

    for (size_t i = 0; filtered(v) && v->calls_known && i < n_syscall_groups; i++) {
        const SyscallGroup *g = &syscall_groups[i];
        bool any = g->fate != SYSCALL_FATAL;

        for (size_t k = 0; !any && k < g->n_calls; k++)
            any = !syscall_set_has(&v->calls, g->calls[k]);
        if (g->fate == SYSCALL_FATAL && any)
            report_put(r, b, "%s@%s", n++ > 0 ? " " : "", g->name);
    }
    if (n > 0)
        report_put(r, b, ": whoever calls these dies, and the journal names the call");
}

static void tell_refused(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (filtered(v))
        report_put(r, b,
                   "all others fail with EPERM, or with ENOSYS where libraries then use something "
                   "older%s",
                   v->config->sandbox_report ? "; the journal has a record of the first of each "
                                               "name (CALL_DENIED)"
                                             : "; sandbox.report = yes records which");
}

/* ---- other processes ---- */

static void tell_siblings(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (v->landlock_abi == 0)
        report_put(r, b,
                   "this kernel has no Landlock: workers are not dumpable instead, which keeps "
                   "their memory and descriptors from each other; signals reach siblings");
    else
        report_put(r, b,
                   "memory, descriptors, environment and ptrace are closed to siblings, template "
                   "and manager%s",
                   v->landlock_abi >= ABI_WITH_SCOPES
                       ? "; signals too"
                       : "; signals reach siblings (this kernel cannot keep them in), not the "
                         "template nor the manager");
}

static void tell_others(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    report_put(r, b, "those of other users are out of reach, having no capability");
    if (view_property_is(v, PROPERTY_PROTECT_PROC, "invisible"))
        report_put(r, b, ", and out of sight in /proc");
    if (v->neighbours)
        report_put(r, b, "; those of pool%s %s have the same user%s",
                   strchr(v->neighbours, ' ') ? "s" : "", v->neighbours,
                   v->landlock_abi >= ABI_WITH_SCOPES
                       ? ", and are closed by Landlock"
                       : ", and can be signalled by workers of this one");
}

static void tell_namespaces(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    bool unshare = v->calls_known && syscall_set_has(&v->calls, "unshare");

    if (filtered(v) && !unshare)
        report_put(r, b,
                   "none can be made or entered: no user namespace, no mounts, no containers");
    else if (view_property_is(v, PROPERTY_NAMESPACES, "0"))
        report_put(r, b, "none can be made or entered: RestrictNamespaces= of the unit");
    else
        report_put(r, b, "can be made, user namespaces too");
}

/* ---- limits ---- */

static void put_bytes(SandboxReport *r, Buffer *b, uint64_t bytes)
{
    char text[HUMAN_SIZE];

    human_bytes(bytes, text);
    report_put(r, b, "%s", text);
}

static void put_missing(const SandboxView *v, SandboxReport *r, Buffer *b, bool is_there)
{
    if (v->cgroups_known && !is_there)
        report_put(r, b, ": this machine has no controller for it, so the pool does not start");
}

static void tell_worker_memory(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    uint64_t hard = v->config->pm_worker_memory_max_bytes, soft = v->config->pm_max_memory_bytes;

    if (hard > 0) {
        put_bytes(r, b, hard);
        report_put(r, b, " with the programs it starts; beyond that it is killed, and only it");
        put_missing(v, r, b, v->limits_memory);
    } else
        report_put(r, b,
                   "no limit of its own but PHP's memory_limit, which only counts what "
                   "scripts allocate");
    if (soft > 0) {
        report_put(r, b, "; it is replaced after a request that leaves it above ");
        put_bytes(r, b, soft);
    }
}

static void tell_worker_tasks(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (v->config->pm_worker_tasks_max > 0) {
        report_put(r, b, "%u processes and threads", v->config->pm_worker_tasks_max);
        put_missing(v, r, b, v->limits_tasks);
    } else
        report_put(r, b, "no limit of its own: TasksMax= of the unit is for the whole pool");
}

static void tell_files_limit(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (v->config->rlimit_files < RLIMIT_UNLIMITED)
        report_put(r, b, "%" PRIu64 " open at once", v->config->rlimit_files);
    else
        report_put(r, b, "as many open at once as LimitNOFILE= of the unit says");
}

static void tell_script_time(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    char text[HUMAN_SIZE];

    human_span(v->config->request_terminate_timeout_usec, text);
    if (v->config->request_terminate_timeout_usec > 0)
        report_put(r, b, "a request is stopped after %s", text);
    else
        report_put(r, b, "no limit but PHP's max_execution_time, which scripts may lift");
}

static void tell_input(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const PoolConfig *c = v->config;
    char first[HUMAN_SIZE], next[HUMAN_SIZE];

    human_span(c->first_byte_timeout_usec, first);
    human_span(c->request_read_timeout_usec, next);
    report_put(r, b, "at most %u parameters of ", c->max_params);
    put_bytes(r, b, c->max_params_bytes);
    report_put(r, b, " together; silence of a new connection: %s, within a request: %s",
               c->first_byte_timeout_usec > 0 ? first : "no limit",
               c->request_read_timeout_usec > 0 ? next : "no limit");
}

static void tell_core(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    const PoolConfig *c = v->config;

    if (!c->process_dumpable || c->rlimit_core == 0)
        report_put(r, b, "none: its memory is not written down when it crashes");
    else if (c->rlimit_core == RLIMIT_KEEP)
        report_put(r, b, "as LimitCORE= of the unit says");
    else
        report_put(r, b, "written when it crashes, with what is in memory: passwords, sessions");
}

/* ---- OPcache ---- */

static void tell_opcache(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    if (v->config->sandbox_opcache_private)
        report_put(r, b,
                   "private: what one worker writes into its cache no other sees. Memory of "
                   "APCu and System V stays shared");
    else
        report_put(r, b, "shared and writable: workers of a generation are one domain of trust");
}

static void tell_retire(const SandboxView *v, SandboxReport *r, Buffer *b)
{
    report_put(r, b,
               v->config->sandbox_retire_on_crash
                   ? "brings a new generation, with a fresh cache"
                   : "is replaced, and the others go on with the cache as it is");
}

static const FactRow rows[] = {
    {TOPIC_IDENTITY, "user", "user", 0, tell_user},
    {TOPIC_IDENTITY, "capabilities", NULL, 0, tell_capabilities},
    {TOPIC_IDENTITY, "manager", NULL, PROPERTY_USER, tell_manager_user},
    {TOPIC_NETWORK, "kinds of sockets", "sandbox.seccomp", 0, tell_families},
    {TOPIC_NETWORK, "TCP connections", "sandbox.tcp_connect", 0, tell_tcp},
    {TOPIC_NETWORK, "UDP", NULL, 0, tell_udp},
    {TOPIC_NETWORK, "unix sockets", "sandbox.abstract_sockets", 0, tell_unix},
    {TOPIC_PROGRAMS, "programs", "sandbox.exec", 0, tell_exec},
    {TOPIC_CALLS, "profile", "sandbox.seccomp", 0, tell_profile},
    {TOPIC_CALLS, "changes", "sandbox.syscalls", 0, tell_changes},
    {TOPIC_CALLS, "allowed", NULL, 0, tell_allowed},
    {TOPIC_CALLS, "fatal", NULL, 0, tell_fatal},
    {TOPIC_CALLS, "refused", "sandbox.report", 0, tell_refused},
    {TOPIC_PROCESSES, "workers", NULL, 0, tell_siblings},
    {TOPIC_PROCESSES, "others", NULL, PROPERTY_PROTECT_PROC, tell_others},
    {TOPIC_PROCESSES, "namespaces", NULL, 0, tell_namespaces},
    {TOPIC_LIMITS, "memory", "pm.worker_memory_max", 0, tell_worker_memory},
    {TOPIC_LIMITS, "tasks", "pm.worker_tasks_max", 0, tell_worker_tasks},
    {TOPIC_LIMITS, "files", "rlimit_files", 0, tell_files_limit},
    {TOPIC_LIMITS, "time", "request_terminate_timeout", 0, tell_script_time},
    {TOPIC_LIMITS, "input", "security.max_params_size", 0, tell_input},
    {TOPIC_LIMITS, "core dumps", "rlimit_core", 0, tell_core},
    {TOPIC_OPCACHE, "cache", "sandbox.opcache", 0, tell_opcache},
    {TOPIC_OPCACHE, "a worker that dies", "sandbox.retire_on_crash", 0, tell_retire},
};

void sandbox_tell_facts(const SandboxView *v, SandboxReport *r)
{
    report_rows(r, v, rows, ARRAY_SIZE(rows));
}
