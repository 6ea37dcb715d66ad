#include "manager/logpath.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* As many as the kernel follows, path_resolution(7). */
#define LINKS_MAX 40

typedef struct Walk {
    int dir;
    char *rest; /* of the path, from here on */
    unsigned n_links;
} Walk;

static void walk_done(Walk *w)
{
    fd_close(w->dir);
    free(w->rest);
}

/* Takes rest. */
static int walk_from(Walk *w, char *rest)
{
    if (!rest)
        return -ENOMEM;
    free(w->rest);
    w->rest = rest;
    if (rest[0] != '/' && w->dir >= 0)
        return 0;
    fd_close(w->dir);
    w->dir = open(rest[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return w->dir < 0 ? -errno : 0;
}

/* Whose target is a name in the file system; those of /proc/PID/fd lead to what is open there. */
static bool is_plain(int link)
{
    struct statfs fs;

    return fstatfs(link, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC;
}

/* The way goes on at the target of the link, and then behind it. */
static int follow(Walk *w, int link, uid_t owner, const char *behind)
{
    char target[PATH_MAX], *rest;
    ssize_t n;

    if ((owner != 0 && owner != geteuid()) || ++w->n_links > LINKS_MAX)
        return -ELOOP;
    n = readlinkat(link, "", target, sizeof(target) - 1);
    if (n < 0)
        return -errno;
    target[n] = 0;
    return walk_from(w, asprintf(&rest, "%s/%s", target, behind) < 0 ? NULL : rest);
}

/* One name of the path. The fd of the file if it was the last one; -EAGAIN: go on. */
static int step(Walk *w, int flags, mode_t mode)
{
    _cleanup_fd_ int next = -1;
    char name[NAME_MAX + 1];
    const char *p = w->rest + strspn(w->rest, "/"), *behind;
    size_t n = strcspn(p, "/");
    struct stat st;
    bool last;
    int fd, r;

    if (n == 0)
        return -EISDIR;
    if (n > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, p, n);
    name[n] = 0;
    behind = p + n + strspn(p + n, "/");
    last = !*behind;
    if (last) {
        fd = openat(w->dir, name, flags | O_NOFOLLOW, mode);
        if (fd >= 0 || errno != ELOOP)
            return fd < 0 ? -errno : fd;
    }
    next = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 || fstat(next, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode)) {
        if (last && !is_plain(next)) {
            fd = openat(w->dir, name, flags, mode);
            return fd < 0 ? -errno : fd;
        }
        r = follow(w, next, st.st_uid, behind);
        return r < 0 ? r : -EAGAIN;
    }
    if (last)
        return -ELOOP; /* it was a link a moment ago */
    fd_close(w->dir);
    w->dir = TAKE_FD(next);
    r = walk_from(w, strdup(behind));
    return r < 0 ? r : -EAGAIN;
}

int logpath_open(const char *path, int flags, mode_t mode)
{
    _cleanup_(walk_done) Walk w = {.dir = -1};
    int r;

    flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    r = walk_from(&w, strdup(path));
    if (r < 0)
        return r;
    do
        r = step(&w, flags, mode);
    while (r == -EAGAIN);
    return r;
}
