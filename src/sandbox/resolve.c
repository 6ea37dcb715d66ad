#include "sandbox/resolve.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many as the kernel follows (path_resolution(7)). */
#define LINKS_MAX   40
#define FOLDERS_MAX 64

/* Where we are: the folders that lead here, each open, so that ".." is where we came from, whoever
 * moves folders meanwhile. */
typedef struct Walk {
    int fds[FOLDERS_MAX];
    size_t n;
    char rest[2 * PATH_MAX]; /* not gone yet */
    unsigned n_links;
} Walk;

static int walk_top(const Walk *w)
{
    return w->fds[w->n - 1];
}

/* The first is the caller's. */
static void walk_back(Walk *w, size_t n)
{
    while (w->n > n)
        fd_close(w->fds[--w->n]);
}

static void walk_done(Walk *w)
{
    walk_back(w, 1);
}

/* Takes the next name off what is left. False: there is none. */
static bool walk_next(Walk *w, char name[static NAME_MAX + 1], int *ret_error)
{
    const char *p = w->rest + strspn(w->rest, "/");
    size_t n = strcspn(p, "/");

    *ret_error = n > NAME_MAX ? -ENAMETOOLONG : 0;
    if (n == 0 || n > NAME_MAX)
        return false;
    memcpy(name, p, n);
    name[n] = 0;
    memmove(w->rest, p + n, strlen(p + n) + 1);
    return true;
}

/* Whether this user could have made the link, which stands in the folder. */
static bool is_ours(int folder, const struct stat *link)
{
    struct stat st;

    if (geteuid() == 0)
        return false;
    if (link->st_uid == geteuid())
        return true;
    if (faccessat(folder, ".", W_OK, 0) < 0)
        return false;
    /* In a sticky folder nobody replaces what others own. */
    return fstat(folder, &st) < 0 || !(st.st_mode & S_ISVTX) || st.st_uid == geteuid();
}

static int walk_link(Walk *w, int fd, const struct stat *st)
{
    char target[PATH_MAX], joined[sizeof(w->rest)];
    ssize_t n;
    int length;

    if (++w->n_links > LINKS_MAX)
        return -ELOOP;
    if (is_ours(walk_top(w), st))
        return -EKEYREJECTED;
    n = readlinkat(fd, "", target, sizeof(target));
    if (n < 0)
        return -errno;
    length = snprintf(joined, sizeof(joined), "%.*s/%s", (int)n, target, w->rest);
    if (n == 0 || length < 0 || (size_t)length >= sizeof(joined))
        return -ENAMETOOLONG;
    if (target[0] == '/')
        walk_back(w, 1);
    memcpy(w->rest, joined, (size_t)length + 1);
    return 0;
}

static int walk_step(Walk *w, const char *name)
{
    _cleanup_fd_ int fd = -1;
    struct stat st;

    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0) {
        walk_back(w, w->n > 1 ? w->n - 1 : 1);
        return 0;
    }
    fd = openat(walk_top(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return walk_link(w, fd, &st);
    if (w->n == FOLDERS_MAX)
        return -ENAMETOOLONG;
    w->fds[w->n++] = TAKE_FD(fd);
    return 0;
}

/* The name of the link, as far as a descriptor tells. */
static void name_link(const Walk *w, const char *name, char *text, size_t size)
{
    char path[64], folder[PATH_MAX];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", walk_top(w));
    n = readlink(path, folder, sizeof(folder));
    snprintf(text, size, "%.*s/%s", n > 1 ? (int)n : 0, folder, name);
}

int resolve_path(int root, const char *path, char *ret_link, size_t size)
{
    _cleanup_(walk_done) Walk w = {.fds = {root}, .n = 1};
    char name[NAME_MAX + 1];
    int r;

    if (path[0] != '/')
        return -EINVAL;
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    strcpy(w.rest, path);
    while (walk_next(&w, name, &r)) {
        r = walk_step(&w, name);
        if (r == -EKEYREJECTED && ret_link)
            name_link(&w, name, ret_link, size);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    if (w.n > 1)
        return w.fds[--w.n];
    r = openat(root, ".", O_PATH | O_CLOEXEC);
    return r < 0 ? -errno : r;
}
