#include "manager/ancestry.h"

#include "base/fd.h"
#include "manager/manager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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
    /* That many: not all of them. None: a pool that waits for its next try to start, or nobody
     * knows what is ours. */
    return n == ARRAY_SIZE(pids) || (n == 0 && !cgroup_is_of_service());
}

/* The control groups of a process as /proc/PID/cgroup has them, or NULL. */
static char *cgroups_of(const char *pid)
{
    char path[64];
    char *text = NULL;

    snprintf(path, sizeof(path), "/proc/%s/cgroup", pid);
    return fd_read_file(path, 65536, &text, NULL) < 0 ? NULL : text;
}

/* Wherever below that of our service either is. */
static bool is_in_our_cgroup(pid_t pid)
{
    char number[16];
    _cleanup_free_ char *own = cgroups_of("self"), *own_folder = NULL;
    _cleanup_free_ char *other = NULL, *other_folder = NULL;

    snprintf(number, sizeof(number), "%d", (int)pid);
    other = cgroups_of(number);
    if (!own || !other)
        return false;
    own_folder = cgroup_folder_of(own);
    other_folder = cgroup_folder_of(other);
    if (own_folder || other_folder)
        return own_folder && other_folder && strcmp(own_folder, other_folder) == 0;
    own[strcspn(own, "\n")] = 0;
    return strncmp(own, other, strlen(own)) == 0;
}

/* How many system call filters a process has, see proc(5); -ENODATA: unknown (before Linux 5.9);
 * another -errno. */
static long filters_of(const char *pid)
{
    static const char name[] = "\nSeccomp_filters:";
    _cleanup_free_ char *text = NULL;
    const char *found;
    char path[64];
    int r;

    snprintf(path, sizeof(path), "/proc/%s/status", pid);
    r = fd_read_file(path, 65536, &text, NULL);
    if (r < 0)
        return r;
    found = strstr(text, name);
    return found ? strtol(found + strlen(name), NULL, 10) : -ENODATA;
}

static bool is_shortage(long r)
{
    return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/*
 * What the pool of a manager that crashed has left has PID 1 as its parent, as has fpmctl of
 * ExecReload=, in the same control group. Filters tell them apart: systemd gives us and ExecReload=
 * the same ones, every process of a pool has those and the template's on top, and no process gets
 * rid of one.
 */
static bool is_left_over(pid_t pid)
{
    char number[16];
    long own, theirs;

    snprintf(number, sizeof(number), "%d", (int)pid);
    own = filters_of("self");
    theirs = filters_of(number);
    /* Without a descriptor to spare nothing can be seen: who cannot be told from them is one. */
    if (is_shortage(own) || is_shortage(theirs))
        return true;
    return theirs > own && is_in_our_cgroup(pid);
}

bool ancestry_is_ours(pid_t pid)
{
    pid_t p = pid;

    for (unsigned i = 0; p >= 0 && i < ANCESTORS_MAX; i++) {
        if (p == getpid())
            return true;
        /* What systemd starts for our unit, fpmctl of ExecReload=, is its child as we are. */
        if (p <= 1 || p == getppid())
            return is_left_over(pid);
        p = parent_of(p);
    }
    return may_be_ours(pid);
}
