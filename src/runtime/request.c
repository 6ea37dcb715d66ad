#include "runtime/connection_private.h"

#include "base/clock.h"
#include "base/fd.h"
#include "runtime/canned.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

unsigned request_role(const Request *r)
{
    return r->connection->parser.role;
}

const FcgiParams *request_params(const Request *r)
{
    return &r->connection->params;
}

const char *request_param(const Request *r, const char *name)
{
    return fcgi_params_get(&r->connection->params, name, NULL);
}

void request_count_bytes(Request *r)
{
    r->shared->slot->bytes_in += r->bytes_in;
    r->shared->slot->bytes_out += r->bytes_out;
    r->bytes_in = r->bytes_out = 0;
}

void request_count_answer(Request *r, uint64_t now_usec)
{
    BoardSlot *slot = r->shared->slot;
    uint64_t usec = now_usec - MIN(r->begun_usec, now_usec);
    BoardOutcome outcome = BOARD_OUTCOME_OK;

    if (!r->answered || r->counted)
        return;
    r->counted = true;
    if (r->stopped)
        outcome = BOARD_OUTCOME_TIMED_OUT;
    /* Without a byte it is a 502 for the client of the web server. */
    else if (r->status >= 500 || (r->status == 0 && !r->used_stdout))
        outcome = BOARD_OUTCOME_SERVER_ERROR;
    else if (r->status >= 400)
        outcome = BOARD_OUTCOME_CLIENT_ERROR;
    slot->answered++;
    slot->outcomes[outcome]++;
    slot->latency[board_latency_bucket(usec)]++;
    slot->latency_sum_usec += usec;
}

static void publish_bytes(Request *r)
{
    board_begin(r->shared->slot);
    request_count_bytes(r);
    board_commit(r->shared->slot);
}

/* The next event of the bytes that are here. 1: go on; 0: bytes are missing; or a negative errno.
 */
static int take_event(Request *r)
{
    Connection *c = r->connection;
    FcgiEvent event;
    int error = connection_next_event(c, &event);

    if (error < 0)
        return error;
    switch (event.kind) {
    case FCGI_EVENT_NONE:
        return 0;
    case FCGI_EVENT_STDIN:
    case FCGI_EVENT_DATA:
        r->body = event.data;
        r->body_size = event.size;
        r->body_type = event.type;
        r->bytes_in += event.size;
        return 1;
    case FCGI_EVENT_ABORT:
        r->aborted = true;
        return -EPIPE;
    default:
        break;
    }
    error = connection_answer(c, &event, 0);
    /* The peer waits for these answers now, not at the end of the request. */
    if (error == 0 && event.kind > FCGI_EVENT_ABORT)
        error = output_flush(&r->shared->output, c->fd, 0);
    if (error < 0) {
        r->gone = true;
        return -EPIPE;
    }
    return 1;
}

/* connection_fill(), but -ETIMEDOUT when no byte comes in time. */
static ssize_t fill_in_time(Connection *c, uint64_t timeout_usec)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    uint64_t begin_usec = 0;

    for (;;) {
        ssize_t n = connection_fill(c, MSG_DONTWAIT);
        uint64_t now_usec;

        if (n != -EAGAIN)
            return n;
        now_usec = clock_monotonic_usec();
        if (begin_usec == 0)
            begin_usec = now_usec;
        if (now_usec - begin_usec >= timeout_usec)
            return -ETIMEDOUT;
        poll(&p, 1,
             (int)MIN((begin_usec + timeout_usec - now_usec) / USEC_PER_MSEC + 1,
                      (uint64_t)INT_MAX));
    }
}

/* The rest of the body does not come: nothing but this answer is due. */
static void time_out(Request *r)
{
    BoardSlot *slot = r->shared->slot;

    r->timed_out = true;
    r->finished = true;
    output_reset(&r->shared->output);
    if (canned_send(408) == 0) {
        r->status = 408;
        r->answered = true;
    } else
        r->gone = true; /* half an answer has gone out: its end must not look like a whole one */
    board_begin(slot);
    slot->read_timeouts++;
    board_commit(slot);
}

/* Waits for more bytes of the body. 0 or -EPIPE. */
static int wait_for_body(Request *r)
{
    Connection *c = r->connection;
    uint64_t timeout_usec = r->shared->read_timeout_usec;
    ssize_t n;

    publish_bytes(r);
    if (timeout_usec == 0)
        n = connection_fill(c, 0);
    else
        n = fill_in_time(c, timeout_usec);
    if (n > 0)
        return 0;
    if (n == -ETIMEDOUT)
        time_out(r);
    else
        r->gone = true;
    return -EPIPE;
}

static size_t take_body(Request *r, uint8_t *buffer, size_t n)
{
    size_t k = MIN(n, r->body_size);

    memcpy(buffer, r->body, k);
    r->body += k;
    r->body_size -= k;
    return k;
}

static ssize_t read_stream(Request *r, unsigned type, void *buffer, size_t n)
{
    FcgiParser *p = &r->connection->parser;
    size_t got = 0;

    /* An authorizer has no body, and some web servers do not even send its end (section 6.3). */
    if (n == 0 || p->role == FCGI_AUTHORIZER || (type == FCGI_DATA && p->role != FCGI_FILTER))
        return 0;
    connection_claim_input(r->connection);
    while (got < n) {
        int error;

        if (r->body_size > 0 && r->body_type == type) {
            got += take_body(r, (uint8_t *)buffer + got, n - got);
            continue;
        }
        if (request_aborted(r))
            return got > 0 ? (ssize_t)got : -EPIPE;
        if (type == FCGI_STDIN ? p->stdin_ended : p->data_ended)
            break;
        /* Here it can only be the rest of STDIN, which reading DATA passes over. */
        r->body_size = 0;
        error = take_event(r);
        if (error == 0) {
            if (got > 0)
                break;
            error = wait_for_body(r);
        }
        if (error < 0)
            return got > 0 ? (ssize_t)got : error;
    }
    return (ssize_t)got;
}

ssize_t request_next(Request *r, const uint8_t **ret, size_t n)
{
    FcgiParser *p = &r->connection->parser;

    if (n == 0 || p->role == FCGI_AUTHORIZER)
        return 0;
    connection_claim_input(r->connection);
    while (r->body_size == 0 || r->body_type != FCGI_STDIN) {
        int error;

        if (request_aborted(r))
            return -EPIPE;
        if (p->stdin_ended)
            return 0;
        r->body_size = 0;
        error = take_event(r);
        if (error == 0)
            error = wait_for_body(r);
        if (error < 0)
            return error;
    }
    n = MIN(n, r->body_size);
    *ret = r->body;
    r->body += n;
    r->body_size -= n;
    return (ssize_t)n;
}

void request_close_later(Request *r, int fd)
{
    fd_close(r->spent_fd);
    r->spent_fd = fd;
}

ssize_t request_read(Request *r, void *buffer, size_t n)
{
    return read_stream(r, FCGI_STDIN, buffer, n);
}

ssize_t request_read_data(Request *r, void *buffer, size_t n)
{
    return read_stream(r, FCGI_DATA, buffer, n);
}

static int write_stream(Request *r, unsigned type, const void *data, size_t n)
{
    Output *o = &r->shared->output;
    size_t before = o->used;

    if (r->finished || request_aborted(r))
        return -EPIPE;
    if (n == 0)
        return 0; /* an empty record would end the stream */
    if (type == FCGI_STDOUT)
        r->used_stdout = true;
    else
        r->used_stderr = true;
    if (type == FCGI_STDOUT) {
        r->bytes_out += n;
        r->body_out += n;
    }
    if (output_stream(o, r->connection->fd, type, r->connection->parser.request_id, data, n) < 0) {
        r->gone = true;
        return -EPIPE;
    }
    if (o->used <= before)
        publish_bytes(r); /* it was sent */
    return 0;
}

int request_write(Request *r, const void *data, size_t n)
{
    return write_stream(r, FCGI_STDOUT, data, n);
}

int request_write_error(Request *r, const void *data, size_t n)
{
    return write_stream(r, FCGI_STDERR, data, n);
}

int request_flush(Request *r)
{
    if (r->finished || request_aborted(r))
        return -EPIPE;
    if (r->shared->output.used == 0)
        return 0;
    if (output_flush(&r->shared->output, r->connection->fd, 0) < 0) {
        r->gone = true;
        return -EPIPE;
    }
    publish_bytes(r);
    return 0;
}

int request_end_output(Request *r, uint32_t app_status)
{
    unsigned id = r->connection->parser.request_id;
    Output *o = &r->shared->output;
    uint8_t tail[OUTPUT_TAIL];
    size_t n = 0;

    r->finished = true;
    if (r->gone) {
        canned_end();
        return -EPIPE;
    }
    if (r->aborted) {
        output_reset(o); /* nobody wants the answer, only its end (section 5.4) */
    } else {
        fcgi_put_header(tail, FCGI_STDOUT, id, 0, 0);
        n += FCGI_HEADER_SIZE;
        if (r->used_stderr) {
            fcgi_put_header(tail + n, FCGI_STDERR, id, 0, 0);
            n += FCGI_HEADER_SIZE;
        }
    }
    fcgi_put_end_request(tail + n, id, app_status, FCGI_REQUEST_COMPLETE);
    output_tail(o, tail, n + FCGI_END_REQUEST_SIZE);
    if (output_flush(o, r->connection->fd, 0) < 0)
        r->gone = true;
    r->answered = !r->gone && !r->aborted;
    canned_end();
    return r->gone ? -EPIPE : 0;
}

int request_finish(Request *r, uint32_t app_status)
{
    Connection *c = r->connection;
    BoardSlot *slot = r->shared->slot;
    uint64_t now_usec;
    int error;

    if (r->finished)
        return -EPIPE;
    error = request_end_output(r, app_status);
    if (!c->parser.keep && !c->shut) {
        /* The peer may wait for the end of the connection, not only of the request. */
        shutdown(c->fd, SHUT_WR);
        c->shut = true;
    }
    now_usec = clock_monotonic_usec();
    board_begin(slot);
    slot->state = WORKER_STATE_FINISHING;
    request_count_bytes(r);
    request_count_answer(r, now_usec);
    board_commit(slot);
    return error;
}

void request_answer(Request *r, uint32_t app_status)
{
    if (!r->finished)
        request_end_output(r, app_status);
}

bool request_aborted(const Request *r)
{
    return r->aborted || r->gone || r->timed_out;
}

bool request_timed_out(const Request *r)
{
    return r->timed_out;
}

bool request_started_output(const Request *r)
{
    return r->used_stdout || r->used_stderr;
}

bool request_sent_output(const Request *r)
{
    return !canned_is_possible();
}

void request_discard_output(Request *r)
{
    output_reset(&r->shared->output);
    r->body_out -= r->bytes_out;
    r->bytes_out = 0;
    if (!request_sent_output(r))
        r->used_stdout = r->used_stderr = false;
}
