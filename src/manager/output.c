#include "manager/output.h"

#include "base/fd.h"
#include "manager/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void output_log(const Output *o, const char *line, size_t n)
{
    LogRecord r;

    if (n > 0 && line[n - 1] == '\r')
        n--;
    if (n == 0)
        return;
    log_record_begin(&r, o->priority, o->message);
    if (o->pid > 0)
        log_record_field(&r,
                         o->message == LOG_MESSAGE_WORKER_OUTPUT     ? "WORKER_PID"
                         : o->message == LOG_MESSAGE_TEMPLATE_OUTPUT ? "TEMPLATE_PID"
                                                                     : "PORTER_PID",
                         "%d", (int)o->pid);
    log_record_field(&r, "GENERATION", "%u", o->generation);
    log_record_field(&r, "STREAM", "%s", o->stream);
    log_record_send(&r, "%.*s", (int)n, line);
}

/* Appends to the open line and logs each complete one. */
static void output_take(Output *o, const char *data, size_t n)
{
    while (n > 0) {
        const char *newline = memchr(data, '\n', n);
        size_t piece = newline ? (size_t)(newline - data) : n;
        size_t room = OUTPUT_LINE_MAX - o->size;

        if (o->size == 0 && newline && piece <= OUTPUT_LINE_MAX)
            output_log(o, data, piece);
        else {
            if (!o->line)
                o->line = malloc(OUTPUT_LINE_MAX);
            if (!o->line)
                return;
            if (piece > room) {
                newline = NULL;
                piece = room;
            }
            memcpy(o->line + o->size, data, piece);
            o->size += piece;
            if (newline || o->size == OUTPUT_LINE_MAX) {
                output_log(o, o->line, o->size);
                o->size = 0;
                free(TAKE_PTR(o->line));
            }
        }
        data += piece + (newline ? 1 : 0);
        n -= piece + (newline ? 1 : 0);
    }
}

/* Returns false at the end of the pipe. */
static bool output_read(Output *o)
{
    char data[8192];
    ssize_t n = read(o->fd, data, sizeof(data));

    if (n > 0)
        output_take(o, data, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Output *o = userdata;

    if (!output_read(o))
        output_close(o);
    return 0;
}

int output_adopt(Output *o, sd_event *event, const char *stream, LogMessage message, int priority,
                 unsigned generation, int fd, pid_t pid)
{
    int r;

    *o = (Output){.fd = -1,
                  .stream = stream,
                  .message = message,
                  .priority = priority,
                  .pid = pid,
                  .generation = generation};
    r = sd_event_add_io(event, &o->source, fd, EPOLLIN, on_output, o);
    if (r < 0)
        return r;
    sd_event_source_set_priority(o->source, PRIORITY_OUTPUT);
    o->fd = fd;
    return 0;
}

int output_open(Output *o, sd_event *event, const char *stream, LogMessage message, int priority,
                unsigned generation, int *ret_peer)
{
    _cleanup_fd_ int reader = -1, writer = -1;
    int pair[2], r;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    reader = pair[0];
    writer = pair[1];
    r = fd_set_nonblock(reader, true);
    if (r == 0)
        r = output_adopt(o, event, stream, message, priority, generation, reader, 0);
    if (r < 0)
        return r;
    reader = -1;
    *ret_peer = TAKE_FD(writer);
    return 0;
}

void output_flush(Output *o)
{
    if (o->size > 0)
        output_log(o, o->line, o->size);
    free(TAKE_PTR(o->line));
    o->size = 0;
}

void output_close(Output *o)
{
    if (o->fd >= 0)
        /* Bounded: a child of the worker may go on writing for ever. */
        for (int i = 0; i < 16; i++) {
            char data[8192];
            ssize_t n = read(o->fd, data, sizeof(data));

            if (n <= 0)
                break;
            output_take(o, data, (size_t)n);
        }
    output_flush(o);
    o->source = sd_event_source_disable_unref(o->source);
    o->fd = fd_close(o->fd);
}
