#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_close(int fd)
{
    if (fd >= 0) {
        int saved = errno;

        /* EINTR still closes on Linux: never retry. */
        close(fd);
        errno = saved;
    }
    return -1;
}

int fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
    return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_close_from(int first)
{
    return close_range((unsigned)first, ~0U, 0) < 0 ? -errno : 0;
}

int fd_read_all(int fd, size_t max_bytes, char **ret_text, size_t *ret_size)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0, room = 0;

    for (;;) {
        ssize_t n;

        if (size == room) {
            size_t wanted = room ? room * 2 : 4096;
            char *grown = realloc(text, wanted + 1);

            if (!grown)
                return -ENOMEM;
            text = grown;
            room = wanted;
        }
        n = pread(fd, text + size, room - size, (off_t)size);
        if (n < 0 && errno == ESPIPE)
            n = read(fd, text + size, room - size);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (n == 0)
            break;
        size += (size_t)n;
        if (size > max_bytes)
            return -EFBIG;
    }
    text[size] = 0;
    if (ret_size)
        *ret_size = size;
    *ret_text = TAKE_PTR(text);
    return 0;
}

int fd_read_file(const char *path, size_t max_bytes, char **ret_text, size_t *ret_size)
{
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    return fd_read_all(fd, max_bytes, ret_text, ret_size);
}

int fd_make_sealed(const char *name, const void *data, size_t n)
{
    _cleanup_fd_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const char *p = data;

    if (fd < 0)
        return -errno;
    while (n > 0) {
        ssize_t k = write(fd, p, n);

        if (k < 0)
            return -errno;
        p += k;
        n -= (size_t)k;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int fd_check_sealed(int fd, int seals, size_t size)
{
    int present = fcntl(fd, F_GET_SEALS);
    struct stat st;

    if (present < 0)
        return errno == EINVAL ? -EBADMSG : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    return (present & seals) == seals && st.st_size == (off_t)size ? 0 : -EBADMSG;
}

int fd_arrange(int *fds, size_t n, int first)
{
    /* Two rounds: out of the way first, so that no target number is still the source of another. */
    for (size_t i = 0; i < n; i++) {
        int moved = fcntl(fds[i], F_DUPFD_CLOEXEC, first + (int)n);

        if (moved < 0)
            return -errno;
        fds[i] = moved;
    }
    for (size_t i = 0; i < n; i++) {
        if (dup2(fds[i], first + (int)i) < 0)
            return -errno;
        fds[i] = first + (int)i;
    }
    return fd_close_from(first + (int)n);
}
