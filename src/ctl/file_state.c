#include "ctl/file_state.h"
#include "base/fd.h"
#include "ctl/import_texts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4 * 1024 * 1024)

void file_state_done(FileState *s)
{
    free(s->data);
    *s = (FileState){0};
}

static int read_link(const char *path, const struct stat *st, FileState *ret)
{
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target));
    char *copy;

    if (n < 0)
        return -errno;
    copy = strndup(target, (size_t)n);
    if (!copy)
        return -ENOMEM;
    *ret = (FileState){FILE_LINK, copy, (size_t)n, 0777, st->st_uid, st->st_gid};
    return 0;
}

static int read_regular(const char *path, FileState *ret)
{
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    char *text;
    size_t n;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    r = fd_read_all(fd, FILE_MAX_BYTES, &text, &n);
    if (r < 0)
        return r;
    *ret = (FileState){FILE_REGULAR, text, n, st.st_mode & 07777, st.st_uid, st.st_gid};
    return 0;
}

int file_state_read(const char *path, FileState *ret)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return -errno;
        *ret = (FileState){.kind = FILE_NONE};
        return 0;
    }
    return S_ISLNK(st.st_mode)   ? read_link(path, &st, ret)
           : S_ISREG(st.st_mode) ? read_regular(path, ret)
                                 : -EINVAL;
}

bool file_state_is_same(const FileState *a, const FileState *b)
{
    return a->kind == b->kind && a->n == b->n && (a->n == 0 || memcmp(a->data, b->data, a->n) == 0);
}

int file_write_all(int fd, const void *data, size_t n)
{
    const char *p = data;

    while (n > 0) {
        ssize_t k = write(fd, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -errno;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

int file_sync_folder(const char *path)
{
    _cleanup_free_ char *folder = path_folder(path);
    _cleanup_fd_ int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    return !folder ? -ENOMEM : fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* systemd and fpmd read only *.conf. */
static char *temporary_name(const char *path)
{
    _cleanup_free_ char *folder = path_folder(path);
    char *name;

    return folder && asprintf(&name, "%s/.%s~", folder, path_base(path)) >= 0 ? name : NULL;
}

void file_state_sweep(const char *path)
{
    _cleanup_free_ char *temporary = temporary_name(path);

    if (temporary)
        unlink(temporary);
}

/* -1 stands for no change, as with chown(2). */
static int give(int fd, const char *path, uid_t uid, gid_t gid)
{
    struct stat st;

    if (fstatat(fd, path, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if ((uid == (uid_t)-1 || uid == st.st_uid) && (gid == (gid_t)-1 || gid == st.st_gid))
        return 0;
    return fchownat(fd, path, uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* The group before the permissions, which are not for any other; the owner last, since only he may
 * change them. */
static int make_file(const char *path, const FileState *s)
{
    _cleanup_fd_ int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    int r;

    if (fd < 0)
        return -errno;
    r = file_write_all(fd, s->data, s->n);
    if (r == 0)
        r = give(fd, "", (uid_t)-1, s->gid);
    if (r == 0 && fchmod(fd, s->mode & 0755) < 0)
        r = -errno;
    if (r == 0)
        r = give(fd, "", s->uid, (gid_t)-1);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

static int make_link(const char *path, const FileState *s)
{
    return symlink(s->data, path) < 0 ? -errno : give(AT_FDCWD, path, s->uid, s->gid);
}

int file_state_write(const char *path, const FileState *s)
{
    _cleanup_free_ char *temporary = temporary_name(path);
    int r;

    if (!temporary)
        return -ENOMEM;
    if (s->kind == FILE_NONE) {
        if (unlink(path) < 0)
            return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        return file_sync_folder(path);
    }
    if (unlink(temporary) < 0 && errno != ENOENT)
        return -errno;
    r = s->kind == FILE_LINK ? make_link(temporary, s) : make_file(temporary, s);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(temporary);
        return r;
    }
    return file_sync_folder(path);
}
