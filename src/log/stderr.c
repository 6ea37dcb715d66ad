#include "log/stderr.h"

#include "base/utf8.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The line under way. At most PIPE_BUF bytes at once: a pipe that polls writable takes as many
 * without blocking, and keeps them together (pipe(7)). */
typedef struct Line {
    int result;
    size_t size;
    char data[PIPE_BUF];
} Line;

static int line_fd = STDERR_FILENO;

/* The last line could not be written to its end. */
static bool line_is_open;

/* O_NONBLOCK would belong to all who share this stderr, a shell for example: ask before writing. */
static int write_some(const char *data, size_t n)
{
    struct pollfd p = {.fd = line_fd, .events = POLLOUT};

    while (n > 0) {
        ssize_t k = send(line_fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (k < 0 && errno == ENOTSOCK) {
            if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLOUT))
                return -EAGAIN;
            k = write(line_fd, data, n);
        }
        if (k < 0 && errno != EINTR)
            return -errno;
        if (k > 0) {
            data += k;
            n -= (size_t)k;
        }
    }
    return 0;
}

static void line_flush(Line *line)
{
    if (line->result == 0 && line->size > 0) {
        line->result = write_some(line->data, line->size);
        line_is_open = line->data[line->size - 1] != '\n' || line->result < 0;
    }
    line->size = 0;
}

static void line_add(Line *line, const char *data, size_t n)
{
    if (sizeof(line->data) - line->size < n)
        line_flush(line);
    memcpy(line->data + line->size, data, n);
    line->size += n;
}

static void line_add_escaped(Line *line, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    const char escape[] = {'\\', 'x', hex[byte >> 4], hex[byte & 15]};

    if (byte == '\n')
        line_add(line, "\\n", 2);
    else if (byte == '\t')
        line_add(line, "\t", 1);
    else
        line_add(line, escape, sizeof(escape));
}

static void line_add_text(Line *line, const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t length = utf8_decode(text + i, n - i, &code);

        if (length > 0 && utf8_is_printable(code)) {
            line_add(line, text + i, length);
            i += length;
        } else {
            line_add_escaped(line, (uint8_t)text[i++]);
        }
    }
}

void stderr_set_fd(int fd)
{
    line_fd = fd;
    line_is_open = false;
}

int stderr_write(const char *identifier, const char *pool, const char *text, size_t n)
{
    Line line = {.result = 0};

    if (line_is_open)
        line_add(&line, "\n", 1);
    line_add_text(&line, identifier, strlen(identifier));
    if (pool) {
        line_add(&line, "[", 1);
        line_add_text(&line, pool, strlen(pool));
        line_add(&line, "]", 1);
    }
    line_add(&line, ": ", 2);
    line_add_text(&line, text, n);
    line_add(&line, "\n", 1);
    line_flush(&line);
    return line.result;
}
