#include "base/fd.h"
#include "base/parse.h"
#include "manager/manager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_ROUNDS 50

/* What was asked to answer and end has half a second. */
#define END_LOOKS     50
#define END_LOOK_USEC 10000

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

bool cgroup_is_of_service(void)
{
    _cleanup_free_ char *procs = cgroup_procs_path();

    return procs != NULL;
}

size_t cgroup_list(pid_t *pids, size_t n)
{
    _cleanup_free_ char *procs = cgroup_procs_path(), *text = NULL;
    char *save = NULL;
    size_t found = 0;

    if (!procs || fd_read_file(procs, 16 * 1024 * 1024, &text, NULL) < 0)
        return 0;
    for (char *word = strtok_r(text, "\n", &save); word && found < n;
         word = strtok_r(NULL, "\n", &save)) {
        uint64_t pid;

        /* 0: a process that our pid namespace does not show. */
        if (parse_u64(word, 1, INT32_MAX, &pid) == 0 && (pid_t)pid != getpid())
            pids[found++] = (pid_t)pid;
    }
    return found;
}

/* Only those that can have something to answer are waited for: a process of another program, which
 * knows nothing of the signal, ends of it. */
void cgroup_end_requests(int http_status)
{
    pid_t pids[ORPHANS_MAX];

    for (size_t i = 0, n = cgroup_list(pids, ARRAY_SIZE(pids)); i < n; i++)
        link_signal(pids[i], LINK_SIGNAL_END, http_status);
    for (int i = 0; i < END_LOOKS && cgroup_list(pids, 1) > 0; i++)
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
