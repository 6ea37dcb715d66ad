#include "manager/worker_cgroup.h"

#include "base/fd.h"
#include "log/log.h"
#include "manager/manager.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANAGER_GROUP "manager"
#define WORKER_PREFIX "worker-"

/* Looks at the upper group until it is empty: a process that is moved may have forked meanwhile. */
#define MOVE_ROUNDS 20

static bool wants_memory(const PoolConfig *c)
{
    return c->pm_worker_memory_max_bytes > 0;
}

static bool wants_tasks(const PoolConfig *c)
{
    return c->pm_worker_tasks_max > 0;
}

/* What a directive needs. */
static const struct {
    const char *directive, *controller;
    bool (*is_wanted)(const PoolConfig *c);
} kinds[] = {
    {"pm.worker_memory_max", "memory", wants_memory},
    {"pm.worker_tasks_max", "pids", wants_tasks},
};

bool worker_cgroup_is_wanted(const PoolConfig *c)
{
    return wants_memory(c) || wants_tasks(c);
}

/* ---- files ---- */

static int write_file(const char *folder, const char *name, const char *format, ...) _printf_(3, 4);

/* One write(2): the kernel takes it as a whole. */
static int write_file(const char *folder, const char *name, const char *format, ...)
{
    char path[PATH_MAX], text[64];
    _cleanup_fd_ int fd = -1;
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (n < 0 || n >= (int)sizeof(text) ||
        snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    return write(fd, text, (size_t)n) < 0 ? -errno : 0;
}

static char *read_file(const char *folder, const char *name)
{
    char path[PATH_MAX];
    char *text = NULL;

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) ||
        fd_read_file(path, 65536, &text, NULL) < 0)
        return NULL;
    return text;
}

/* A word of a file like "cpu memory pids\n". */
static bool file_has(const char *folder, const char *name, const char *word)
{
    _cleanup_free_ char *text = read_file(folder, name);
    char *save = NULL;

    for (char *w = text ? strtok_r(text, " \n", &save) : NULL; w; w = strtok_r(NULL, " \n", &save))
        if (strcmp(w, word) == 0)
            return true;
    return false;
}

static bool worker_group(const char *folder, pid_t pid, char *path, size_t size)
{
    return snprintf(path, size, "%s/" WORKER_PREFIX "%d", folder, (int)pid) < (int)size;
}

static int make_group(const char *path)
{
    /* One of that name is left of a worker that had the pid before. */
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* ---- the service's cgroup ---- */

/* Why the pool cannot have the controller; false: it can. */
static bool complain(const char *folder, const char *mount, const PoolConfig *c, size_t kind,
                     ConfigIssues *issues)
{
    const char *directive = kinds[kind].directive, *controller = kinds[kind].controller;

    if (!file_has(mount, "cgroup.controllers", controller)) {
        config_issues_add_at(issues, CONFIG_ERROR, c, directive,
                             "this machine has no %s controller for cgroups of version 2 (%s), "
                             "expected one that boots with systemd.unified_cgroup_hierarchy=1 and "
                             "without cgroup_disable=%s, or a container that is given it; or no %s",
                             controller, mount, controller, directive);
        return true;
    }
    if (!file_has(folder, "cgroup.controllers", controller)) {
        config_issues_add_at(issues, CONFIG_ERROR, c, directive,
                             "the service does not have the %s controller for its cgroup, expected "
                             "Delegate=%s: 'fpmctl apply %s' writes the drop-in, then restart the "
                             "service",
                             controller, controller, c->name);
        return true;
    }
    return false;
}

static int move_all(const char *folder, const char *leaf)
{
    for (int round = 0; round < MOVE_ROUNDS; round++) {
        pid_t pids[256];
        size_t n = cgroup_list_group(folder, pids, ARRAY_SIZE(pids));

        if (n == 0)
            return 0;
        for (size_t i = 0; i < n; i++) {
            int r = write_file(leaf, "cgroup.procs", "%d", (int)pids[i]);

            if (r < 0 && r != -ESRCH)
                return r;
        }
    }
    return -EBUSY;
}

/* Controllers for what is below; the group has to be empty for that. */
static int set_up(const char *folder, const PoolConfig *c)
{
    char leaf[PATH_MAX];
    int r;

    if (snprintf(leaf, sizeof(leaf), "%s/" MANAGER_GROUP, folder) >= (int)sizeof(leaf))
        return -ENAMETOOLONG;
    r = make_group(leaf);
    if (r == 0)
        r = move_all(folder, leaf);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].is_wanted(c) &&
            !file_has(folder, "cgroup.subtree_control", kinds[i].controller))
            r = write_file(folder, "cgroup.subtree_control", "+%s", kinds[i].controller);
    return r;
}

int worker_cgroup_prepare(const char *folder, const char *mount, const PoolConfig *c,
                          const PoolIds *ids, ConfigIssues *issues)
{
    const char *directive = wants_memory(c) ? kinds[0].directive : kinds[1].directive;
    int r = 0;

    if (!worker_cgroup_is_wanted(c))
        return 0;
    if (ids->keep || ids->uid == geteuid()) {
        config_issues_add_at(issues, CONFIG_ERROR, c, directive,
                             "the workers have the user of the manager, so they could change the "
                             "limits of their own cgroups, expected a service without User= of the "
                             "pool's own, or no %s",
                             directive);
        return -EPERM;
    }
    if (!folder) {
        config_issues_add_at(issues, CONFIG_ERROR, c, directive,
                             "the manager has no cgroup of a service to divide, expected "
                             "fpmd@%s.service on a machine with cgroups of version 2, or no %s",
                             c->name, directive);
        return -ENOTSUP;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].is_wanted(c) && complain(folder, mount, c, i, issues))
            r = -EOPNOTSUPP;
    if (r < 0)
        return r;
    r = set_up(folder, c);
    if (r < 0)
        config_issues_add_at(issues, CONFIG_ERROR, c, directive,
                             "the cgroup of the service cannot be divided (%s), expected Delegate= "
                             "and ProtectControlGroups=no: 'fpmctl apply %s' writes the drop-in, "
                             "then restart the service",
                             strerror(-r), c->name);
    return r;
}

void worker_cgroups_release(const char *folder)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (file_has(folder, "cgroup.subtree_control", kinds[i].controller))
            write_file(folder, "cgroup.subtree_control", "-%s", kinds[i].controller);
}

/* ---- the group of a worker ---- */

static int limit_memory(const char *group, uint64_t bytes, const char **ret_file)
{
    int r;

    *ret_file = "memory.max";
    r = write_file(group, "memory.max", "%" PRIu64, bytes);
    if (r < 0)
        return r;
    /* The worker ends with what it has started, not one process of these. */
    *ret_file = "memory.oom.group";
    r = write_file(group, "memory.oom.group", "1");
    if (r < 0)
        return r;
    /* Else it would swap before. A kernel without swap accounting has no such file. */
    *ret_file = "memory.swap.max";
    r = write_file(group, "memory.swap.max", "0");
    return r == -ENOENT ? 0 : r;
}

int worker_cgroup_make(const char *folder, const PoolConfig *c, pid_t pid, const char **ret_file)
{
    char group[PATH_MAX];
    int r;

    *ret_file = "its folder";
    if (!worker_group(folder, pid, group, sizeof(group)))
        return -ENAMETOOLONG;
    r = make_group(group);
    if (r == 0 && wants_memory(c))
        r = limit_memory(group, c->pm_worker_memory_max_bytes, ret_file);
    if (r == 0 && wants_tasks(c)) {
        *ret_file = "pids.max";
        r = write_file(group, "pids.max", "%u", c->pm_worker_tasks_max);
    }
    if (r < 0)
        return r;
    *ret_file = "cgroup.procs";
    return write_file(group, "cgroup.procs", "%d", (int)pid);
}

void worker_cgroup_enter(Worker *w)
{
    _cleanup_free_ char *folder = NULL;
    LinkMessage go = {.type = LINK_GO};
    Generation *g = w->generation;
    const char *file = "the cgroup of the service";
    LogRecord record;
    int r;

    if (!worker_cgroup_is_wanted(g->config))
        return;
    folder = cgroup_folder();
    r = folder ? worker_cgroup_make(folder, g->config, w->pid, &file) : -ENOENT;
    if (r == -ESRCH) /* it has ended meanwhile */
        return;
    if (r == 0) {
        link_send(w->life_line, &go, NULL, 0);
        return;
    }
    log_record_begin(&record, LOG_ERR, LOG_MESSAGE_CGROUP_FAILED);
    log_record_field(&record, "WORKER_PID", "%d", (int)w->pid);
    log_record_field(&record, "GENERATION", "%u", g->number);
    log_record_send(&record,
                    "Worker %d is ended: it cannot be put into a cgroup of its own: %s: %s",
                    (int)w->pid, file, strerror(-r));
    if (g->state == GENERATION_FORKING && !g->reason[0])
        snprintf(g->reason, sizeof(g->reason),
                 "a worker cannot be put into a cgroup of its own: %s: %s", file, strerror(-r));
    worker_kill(w);
}

bool worker_cgroup_ran_out(const char *folder, pid_t pid)
{
    _cleanup_free_ char *text = NULL;
    char group[PATH_MAX];
    char *save = NULL;

    if (!worker_group(folder, pid, group, sizeof(group)))
        return false;
    text = read_file(group, "memory.events");
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        unsigned long long n;

        if (sscanf(line, "oom_kill %llu", &n) == 1)
            return n > 0;
    }
    return false;
}

void worker_cgroups_trim(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    if (!dir)
        return;
    /* EBUSY: a program that a script has left behind is still there. */
    while ((entry = readdir(dir)))
        if (strncmp(entry->d_name, WORKER_PREFIX, strlen(WORKER_PREFIX)) == 0)
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    closedir(dir);
}
