#include "ctl/sandbox.h"

#include "base/exit_status.h"
#include "base/fd.h"
#include "base/parse.h"
#include "ctl/ask.h"
#include "ctl/compare.h"
#include "ctl/match.h"
#include "ctl/pools.h"
#include "sandbox/landlock.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert((int)SANDBOX_SECCOMP_STRICT == (int)SYSCALL_PROFILE_STRICT &&
                   (int)SANDBOX_SECCOMP_DEFAULT == (int)SYSCALL_PROFILE_DEFAULT,
               "the profiles are those of the pool file");

/* ---- who the workers are ---- */

static const struct passwd *find_user(const char *name)
{
    uint64_t uid;

    if (parse_u64(name, 0, UINT32_MAX - 1, &uid) == 0)
        return getpwuid((uid_t)uid);
    return getpwnam(name);
}

/* UINT64_MAX: no such user. */
static uint64_t find_uid(const char *name)
{
    const struct passwd *entry = name ? find_user(name) : NULL;
    uint64_t uid;

    if (entry)
        return entry->pw_uid;
    return name && parse_u64(name, 0, UINT32_MAX - 1, &uid) == 0 ? uid : UINT64_MAX;
}

static int put_group(Buffer *b, const char *name, uint64_t gid)
{
    const struct group *entry = name ? getgrnam(name) : getgrgid((gid_t)gid);

    if (!entry && name)
        return buffer_printf(b, "%s%s (not known)", b->size > 0 ? ", " : "", name);
    if (!entry)
        return buffer_printf(b, "%s%" PRIu64, b->size > 0 ? ", " : "", gid);
    return buffer_printf(b, "%s%s (%" PRIu64 ")", b->size > 0 ? ", " : "", entry->gr_name,
                         (uint64_t)entry->gr_gid);
}

/* The group of the file, or else the user's, those of the user database and the file's others. */
static int find_groups(SandboxView *v, const char *user, gid_t gid)
{
    const PoolConfig *c = v->config;
    _cleanup_buffer_ Buffer b = {0};
    gid_t groups[256];
    int n = ARRAY_SIZE(groups), r = put_group(&b, c->group, gid);

    if (getgrouplist(user, gid, groups, &n) < 0)
        n = ARRAY_SIZE(groups);
    for (int i = 0; r == 0 && i < n; i++)
        if (groups[i] != gid)
            r = put_group(&b, NULL, groups[i]);
    for (size_t i = 0; r == 0 && i < c->supplementary_groups.n; i++)
        r = put_group(&b, c->supplementary_groups.items[i], 0);
    if (r < 0)
        return r;
    v->groups = buffer_steal(&b);
    return v->groups ? 0 : -ENOMEM;
}

static int find_ids(SandboxView *v)
{
    const char *of_unit = v->properties[PROPERTY_USER], *name = v->config->user;
    const struct passwd *entry;

    if (v->user_scope)
        entry = getpwuid(getuid());
    else {
        if (of_unit && *of_unit && strcmp(of_unit, FPMD_MANAGER_USER) != 0)
            name = of_unit;
        entry = name ? find_user(name) : NULL;
    }
    v->uid = entry ? entry->pw_uid : find_uid(name);
    if (entry || name) {
        v->user = strdup(entry ? entry->pw_name : name);
        if (!v->user)
            return -ENOMEM;
    }
    return entry ? find_groups(v, v->user, entry->pw_gid) : 0;
}

/* Other pools that run as this user. */
static int find_neighbours(const Ctl *ctl, SandboxView *v)
{
    _cleanup_pool_files_ PoolFiles files = {0};
    _cleanup_buffer_ Buffer b = {0};
    int r = v->uid == UINT64_MAX || v->user_scope ? -ENOENT
                                                  : pool_files_add_folders(&files, ctl->config_dir);

    for (size_t i = 0; r == 0 && i < files.n; i++) {
        _cleanup_(config_issues_done) ConfigIssues issues = {0};
        _cleanup_(pool_config_freep) PoolConfig *c = NULL;

        if (strcmp(files.items[i].name, v->config->name) == 0 ||
            pool_file_load(ctl, &files.items[i], &issues, &c) == -ENOMEM || !c)
            continue;
        if (find_uid(c->user) == v->uid)
            r = buffer_printf(&b, "%s%s", b.size > 0 ? ", " : "", c->name);
    }
    if (r < 0 || b.size == 0)
        return r == -ENOMEM ? r : 0;
    v->neighbours = buffer_steal(&b);
    return v->neighbours ? 0 : -ENOMEM;
}

/* ---- the units ---- */

static int say(char **reason, const char *format, ...) _printf_(2, 3);
static int say(char **reason, const char *format, ...)
{
    va_list args;
    int r;

    free(*reason);
    va_start(args, format);
    r = vasprintf(reason, format, args);
    va_end(args);
    if (r < 0)
        *reason = NULL;
    return r < 0 ? -ENOMEM : 0;
}

static int read_unit(const Ctl *ctl, Units *units, SandboxView *v)
{
    UnitView unit = {units, v->unit_name};
    int r = 0;
    _cleanup_free_ char *load = match_read(&unit, "LoadState", &r);

    if (r == -ENOMEM)
        return r;
    if (!load || strcmp(load, "loaded") != 0)
        return say(&v->unit_reason, "%s is not there (%s): what a unit would restrict is not known",
                   v->unit_name, load ? load : strerror(-r));
    for (int i = PROPERTY_NONE + 1; i < _UNIT_PROPERTY_MAX; i++) {
        v->properties[i] = match_read(&unit, unit_property_name((UnitProperty)i), &r);
        if (!v->properties[i] && r == -ENOMEM)
            return r;
    }
    v->unit_known = true;
    r = compare_units(ctl, units, v->config, &v->unit_issues);
    return r == -ENOMEM ? r : 0;
}

/* ---- what runs ---- */

static int say_stopped(Units *units, SandboxView *v)
{
    UnitState socket;

    if (!units || units_get(units, v->config->name, "socket", &socket) < 0)
        return say(&v->status_reason, "it does not run");
    return say(&v->status_reason, "it does not run; its socket is %s%s", socket.active,
               strcmp(socket.active, "active") == 0 ? ", so the next connection starts it" : "");
}

/* A capability set of /proc/PID/status: "CapEff:\t0000…". */
static uint64_t read_number(const char *text, const char *key, int base)
{
    const char *p = strstr(text, key);

    return p ? strtoull(p + strlen(key), NULL, base) : 0;
}

/* Anybody may look. What is not there any more is passed over. */
static void look_at(uint64_t pid, SandboxProcess *ret)
{
    static const char *const sets[] = {"\nCapInh:", "\nCapPrm:", "\nCapEff:", "\nCapAmb:"};
    _cleanup_free_ char *text = NULL;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%" PRIu64 "/status", pid);
    if (pid == 0 || fd_read_file(path, 64 * 1024, &text, NULL) < 0)
        return;
    *ret = (SandboxProcess){
        .pid = pid,
        .uid = read_number(text, "\nUid:", 10),
        .no_new_privs = read_number(text, "\nNoNewPrivs:", 10) == 1,
        .filtered = read_number(text, "\nSeccomp:", 10) == 2,
    };
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        ret->capabilities |= read_number(text, sets[i], 16);
}

static int ask_manager(const Ctl *ctl, Units *units, SandboxView *v)
{
    _cleanup_fd_ int fd = -1;
    uint64_t pid = 0;
    int r;

    ctl_complain_quietly(true);
    fd = ask_connect(ctl, v->config->name);
    r = fd < 0 ? fd : figures_ask(ctl, v->config->name, fd, &v->figures);
    ctl_complain_quietly(false);
    if (fd == -ENOENT)
        return say_stopped(units, v);
    if (r < 0)
        return say(&v->status_reason, "not known: %s", ctl_complaint());
    v->status = v->figures.pool;
    v->runtime_told = v->status->generation_usec > 0;
    for (size_t i = 0; i < v->status->n_workers && pid == 0; i++)
        if (v->figures.workers[i].generation == v->status->generation)
            pid = v->figures.workers[i].pid;
    look_at(pid > 0 ? pid : v->status->template_pid, &v->process);
    return 0;
}

static void find_age(SandboxView *v)
{
    for (size_t i = 0; i < v->config->n_files; i++) {
        struct stat st;

        if (stat(v->config->files[i], &st) == 0)
            v->file_usec = MAX(v->file_usec, (uint64_t)st.st_mtim.tv_sec * USEC_PER_SEC +
                                                 (uint64_t)st.st_mtim.tv_nsec / 1000);
    }
}

/* What the workers found counts: a service may be denied what this program may ask. */
static int find_landlock(const SandboxView *v)
{
    static const char word[] = "landlock-";
    const char *p = v->runtime_told ? strstr(v->status->sandbox, word) : NULL;

    if (!v->runtime_told)
        return MAX(landlock_find_abi(), 0);
    return p ? atoi(p + strlen(word)) : 0;
}

/* Of the machine; which of them the service has is its manager's to say. */
static void find_controllers(SandboxView *v)
{
    _cleanup_free_ char *text = NULL;

    v->cgroups_known = fd_read_file("/sys/fs/cgroup/cgroup.controllers", 4096, &text, NULL) == 0;
    v->limits_memory = text && match_word(text, "memory");
    v->limits_tasks = text && match_word(text, "pids");
}

static int gather(const Ctl *ctl, SandboxView *v)
{
    _cleanup_(units_closep) Units *units = NULL;
    const PoolConfig *c = v->config;
    const char *bad;
    int r = units_open(&units, ctl->user);

    if (r < 0)
        r = say(&v->unit_reason,
                "systemd cannot be asked (%s): what the unit restricts is not known", strerror(-r));
    else
        r = read_unit(ctl, units, v);
    if (r == 0)
        r = find_ids(v);
    if (r == 0)
        r = find_neighbours(ctl, v);
    if (r == 0)
        r = ask_manager(ctl, units, v);
    if (r < 0)
        return r;
    find_age(v);
    v->landlock_abi = find_landlock(v);
    find_controllers(v);
    v->calls_known =
        c->sandbox_seccomp == SANDBOX_SECCOMP_OFF ||
        syscall_set_build((SyscallProfile)c->sandbox_seccomp,
                          (const char *const *)c->sandbox_syscalls.items, c->sandbox_syscalls.n,
                          c->sandbox_exec, &v->calls, &bad) == 0;
    return 0;
}

int sandbox_view_make(const Ctl *ctl, const char *pool, SandboxView *ret)
{
    _cleanup_(sandbox_view_done) SandboxView v = {.user_scope = ctl->user, .uid = UINT64_MAX};
    _cleanup_buffer_ Buffer complaints = {0};
    PoolFile file = {.name = (char *)(uintptr_t)pool};
    int r;

    unit_name(UNIT_SERVICE, pool, v.unit_name);
    r = pool_file_load(ctl, &file, &v.file_issues, &v.owned_config);
    if (!v.owned_config) {
        if (r != -ENOMEM && ctl_write_issues(&complaints, &v.file_issues) == 0)
            fwrite(complaints.data, 1, complaints.size, stderr);
        return EXIT_STATUS_CONFIG;
    }
    v.config = v.owned_config;
    if (gather(ctl, &v) < 0) {
        ctl_complain("%s", strerror(ENOMEM));
        return EXIT_STATUS_FAILURE;
    }
    *ret = v;
    v = (SandboxView){0};
    return EXIT_STATUS_OK;
}
