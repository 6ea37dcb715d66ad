#include "manager/output.h"

#include "base/clock.h"
#include "base/fd.h"
#include "manager/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A line may wait so long in its pipe after its request has ended. */
#define PAST_USEC (100 * USEC_PER_MSEC)

/* A line that asks for more would be on every terminal (ForwardToWall= of journald.conf(5)). */
#define PRIORITY_MAX LOG_CRIT

/* ---- one line ---- */

/* The request that the worker says it runs, or ran a moment ago. */
static void add_present_request(const Output *o, LogRecord *r)
{
    uint64_t now_usec = clock_monotonic_usec();
    BoardSlot slot;

    if (!o->slot || board_read(o->slot, now_usec, &slot) == -EBADMSG || slot.requests == 0)
        return;
    if (slot.state != WORKER_STATE_RUNNING && slot.state != WORKER_STATE_FINISHING &&
        now_usec - slot.last_active_usec > PAST_USEC)
        return;
    log_record_field(r, "REQUEST_ID", "%s", slot.request_id);
    log_record_field(r, "REQUEST_URI", "%s", slot.uri);
}

static void add_fields(const Output *o, LogRecord *r)
{
    if (o->pid > 0)
        log_record_field(r,
                         o->message == LOG_MESSAGE_WORKER_OUTPUT     ? "WORKER_PID"
                         : o->message == LOG_MESSAGE_TEMPLATE_OUTPUT ? "TEMPLATE_PID"
                                                                     : "PORTER_PID",
                         "%d", (int)o->pid);
    log_record_field(r, "GENERATION", "%u", o->generation);
    log_record_field(r, "STREAM", "%s", o->stream);
    if (o->request_id) {
        log_record_field(r, "REQUEST_ID", "%s", o->request_id);
        log_record_field(r, "REQUEST_URI", "%s", o->request_uri);
    } else
        add_present_request(o, r);
}

/* The level in front of a line ("<3>"), which is taken from it; -1: there is none. */
static int take_level(char **line, size_t *n)
{
    int level;

    if (*n < 3 || (*line)[0] != '<' || (*line)[1] < '0' || (*line)[1] > '7' || (*line)[2] != '>')
        return -1;
    level = (*line)[1] - '0';
    *line += 3;
    *n -= 3;
    return MAX(level, PRIORITY_MAX);
}

/* The line may be changed. */
static void output_log(const Output *o, char *line, size_t n)
{
    LogRecord r;
    int level;

    if (n > 0 && line[n - 1] == '\r')
        n--;
    level = take_level(&line, &n);
    if (n == 0)
        return;
    for (char *p; (p = memchr(line, 0, n));)
        *p = '?';
    /* log_level is for lines that say how important they are. */
    if (level >= 0)
        log_record_begin(&r, level, o->message);
    else
        log_record_begin_always(&r, o->priority, o->message);
    add_fields(o, &r);
    log_record_send(&r, "%.*s", (int)n, line);
}

/* ---- marks ---- */

static void forget_request(Output *o)
{
    free(TAKE_PTR(o->request_id));
    free(TAKE_PTR(o->request_uri));
}

static void take_line(Output *o, char *line, size_t n)
{
    const char *id, *uri;
    size_t id_size, uri_size;
    size_t end = o->has_marks ? mark_find(o->mark, line, n, &id, &id_size, &uri, &uri_size) : n;

    if (end == n) {
        output_log(o, line, n);
        return;
    }
    if (end > 0)
        output_log(o, line, end);
    forget_request(o);
    if (!id)
        return;
    o->request_id = strndup(id, MIN(id_size, (size_t)MARK_ID_MAX));
    o->request_uri = strndup(uri, MIN(uri_size, (size_t)MARK_URI_MAX));
    if (!o->request_id || !o->request_uri)
        forget_request(o);
}

/* ---- from bytes to lines ---- */

/* The open line is as long as a line may be: what of it is no mark becomes a record. */
static void take_open_line(Output *o)
{
    size_t end = o->has_marks ? mark_find_begun(o->mark, o->line.data, o->line.size) : o->line.size;

    output_log(o, o->line.data, end);
    memmove(o->line.data, o->line.data + end, o->line.size - end);
    o->line.size -= end;
}

/* Appends to the open line and logs each complete one. */
static void output_take(Output *o, char *data, size_t n)
{
    while (n > 0) {
        char *newline = memchr(data, '\n', n);
        size_t piece = newline ? (size_t)(newline - data) : n;

        if (o->line.size == 0 && newline)
            take_line(o, data, piece);
        else {
            if (piece > OUTPUT_LINE_MAX - o->line.size) {
                newline = NULL;
                piece = OUTPUT_LINE_MAX - o->line.size;
            }
            if (buffer_append(&o->line, data, piece) < 0) {
                buffer_done(&o->line); /* without memory the line is lost */
                return;
            }
            if (newline) {
                take_line(o, o->line.data, o->line.size);
                buffer_done(&o->line);
            } else if (o->line.size == OUTPUT_LINE_MAX)
                take_open_line(o);
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

void output_identify(Output *o, pid_t pid, uint64_t key, const volatile BoardSlot *slot)
{
    o->pid = pid;
    o->has_marks = key != 0;
    mark_prefix(key, o->mark);
    o->slot = slot;
}

void output_flush(Output *o)
{
    size_t end = o->has_marks ? mark_find_begun(o->mark, o->line.data, o->line.size) : o->line.size;

    if (end > 0)
        output_log(o, o->line.data, end);
    buffer_done(&o->line);
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
    forget_request(o);
    o->slot = NULL;
    o->source = sd_event_source_disable_unref(o->source);
    o->fd = fd_close(o->fd);
}
