/*
 * What is open, and how to close it: a table.
 */

#include "ctl/sandbox.h"

#include "sandbox/ruleset.h"

#include <string.h>

static bool is_shared_cache(const SandboxView *v)
{
    return !v->config->sandbox_opcache_private;
}

static bool survives_crash(const SandboxView *v)
{
    return is_shared_cache(v) && !v->config->sandbox_retire_on_crash;
}

static bool has_no_filter(const SandboxView *v)
{
    return v->config->sandbox_seccomp == SANDBOX_SECCOMP_OFF;
}

static bool allows_dangerous(const SandboxView *v)
{
    for (size_t i = 0; v->calls_known && !has_no_filter(v) && i < n_syscall_groups; i++) {
        const SyscallGroup *g = &syscall_groups[i];

        for (size_t k = 0; g->from == _SYSCALL_PROFILE_MAX && k < g->n_calls; k++)
            if (syscall_set_has(&v->calls, g->calls[k]))
                return true;
    }
    return false;
}

static bool executes(const SandboxView *v)
{
    return v->config->sandbox_exec && v->config->sandbox_exec_paths.n == 0;
}

static bool executes_by_loader(const SandboxView *v)
{
    const WordList *paths = &v->config->sandbox_exec_paths;

    return v->config->sandbox_exec && paths->n > 0 && !config_list_is_none(paths) &&
           v->config->sandbox_read.n == 0;
}

static bool reads_all(const SandboxView *v)
{
    return v->config->sandbox_read.n == 0 && !v->config->chroot;
}

static bool writes_all(const SandboxView *v)
{
    return v->config->sandbox_write.n == 0;
}

static bool connects(const SandboxView *v)
{
    return v->config->sandbox_tcp_connect.n == 0 && !view_property_given(v, PROPERTY_IP_DENY) &&
           !view_property_is(v, PROPERTY_PRIVATE_NETWORK, "1");
}

static bool sends_udp(const SandboxView *v)
{
    return v->config->sandbox_tcp_connect.n > 0 && v->unit_known &&
           !view_property_given(v, PROPERTY_IP_DENY) &&
           !view_property_is(v, PROPERTY_PRIVATE_NETWORK, "1");
}

static bool reaches_abstract(const SandboxView *v)
{
    return v->config->sandbox_abstract_sockets;
}

static bool lacks_landlock(const SandboxView *v)
{
    return v->landlock_abi < ABI_WITH_SCOPES;
}

static bool is_passed_over(const SandboxView *v)
{
    const PoolConfig *c = v->config;
    bool paths = c->sandbox_read.n > 0 || c->sandbox_write.n > 0 || c->sandbox_exec_paths.n > 0;

    return c->sandbox_landlock_optional &&
           ((paths && v->landlock_abi < ABI_WITH_FILES) ||
            (c->sandbox_tcp_connect.n > 0 && v->landlock_abi < ABI_WITH_NET));
}

static bool is_unlimited(const char *value)
{
    return value && strtoull(value, NULL, 10) == UINT64_MAX;
}

static bool takes_memory(const SandboxView *v)
{
    return v->config->pm_worker_memory_max_bytes == 0 &&
           is_unlimited(v->properties[PROPERTY_MEMORY_MAX]);
}

static bool takes_tasks(const SandboxView *v)
{
    return v->config->pm_worker_tasks_max == 0 && is_unlimited(v->properties[PROPERTY_TASKS_MAX]);
}

static bool has_neighbours(const SandboxView *v)
{
    return v->neighbours != NULL;
}

static bool is_root(const SandboxView *v)
{
    return v->uid == 0;
}

static bool shares_manager_user(const SandboxView *v)
{
    const char *user = v->properties[PROPERTY_USER];

    return v->user_scope || (user && *user && strcmp(user, FPMD_MANAGER_USER) != 0);
}

static bool listens_to_all(const SandboxView *v)
{
    const PoolConfig *c = v->config;

    for (size_t i = 0; c->n_allowed_clients == 0 && i < c->n_listen; i++)
        if (c->listen[i].kind == LISTEN_TCP)
            return true;
    return false;
}

static bool runs_any_file(const SandboxView *v)
{
    return v->config->n_limit_extensions == 0;
}

static bool takes_settings(const SandboxView *v)
{
    return v->config->allow_php_value;
}

static bool dumps_core(const SandboxView *v)
{
    return v->config->process_dumpable && v->config->rlimit_core != RLIMIT_KEEP &&
           v->config->rlimit_core > 0;
}

static bool runs_for_ever(const SandboxView *v)
{
    return v->config->request_terminate_timeout_usec == 0;
}

/* Of a process that runs nothing of this may ever be: then something is broken. */
static bool is_half_confined(const SandboxView *v)
{
    const SandboxProcess *p = &v->process;

    return p->pid > 0 &&
           (p->capabilities != 0 || !p->no_new_privs || (!p->filtered && !has_no_filter(v)));
}

#define UNIT_IS_NOT(function, property, value)                                                     \
    static bool function(const SandboxView *v)                                                     \
    {                                                                                              \
        return v->unit_known && v->properties[property] && !view_property_is(v, property, value);  \
    }

UNIT_IS_NOT(is_system_writable, PROPERTY_PROTECT_SYSTEM, "strict")
UNIT_IS_NOT(shares_tmp, PROPERTY_PRIVATE_TMP, "1")
UNIT_IS_NOT(shares_ipc, PROPERTY_PRIVATE_IPC, "1")
UNIT_IS_NOT(has_devices, PROPERTY_PRIVATE_DEVICES, "1")
UNIT_IS_NOT(sees_processes, PROPERTY_PROTECT_PROC, "invisible")
UNIT_IS_NOT(gains_privileges, PROPERTY_NO_NEW_PRIVILEGES, "1")

static bool sees_homes(const SandboxView *v)
{
    return view_property_is(v, PROPERTY_PROTECT_HOME, "no") ||
           view_property_is(v, PROPERTY_PROTECT_HOME, "read-only");
}

static bool sees_sockets(const SandboxView *v)
{
    return v->unit_known && !v->user_scope &&
           !view_property_given(v, PROPERTY_TEMPORARY_FILE_SYSTEM) &&
           !view_property_given(v, PROPERTY_INACCESSIBLE_PATHS);
}

/* The worst first. */
static const struct {
    const char *name;
    bool (*holds)(const SandboxView *v);
    const char *text, *cure;
} weaknesses[] = {
    {"half-confined", is_half_confined, "A running process is not confined as it has to be.",
     "systemctl restart the pool, and look into the journal; this is an error of fpmd"},
    {"root", is_root, "Workers run as root: all files are theirs.",
     "user = a user of its own in the pool file"},
    {"no-filter", has_no_filter,
     "Every system call reaches the kernel, and with it every fault that it has.",
     "sandbox.seccomp = default"},
    {"dangerous-calls", allows_dangerous, "sandbox.syscalls allows calls that no profile has.",
     "take the +… words out of sandbox.syscalls; -v shows which groups they are of"},
    {"passed-over", is_passed_over,
     "The file restricts paths or ports, this kernel cannot, and sandbox.landlock = if-available "
     "lets the pool start without.",
     "a newer kernel; sandbox.landlock = required keeps the pool from starting unrestricted"},
    {"tcp-listener", listens_to_all,
     "Whoever reaches its TCP port runs any script with any parameters: FastCGI has no passwords.",
     "listen at a unix socket, or listen.allowed_clients = addresses"},
    {"any-file", runs_any_file,
     "Any file can be run as a script: an uploaded image that holds PHP is enough.",
     "security.limit_extensions = .php"},
    {"opcache", is_shared_cache,
     "Code that takes over one worker can rewrite the cache that all workers of the generation "
     "run.",
     "sandbox.opcache = private"},
    {"survives-crash", survives_crash,
     "After an attack that crashed a worker the others go on with a cache that may be rewritten.",
     "sandbox.retire_on_crash = yes"},
    {"reads", reads_all,
     "It reads all that everybody on the machine may read, other sites and /etc among it.",
     "sandbox.read = the document root and what scripts read besides"},
    {"writes", writes_all,
     "It changes all that its user may write, its own scripts among it: a hole becomes a back "
     "door.",
     "sandbox.write = the folders of uploads, caches and sessions"},
    {"programs", executes, "It starts any program, a shell too.",
     "sandbox.exec = no; where the site needs programs: sandbox.exec_paths"},
    {"loader", executes_by_loader,
     "The dynamic loader (ld.so) runs any program that can be read, whatever sandbox.exec_paths "
     "lists.",
     "sandbox.read as well, or sandbox.exec = no"},
    {"connections", connects,
     "It connects to any machine and any service, those that trust this machine among them.",
     "sandbox.tcp_connect = the ports it needs; IPAddressDeny= in a drop-in of the unit"},
    {"udp", sends_udp, "sandbox.tcp_connect does not restrict UDP, nor which machines are reached.",
     "IPAddressDeny=any and IPAddressAllow= in a drop-in of the unit"},
    {"abstract-sockets", reaches_abstract,
     "It talks to abstract unix sockets of all services; those have no permissions.",
     "sandbox.abstract_sockets = no"},
    {"sockets", sees_sockets,
     "It sees the sockets of other pools; where permissions admit it, it runs scripts there as "
     "their user.",
     "TemporaryFileSystem=/run/fpmd:ro /run/php:ro in the unit, as shipped"},
    {"neighbours", has_neighbours, "Other pools have the same user, so their files are its files.",
     "user = a user of its own for each pool"},
    {"manager-user", shares_manager_user,
     "The manager has the workers' user: only Landlock and the filter stand between them.",
     "without User= in the unit the manager is another user"},
    {"system", is_system_writable, "Parts of the system are not read-only.",
     "ProtectSystem=strict in the unit, as shipped"},
    {"homes", sees_homes, "Home folders are in reach as far as permissions let it.",
     "unit.read_only_paths in the pool file instead of ProtectHome=no or read-only"},
    {"tmp", shares_tmp, "Files in /tmp are in reach of other services, and theirs of it.",
     "PrivateTmp=yes in the unit, as shipped"},
    {"ipc", shares_ipc,
     "Segments, semaphores and queues are those of the machine: it reaches what others have there, "
     "and can use up what there is.",
     "PrivateIPC=yes in the unit, as shipped"},
    {"devices", has_devices, "Devices are in reach as far as permissions let it.",
     "PrivateDevices=yes in the unit, as shipped"},
    {"processes", sees_processes, "It sees which programs others run, with their arguments.",
     "ProtectProc=invisible in the unit, as shipped"},
    {"no-new-privs", gains_privileges, "The manager could gain privileges by set-id programs.",
     "NoNewPrivileges=yes in the unit, as shipped"},
    {"kernel", lacks_landlock,
     "This kernel cannot keep signals and abstract sockets of workers in.", "Linux 6.12 or later"},
    {"memory", takes_memory, "One worker can take all memory of the machine.",
     "pm.worker_memory_max, or MemoryMax= in a drop-in of the unit for the whole pool"},
    {"tasks", takes_tasks, "One worker can take all processes of the machine.",
     "pm.worker_tasks_max, or TasksMax= in a drop-in of the unit for the whole pool"},
    {"time", runs_for_ever, "A request may hold its worker for ever.",
     "request_terminate_timeout = 60s, or what the longest one needs"},
    {"settings", takes_settings,
     "Who reaches its socket sets any setting of PHP (PHP_VALUE), so runs any code.",
     "security.allow_php_value = no, when the web server's configuration does not use it"},
    {"core-dumps", dumps_core, "Core dumps hold what is in memory: passwords, sessions.",
     "rlimit_core = 0, or process.dumpable = no"},
};

void sandbox_tell_weaknesses(const SandboxView *v, SandboxReport *r)
{
    for (size_t i = 0; i < ARRAY_SIZE(weaknesses); i++)
        if (weaknesses[i].holds(v))
            report_weakness(
                r, (SandboxWeakness){weaknesses[i].name, weaknesses[i].text, weaknesses[i].cure});
}
