#include "manager/counter.h"

#include "base/fd.h"
#include "base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTER_MAX 1000000

char *counter_path(void)
{
    const char *folder = getenv("RUNTIME_DIRECTORY");
    char *path;

    /* Drop-ins may add folders behind ours (systemd.exec(5)). */
    if (!folder || folder[0] != '/' ||
        asprintf(&path, "%.*s/failed-starts", (int)strcspn(folder, ":"), folder) < 0)
        return NULL;
    return path;
}

unsigned counter_read(const char *path)
{
    /* Non-blocking: with User= of the pool's own, a script can put a FIFO there. */
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char text[16];
    uint64_t number;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    n = read(fd, text, sizeof(text) - 1);
    if (n < 2 || text[n - 1] != '\n')
        return 0;
    text[n - 1] = 0;
    if (strlen(text) != (size_t)n - 1 || parse_u64(text, 1, COUNTER_MAX, &number) < 0)
        return 0;
    return (unsigned)number;
}

int counter_write(const char *path, unsigned n)
{
    _cleanup_free_ char *next = NULL;
    _cleanup_fd_ int fd = -1;
    int r = 0;

    if (asprintf(&next, "%s.new", path) < 0)
        return -ENOMEM;
    unlink(next);
    fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    /* A number is written as a whole or, when the folder is full, not at all. */
    errno = 0;
    if (dprintf(fd, "%u\n", MIN(n, (unsigned)COUNTER_MAX)) < 2)
        r = errno > 0 ? -errno : -EIO;
    else if (rename(next, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(next);
    return r;
}

void counter_remove(const char *path)
{
    unlink(path);
}
