#include "runtime/php/body.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <limits.h>
#include <unistd.h>

/* What follows the folder in a path below it, or NULL. */
static const char *below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    while (n > 0 && folder[n - 1] == '/')
        n--;
    if (strncmp(path, folder, n) != 0 || path[n] != '/')
        return NULL;
    path += n + strspn(path + n, "/");
    return *path ? path : NULL;
}

/* One step down; O_PATH asks for nothing but the search permission that opening the file needs. */
static int step(int folder_fd, const char *name, size_t n)
{
    char component[NAME_MAX + 1];
    int fd;

    if (n > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(component, name, n);
    component[n] = 0;
    if (strcmp(component, "..") == 0)
        return -EPERM;
    fd = openat(folder_fd, component, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR ? -EPERM : -errno;
    return fd;
}

/* Neither links nor ".." lead out of the folder: by hand, since openat2(2) is not there below a
 * RestrictSUIDSGID= of the unit. */
static int open_folder_of(const char *folder, const char *rest, const char **ret_name)
{
    _cleanup_fd_ int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *slash;

    if (fd < 0)
        return -errno;
    while ((slash = strchr(rest, '/'))) {
        int next = step(fd, rest, (size_t)(slash - rest));

        if (next < 0)
            return next;
        fd_close(fd);
        fd = next;
        rest = slash + strspn(slash, "/");
    }
    *ret_name = rest;
    return TAKE_FD(fd);
}

static int open_below(const char *folder, const char *rest)
{
    const char *name = NULL;
    _cleanup_fd_ int folder_fd = open_folder_of(folder, rest, &name);
    struct stat st;
    int fd;

    if (folder_fd < 0)
        return folder_fd;
    /* A FIFO must not make the worker wait, nor a terminal become its own. */
    fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP ? -EPERM : -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        fd_close(fd);
        return -EINVAL;
    }
    return fd;
}

int body_open(const char *path, const char *const *folders, size_t n)
{
    const char *rest;
    int r = -EPERM;

    for (size_t i = 0; i < n; i++) {
        rest = below(path, folders[i]);
        if (!rest)
            continue;
        r = open_below(folders[i], rest);
        if (r >= 0)
            break;
    }
    return r;
}
