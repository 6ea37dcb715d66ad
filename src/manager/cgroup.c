#include "base/fd.h"
#include "base/parse.h"
#include "manager/manager.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_ROUNDS 50

/* What was asked to answer and end has half a second. */
#define END_LOOKS     50
#define END_LOOK_USEC 10000

/* Groups below ours: of workers (manager/worker_cgroup.h), and systemd's own for ExecReload=. */
#define DEPTH_MAX 4

char *cgroup_folder_of(const char *lines)
{
    const char *path = strncmp(lines, "0::", 3) == 0 ? lines + 3 : strstr(lines, "\n0::");
    const char *unit;
    char *result;
    size_t n;

    if (!path)
        return NULL;
    if (path[0] == '\n')
        path += 4;
    n = strcspn(path, "\n");
    unit = memmem(path, n, "/fpmd@", 6);
    if (!unit)
        return NULL;
    n = (size_t)(unit - path) + 1 + strcspn(unit + 1, "/\n");
    if (!memmem(unit, n - (size_t)(unit - path), ".service", 8))
        return NULL;
    return asprintf(&result, CGROUP_MOUNT "%.*s", (int)n, path) < 0 ? NULL : result;
}

char *cgroup_folder(void)
{
    _cleanup_free_ char *text = NULL;

    return fd_read_file("/proc/self/cgroup", 65536, &text, NULL) < 0 ? NULL
                                                                     : cgroup_folder_of(text);
}

bool cgroup_is_of_service(void)
{
    _cleanup_free_ char *folder = cgroup_folder();

    return folder && access(folder, F_OK) == 0;
}

size_t cgroup_list_group(const char *folder, pid_t *pids, size_t n)
{
    _cleanup_free_ char *procs = NULL, *text = NULL;
    char *save = NULL;
    size_t found = 0;

    if (asprintf(&procs, "%s/cgroup.procs", folder) < 0) {
        procs = NULL;
        return 0;
    }
    if (fd_read_file(procs, 16 * 1024 * 1024, &text, NULL) < 0)
        return 0;
    for (char *word = strtok_r(text, "\n", &save); word && found < n;
         word = strtok_r(NULL, "\n", &save)) {
        uint64_t pid;

        /* 0: a process that our pid namespace does not show. */
        if (parse_u64(word, 1, INT32_MAX, &pid) == 0)
            pids[found++] = (pid_t)pid;
    }
    return found;
}

static size_t list_below(DIR *dir, const char *folder, unsigned depth, pid_t *pids, size_t n)
{
    size_t found = 0;

    while (found < n) {
        const struct dirent *entry = readdir(dir);
        _cleanup_free_ char *below = NULL;

        if (!entry)
            break;
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0)
            continue;
        if (asprintf(&below, "%s/%s", folder, entry->d_name) < 0) {
            below = NULL;
            break;
        }
        found += cgroup_list_tree(below, depth + 1, pids + found, n - found);
    }
    return found;
}

size_t cgroup_list_tree(const char *folder, unsigned depth, pid_t *pids, size_t n)
{
    size_t found = cgroup_list_group(folder, pids, n);
    DIR *dir;

    if (depth == DEPTH_MAX || found == n)
        return found;
    dir = opendir(folder);
    if (!dir)
        return found;
    found += list_below(dir, folder, depth, pids + found, n - found);
    closedir(dir);
    return found;
}

size_t cgroup_list(pid_t *pids, size_t n)
{
    _cleanup_free_ char *folder = cgroup_folder();
    size_t all = folder ? cgroup_list_tree(folder, 0, pids, n) : 0, found = 0;

    for (size_t i = 0; i < all; i++)
        if (pids[i] != getpid())
            pids[found++] = pids[i];
    return found;
}

/* Only those that can have something to answer are waited for: a process of another program, which
 * knows nothing of the signal, ends of it. */
void cgroup_end_requests(int http_status)
{
    pid_t pids[ORPHANS_MAX];

    for (size_t i = 0, n = cgroup_list(pids, ARRAY_SIZE(pids)); i < n; i++)
        link_signal(pids[i], LINK_SIGNAL_END, http_status);
    /* Two, since the first may be ourselves. */
    for (int i = 0; i < END_LOOKS && cgroup_list(pids, 2) > 0; i++)
        usleep(END_LOOK_USEC);
}

unsigned cgroup_sweep(void)
{
    unsigned first = 0;

    /* Again until empty: a process may fork between the reading and the killing. */
    for (int round = 0; round < SWEEP_ROUNDS; round++) {
        pid_t pids[256];
        size_t n = cgroup_list(pids, ARRAY_SIZE(pids));

        for (size_t i = 0; i < n; i++)
            kill(pids[i], SIGKILL);
        if (round == 0)
            first = (unsigned)n;
        if (n == 0)
            break;
        usleep(10 * 1000);
    }
    return first;
}
