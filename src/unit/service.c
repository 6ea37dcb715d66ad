#include "unit/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What ProtectHome= hides. */
static const char *const hidden[] = {"/home", "/root", "/run/user"};

static bool is_hidden(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        if (path_is_below(path, hidden[i]))
            return true;
    return false;
}

/* Written to without further ado: PrivateTmp= makes folders of the pool's own of the last two. */
static bool is_writable(const char *path)
{
    static const char *const roots[] = {"/var", "/srv", "/tmp"};

    for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
        if (path_is_below(path, roots[i]))
            return true;
    return false;
}

static bool is_shared_tmp(const char *path)
{
    return path_is_below(path, "/tmp") || path_is_below(path, "/var/tmp");
}

/* A tmpfs cannot be taken away from where it lies: a whole /home is shown, and only to be read. */
static bool shows_all_homes(const PathWants *wants)
{
    for (size_t i = 0; i < wants->n; i++)
        for (size_t k = 0; k < ARRAY_SIZE(hidden); k++)
            if (strcmp(wants->items[i].path, hidden[k]) == 0)
                return true;
    return false;
}

/* "-": a path that is not there yet keeps no pool from starting. */
static int add_path(UnitSettings *s, const PathWant *want, bool all_homes)
{
    bool behind_home = is_hidden(want->path);

    /* What is asked for in /tmp by unit.… is that of everybody. */
    if ((behind_home && !all_homes) || is_shared_tmp(want->path))
        return settings_add_word(s, UNIT_SERVICE, "Service",
                                 want->write ? "BindPaths" : "BindReadOnlyPaths", want->directive,
                                 "-", want->path, SPECIAL_BINDS);
    if (!want->write || is_writable(want->path))
        return 0;
    return settings_add_word(s, UNIT_SERVICE, "Service", "ReadWritePaths", want->directive, "-",
                             want->path, SPECIAL_PATHS);
}

static int add_paths(const PoolConfig *c, ConfigIssues *issues, UnitSettings *s)
{
    _cleanup_(path_wants_done) PathWants wants = {0};
    int r = path_wants_make(c, issues, &wants);
    bool all_homes = shows_all_homes(&wants);
    const char *asks = NULL;

    for (size_t i = 0; !asks && i < wants.n; i++)
        if (is_hidden(wants.items[i].path))
            asks = wants.items[i].directive;
    if (r == 0 && asks)
        r = settings_add(s, UNIT_SERVICE, "Service", "ProtectHome", asks,
                         all_homes ? "read-only" : "tmpfs");
    for (size_t i = 0; r == 0 && i < wants.n; i++)
        r = add_path(s, &wants.items[i], all_homes);
    return r;
}

/* The folders of sockets that the shipped unit shows empty but for the pool's own two names. */
static bool is_out_of_sight(const PoolConfig *c, const char *path)
{
    static const char *const folders[] = {"/run/fpmd", "/run/php"};
    char own[2][128];

    snprintf(own[0], sizeof(own[0]), "/run/fpmd/%s.sock", c->name);
    snprintf(own[1], sizeof(own[1]), "/run/fpmd/%s.status.sock", c->name);
    return (path_is_below(path, folders[0]) || path_is_below(path, folders[1])) &&
           strcmp(path, own[0]) != 0 && strcmp(path, own[1]) != 0;
}

/* The manager compares owner, mode and access list of its sockets with the file. */
static int add_sockets(const PoolConfig *c, const ListenAddress *list, size_t n,
                       const char *directive, UnitSettings *s)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_free_ char *path = NULL;

        if (list[i].kind != LISTEN_UNIX)
            continue;
        r = unit_listen_address(&list[i], &path);
        if (r == 0 && is_out_of_sight(c, path))
            r = settings_add_word(s, UNIT_SERVICE, "Service", "BindReadOnlyPaths", directive, "-",
                                  path, SPECIAL_BINDS);
    }
    return r;
}

/* What the child of the manager needs that goes into the folder: sandbox of fpmd(8). */
static int add_chroot(const PoolConfig *c, UnitSettings *s)
{
    static const struct {
        const char *name, *value;
    } settings[] = {
        {"AmbientCapabilities", "CAP_SYS_CHROOT"},
        {"CapabilityBoundingSet", "CAP_SYS_CHROOT"},
        {"SystemCallFilter", "chroot"},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && c->chroot && i < ARRAY_SIZE(settings); i++)
        r = settings_add(s, UNIT_SERVICE, "Service", settings[i].name, "chroot", "%s",
                         settings[i].value);
    return r;
}

/* A priority below 0 is a privilege that only systemd has; others the system call filter of the
 * unit denies to everybody in it (@resources). */
static int add_limits(const PoolConfig *c, UnitSettings *s)
{
    int r = 0;

    /* 20 is 19 to the kernel, and nothing to systemd. */
    if (c->process_priority != PRIORITY_KEEP && c->process_priority != 0)
        r = settings_add(s, UNIT_SERVICE, "Service", "Nice", "process.priority", "%d",
                         MIN(c->process_priority, 19));
    if (r == 0 && c->rlimit_files < RLIMIT_UNLIMITED && c->rlimit_files > UNIT_FILES_HARD)
        r = settings_add(s, UNIT_SERVICE, "Service", "LimitNOFILE", "rlimit_files", "%d:%" PRIu64,
                         UNIT_FILES_SOFT, c->rlimit_files);
    /* The unit says nothing, and what is then in force is a matter of system.conf. */
    if (r < 0 || c->rlimit_core == RLIMIT_KEEP || c->rlimit_core == 0 || !c->process_dumpable)
        return r;
    if (c->rlimit_core == RLIMIT_UNLIMITED)
        return settings_add(s, UNIT_SERVICE, "Service", "LimitCORE", "rlimit_core", "0:infinity");
    return settings_add(s, UNIT_SERVICE, "Service", "LimitCORE", "rlimit_core", "0:%" PRIu64,
                        c->rlimit_core);
}

/* manager/worker_cgroup.h of the manager: the controllers, and a folder that can be written. */
static int add_cgroup(const PoolConfig *c, UnitSettings *s)
{
    bool memory = c->pm_worker_memory_max_bytes > 0, tasks = c->pm_worker_tasks_max > 0;
    const char *directive = memory ? "pm.worker_memory_max" : "pm.worker_tasks_max";
    int r;

    if (!memory && !tasks)
        return 0;
    r = settings_add(s, UNIT_SERVICE, "Service", "Delegate", directive, "%s%s%s",
                     memory ? "memory" : "", memory && tasks ? " " : "", tasks ? "pids" : "");
    return r < 0
               ? r
               : settings_add(s, UNIT_SERVICE, "Service", "ProtectControlGroups", directive, "no");
}

/* Without privileges there is nothing to grant and nothing hidden. */
static int make_for_user(const PoolConfig *c, ConfigIssues *issues, UnitSettings *s)
{
    if (c->chroot)
        config_issues_add_at(issues, CONFIG_ERROR, c, "chroot",
                             "a user's own pool may not change its root, expected a pool of the "
                             "system, or no chroot");
    if (c->process_priority < 0)
        config_issues_add_at(issues, CONFIG_WARNING, c, "process.priority",
                             "%d is more than a user's own pool may have, expected 0 to 20",
                             c->process_priority);
    if (c->pm_worker_memory_max_bytes > 0 || c->pm_worker_tasks_max > 0)
        config_issues_add_at(
            issues, CONFIG_ERROR, c,
            c->pm_worker_memory_max_bytes > 0 ? "pm.worker_memory_max" : "pm.worker_tasks_max",
            "the workers of a user's own pool could change the limits of their own cgroups, "
            "expected a pool of the system, or no such limit");
    return call_settings_make(c, s);
}

int service_settings_make(const PoolConfig *c, UnitScope scope, ConfigIssues *issues,
                          UnitSettings *s)
{
    int r;

    if (scope == UNIT_SCOPE_USER)
        return make_for_user(c, issues, s);
    r = add_chroot(c, s);
    if (r == 0)
        r = add_limits(c, s);
    if (r == 0)
        r = call_settings_make(c, s);
    if (r == 0)
        r = add_cgroup(c, s);
    if (r == 0)
        r = add_sockets(c, c->listen, c->n_listen, "listen", s);
    if (r == 0)
        r = add_sockets(c, c->status_listen, c->n_status_listen, "pm.status_listen", s);
    return r < 0 ? r : add_paths(c, issues, s);
}
