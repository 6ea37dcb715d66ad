#include "ctl/dropin.h"
#include "base/fd.h"
#include "ctl/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_BYTES (1024 * 1024)

static char *folder_of(const char *unit_dir, const char *unit)
{
    char *path;

    return asprintf(&path, "%s/%s.d", unit_dir, unit) < 0 ? NULL : path;
}

static int make_folders(const char *path)
{
    _cleanup_free_ char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    for (char *p = strchr(copy + 1, '/');; p = strchr(p + 1, '/')) {
        if (p)
            *p = 0;
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return -errno;
        if (!p)
            return 0;
        *p = '/';
    }
}

int dropin_read(const char *unit_dir, const char *unit, char **ret_text)
{
    _cleanup_free_ char *path = NULL;
    char *text;
    int r;

    if (asprintf(&path, "%s/%s.d/" APPLY_DROPIN, unit_dir, unit) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = fd_read_file(path, SIZE_MAX_BYTES, &text, NULL);
    if (r == -ENOENT || r == -ENOTDIR)
        text = NULL;
    else if (r < 0)
        return r;
    *ret_text = text;
    return 0;
}

static int write_all(int fd, const Buffer *text)
{
    for (size_t done = 0; done < text->size;) {
        ssize_t n = write(fd, text->data + done, text->size - done);

        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* systemd reads only *.conf. file_state_sweep() knows the name. */
static int replace(int dir, const Buffer *text)
{
    static const char temporary[] = "." APPLY_DROPIN "~";
    _cleanup_fd_ int fd = -1;
    int r;

    /* Of a writer that was cut off. */
    if (unlinkat(dir, temporary, 0) < 0 && errno != ENOENT)
        return -errno;
    fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = write_all(fd, text);
    if (r == 0 && renameat(dir, temporary, dir, APPLY_DROPIN) < 0)
        r = -errno;
    if (r < 0)
        unlinkat(dir, temporary, 0);
    else if (fsync(dir) < 0)
        r = -errno;
    return r;
}

int dropin_write(const char *unit_dir, const char *unit, const Buffer *text)
{
    _cleanup_free_ char *folder = folder_of(unit_dir, unit);
    _cleanup_fd_ int dir = -1;
    int r = folder ? make_folders(folder) : -ENOMEM;

    if (r < 0)
        return r;
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -errno : replace(dir, text);
}

int dropin_remove(const char *unit_dir, const char *unit)
{
    _cleanup_free_ char *folder = folder_of(unit_dir, unit);
    _cleanup_fd_ int dir = -1;

    if (!folder)
        return -ENOMEM;
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || unlinkat(dir, APPLY_DROPIN, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fsync(dir) < 0)
        return -errno;
    /* With files of others in it, it stays. */
    (void)rmdir(folder);
    return 0;
}
