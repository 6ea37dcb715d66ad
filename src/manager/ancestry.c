#include "manager/ancestry.h"

#include "base/fd.h"
#include "manager/manager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* More generations than anybody has; a loop, which reused pids could make, ends. */
#define ANCESTORS_MAX 1000

/* proc(5): /proc/PID/stat is "pid (name) state ppid …", and the name may have anything in it. The
 * parent, or -1. */
static pid_t parent_of(pid_t pid)
{
    _cleanup_free_ char *text = NULL;
    char path[64];
    char *end;
    int parent;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (fd_read_file(path, 4096, &text, NULL) < 0)
        return -1;
    end = strrchr(text, ')');
    return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : -1;
}

/* Of those that cannot be seen. One that is dead has left its connection to somebody else. */
static bool may_be_ours(pid_t pid)
{
    pid_t pids[4096];
    size_t n = cgroup_list(pids, ARRAY_SIZE(pids));

    if (kill(pid, 0) < 0 && errno == ESRCH)
        return true;
    for (size_t i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    /* None: not a unit of ours. That many: not all of them. */
    return n == 0 || n == ARRAY_SIZE(pids);
}

bool ancestry_is_ours(pid_t pid)
{
    pid_t p = pid;

    for (unsigned i = 0; p >= 0 && i < ANCESTORS_MAX; i++) {
        if (p == getpid())
            return true;
        /* What systemd starts for our unit, fpmctl of ExecReload=, is its child as we are. */
        if (p <= 1 || p == getppid())
            return false;
        p = parent_of(p);
    }
    return may_be_ours(pid);
}
