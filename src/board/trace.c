#include "board/trace.h"

#include "base/fd.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Without them the memory could go away while it is read or written. */
#define NEEDED_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert(sizeof(TraceArea) <= TRACE_TEXT_AT, "the head fits before the text");

int trace_create(const TraceArea *wish)
{
    _cleanup_fd_ int fd = memfd_create("fpmd-trace", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    TraceArea area = {
        .version = TRACE_VERSION,
        .number = wish->number,
        .pid = wish->pid,
        .depth = wish->depth,
        .request_usec = wish->request_usec,
    };

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, TRACE_AREA_SIZE) < 0)
        return -errno;
    if (pwrite(fd, &area, sizeof(area), 0) != (ssize_t)sizeof(area))
        return errno > 0 ? -errno : -EIO;
    if (fcntl(fd, F_ADD_SEALS, NEEDED_SEALS) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* 0 when fd is such an area, which nobody can cut off. */
static int check_area(int fd)
{
    return fd_check_sealed(fd, NEEDED_SEALS, TRACE_AREA_SIZE);
}

int trace_attach(int fd, TraceArea **ret)
{
    int r = check_area(fd);
    void *p;

    if (r < 0)
        return r;
    p = mmap(NULL, TRACE_AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    if (((const TraceArea *)p)->version != TRACE_VERSION) {
        munmap(p, TRACE_AREA_SIZE);
        return -EBADMSG;
    }
    *ret = p;
    return 0;
}

/* Replaces what is no printable UTF-8, in place; the result is never longer. Returns its length. */
static size_t clean_text(char *text, size_t n)
{
    size_t to = 0;

    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t length = utf8_decode(text + i, n - i, &code);

        if (length > 0 && (utf8_is_printable(code) || code == '\n' || code == '\t')) {
            memmove(text + to, text + i, length);
            to += length;
            i += length;
            continue;
        }
        text[to++] = '?';
        i += MAX(length, (size_t)1);
    }
    return to;
}

/* Cuts off the last line if it is not complete; how many there are. */
static uint32_t count_lines(char *text, size_t *n)
{
    uint32_t lines = 0;

    while (*n > 0 && text[*n - 1] != '\n')
        (*n)--;
    for (size_t i = 0; i < *n; i++)
        lines += text[i] == '\n';
    text[*n] = 0;
    return lines;
}

int trace_read(int fd, TraceArea *ret, char **ret_text)
{
    _cleanup_free_ char *text = NULL;
    TraceArea area;
    ssize_t n;
    size_t size;
    int r = check_area(fd);

    if (r < 0)
        return r;
    /* A copy: what is checked is what is used. */
    if (pread(fd, &area, sizeof(area), 0) != (ssize_t)sizeof(area))
        return -EBADMSG;
    if (area.version != TRACE_VERSION || area.size > TRACE_TEXT_SIZE ||
        area.method >= _TRACE_METHOD_MAX)
        return -EBADMSG;
    text = malloc((size_t)area.size + 1);
    if (!text)
        return -ENOMEM;
    n = pread(fd, text, area.size, TRACE_TEXT_AT);
    if (n < 0)
        return -errno;
    size = clean_text(text, (size_t)n);
    area.n_frames = count_lines(text, &size);
    area.size = (uint32_t)size;
    area.result = area.result > 0 || area.result < -4095 ? -EBADMSG : area.result;
    area.reserved = 0;
    *ret = area;
    *ret_text = TAKE_PTR(text);
    return 0;
}
