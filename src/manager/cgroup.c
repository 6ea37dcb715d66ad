#include "base/fd.h"
#include "base/parse.h"
#include "manager/manager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_ROUNDS 50

/* The cgroup.procs file of our own cgroup, if that is one of our service units: under another
 * service manager or in a login session the cgroup holds processes that are none of our business.
 */
static char *cgroup_procs_path(void)
{
    _cleanup_free_ char *text = NULL;
    char *path, *line, *leaf, *result = NULL;

    if (fd_read_file("/proc/self/cgroup", 65536, &text, NULL) < 0)
        return NULL;
    path = strncmp(text, "0::", 3) == 0 ? text + 3 : strstr(text, "\n0::");
    if (!path)
        return NULL;
    if (path[0] == '\n')
        path += 4;
    line = strchrnul(path, '\n');
    *line = 0;
    leaf = strrchr(path, '/');
    if (!leaf || strncmp(leaf, "/fpmd@", 6) != 0 || !strstr(leaf, ".service"))
        return NULL;
    if (asprintf(&result, "/sys/fs/cgroup%s/cgroup.procs", path) < 0)
        return NULL;
    return result;
}

/* Calls f for each pid of the cgroup but our own; returns how many. */
static unsigned cgroup_each(const char *procs, void (*f)(pid_t pid))
{
    _cleanup_free_ char *text = NULL;
    char *save = NULL;
    unsigned n = 0;

    if (fd_read_file(procs, 16 * 1024 * 1024, &text, NULL) < 0)
        return 0;
    for (char *word = strtok_r(text, "\n", &save); word; word = strtok_r(NULL, "\n", &save)) {
        uint64_t pid;

        /* 0: a process that our pid namespace does not show. */
        if (parse_u64(word, 1, INT32_MAX, &pid) < 0 || (pid_t)pid == getpid())
            continue;
        if (f)
            f((pid_t)pid);
        n++;
    }
    return n;
}

static void kill_hard(pid_t pid)
{
    kill(pid, SIGKILL);
}

unsigned cgroup_count(void)
{
    _cleanup_free_ char *procs = cgroup_procs_path();

    return procs ? cgroup_each(procs, NULL) : 0;
}

unsigned cgroup_sweep(void)
{
    _cleanup_free_ char *procs = cgroup_procs_path();
    unsigned first = 0;

    if (!procs)
        return 0;
    /* Again until empty: a process may fork between the reading and the killing. */
    for (int round = 0; round < SWEEP_ROUNDS; round++) {
        unsigned n = cgroup_each(procs, kill_hard);

        if (round == 0)
            first = n;
        if (n == 0)
            break;
        usleep(10 * 1000);
    }
    return first;
}
