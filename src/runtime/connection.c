#include "runtime/connection_private.h"

#include "base/fd.h"
#include "base/parse.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* An arena that one large head has blown up is not kept for the small ones. */
#define SPARE_ARENA_MAX (64 * 1024)

/* Rounds of throwing bytes away before other connections have their turn. */
#define LINGER_ROUNDS 16

/* On a socket of pm.status_listen each wait for the peer ends after this time. */
#define STATUS_WAIT_SEC 5

ConnectionShared *connection_shared_new(BoardSlot *slot, unsigned max_connections,
                                        unsigned max_requests)
{
    ConnectionShared *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->slot = slot;
    s->max_connections = max_connections;
    s->max_requests = max_requests;
    s->request.shared = s;
    output_reset(&s->output);
    return s;
}

ConnectionShared *connection_shared_free(ConnectionShared *s)
{
    if (s)
        fcgi_params_done(&s->spare);
    free(s);
    return NULL;
}

void connection_shared_disown(ConnectionShared *s)
{
    static BoardSlot nobodys;

    s->slot = &nobodys;
    s->request.gone = true;
}

static uint32_t resting_state(const ConnectionShared *s)
{
    return s->n_reading > 0 ? WORKER_STATE_READING : WORKER_STATE_IDLE;
}

/* A head has begun or is no longer read; the slot follows at the next commit. */
static void set_reading(Connection *c, bool on)
{
    if (c->reading == on)
        return;
    c->reading = on;
    if (on)
        c->shared->n_reading++;
    else
        c->shared->n_reading--;
}

static void publish_rest(ConnectionShared *s)
{
    if (s->slot->state == resting_state(s))
        return;
    board_begin(s->slot);
    s->slot->state = resting_state(s);
    board_commit(s->slot);
}

Connection *connection_new(ConnectionShared *shared, int fd, uint64_t now_usec)
{
    Connection *c = calloc(1, sizeof(*c));

    if (!c) {
        fd_close(fd);
        return NULL;
    }
    c->shared = shared;
    c->fd = fd;
    c->last_active_usec = now_usec;
    fcgi_parser_init(&c->parser);
    board_begin(shared->slot);
    shared->slot->connections++;
    board_commit(shared->slot);
    return c;
}

static void give_back_params(Connection *c)
{
    FcgiParams *spare = &c->shared->spare;

    if (!spare->arena && c->params.arena && c->params.arena_room <= SPARE_ARENA_MAX) {
        fcgi_params_clear(&c->params);
        *spare = c->params;
        c->params = (FcgiParams){0};
    }
    fcgi_params_done(&c->params);
}

Connection *connection_free(Connection *c)
{
    ConnectionShared *s;

    if (!c)
        return NULL;
    s = c->shared;
    if (s->input_owner == c)
        s->input_owner = NULL;
    give_back_params(c);
    fcgi_params_done(&c->values);
    buffer_done(&c->stash);
    fd_close(c->fd);
    board_begin(s->slot);
    s->slot->connections--;
    if (c->reading) {
        set_reading(c, false);
        if (s->slot->state == WORKER_STATE_READING)
            s->slot->state = resting_state(s);
    }
    board_commit(s->slot);
    free(c);
    return NULL;
}

int connection_fd(const Connection *c)
{
    return c->fd;
}

void connection_mark_status(Connection *c)
{
    static const struct timeval limit = {.tv_sec = STATUS_WAIT_SEC};

    c->for_status = true;
    /* One worker answers all who ask, and none of them may keep it from the others. Sockets of all
     * kinds have these limits: the call then fails with EAGAIN, as if the peer were gone. */
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

void connection_claim_input(Connection *c)
{
    ConnectionShared *s = c->shared;
    Connection *owner = s->input_owner;

    if (owner == c)
        return;
    if (owner && s->input_pos < s->input_end &&
        buffer_append(&owner->stash, s->input + s->input_pos, s->input_end - s->input_pos) < 0)
        owner->parser.error = "no memory for its bytes";
    s->input_owner = c;
    s->input_pos = 0;
    s->input_end = c->stash.size;
    if (c->stash.size > 0)
        memcpy(s->input, c->stash.data, c->stash.size);
    buffer_done(&c->stash);
}

ssize_t connection_fill(Connection *c, int flags)
{
    ConnectionShared *s = c->shared;
    ssize_t n;

    do
        n = recv(c->fd, s->input, sizeof(s->input), flags);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    s->input_pos = 0;
    s->input_end = (size_t)n;
    return n;
}

int connection_fail(Connection *c, const char *error)
{
    BoardSlot *slot = c->shared->slot;

    if (c->error)
        return -EBADMSG;
    c->error = error;
    board_begin(slot);
    slot->protocol_errors++;
    board_commit(slot);
    return -EBADMSG;
}

int connection_next_event(Connection *c, FcgiEvent *ret_event)
{
    ConnectionShared *s = c->shared;
    size_t used = 0;
    int r = fcgi_parser_next(&c->parser, s->input + s->input_pos, s->input_end - s->input_pos,
                             &used, ret_event);

    if (r < 0)
        return connection_fail(c, c->parser.error);
    s->input_pos += used;
    return 0;
}

/* The web server aborted a request whose head was not complete: its end is all there is to say. */
static int end_unborn(Connection *c)
{
    uint8_t record[FCGI_END_REQUEST_SIZE];

    fcgi_put_end_request(record, c->parser.request_id, 0, FCGI_REQUEST_COMPLETE);
    fcgi_parser_end_request(&c->parser);
    give_back_params(c);
    set_reading(c, false);
    return output_record(&c->shared->output, c->fd, MSG_DONTWAIT, record, sizeof(record));
}

/* The web server must not be lost an answer by our close(2) while bytes of its own are unread
 * (unix(7) and TCP reset the connection then): say the end, wait for its. */
static ConnectionOutcome linger(Connection *c)
{
    if (!c->shut && shutdown(c->fd, SHUT_WR) < 0)
        return CONNECTION_CLOSED;
    c->shut = true;
    c->lingering = true;
    return CONNECTION_LINGER;
}

/* Takes one event of a head. 0: go on; 1: *ret_outcome is reached; or a negative errno. */
static int take_head_event(Connection *c, const FcgiEvent *event, ConnectionOutcome *ret_outcome)
{
    int r;

    switch (event->kind) {
    case FCGI_EVENT_NONE:
        *ret_outcome = CONNECTION_WAIT;
        return 1;
    case FCGI_EVENT_BEGIN:
        c->params = c->shared->spare;
        c->shared->spare = (FcgiParams){0};
        set_reading(c, true);
        return 0;
    case FCGI_EVENT_PARAMS:
        r = fcgi_params_push(&c->params, event->data, event->size);
        return r < 0 ? connection_fail(c, r == -E2BIG ? "PARAMS are too large" : "no memory") : 0;
    case FCGI_EVENT_PARAMS_END:
        if (fcgi_params_end(&c->params) < 0)
            return connection_fail(c, "incomplete pair in PARAMS");
        set_reading(c, false);
        c->head_ready = true;
        *ret_outcome = CONNECTION_REQUEST;
        return 1;
    case FCGI_EVENT_ABORT:
        r = end_unborn(c);
        break;
    default:
        r = connection_answer(c, event, MSG_DONTWAIT);
        break;
    }
    if (r < 0 || event->keep ||
        (event->kind != FCGI_EVENT_ABORT && event->kind != FCGI_EVENT_UNKNOWN_ROLE))
        return r;
    *ret_outcome = CONNECTION_LINGER;
    return 1;
}

/* Goes through the bytes in input[] as far as the end of a head. */
static ConnectionOutcome process(Connection *c)
{
    ConnectionOutcome outcome = CONNECTION_CLOSED;
    Output *o = &c->shared->output;
    int r;

    do {
        FcgiEvent event;

        r = connection_next_event(c, &event);
        if (r == 0)
            r = take_head_event(c, &event, &outcome);
    } while (r == 0);
    if (r > 0 && o->used > 0)
        r = output_flush(o, c->fd, MSG_DONTWAIT);
    if (r < 0) {
        output_reset(o);
        c->head_ready = false;
        set_reading(c, false);
        return CONNECTION_CLOSED;
    }
    return outcome == CONNECTION_LINGER ? linger(c) : outcome;
}

static ConnectionOutcome throw_away(Connection *c, uint64_t now_usec)
{
    for (unsigned i = 0; i < LINGER_ROUNDS; i++) {
        ssize_t n = connection_fill(c, MSG_DONTWAIT);

        c->shared->input_end = 0;
        if (n == -EAGAIN)
            break;
        if (n <= 0)
            return CONNECTION_CLOSED;
        c->last_active_usec = now_usec;
    }
    return CONNECTION_LINGER;
}

ConnectionOutcome connection_receive(Connection *c, uint64_t now_usec)
{
    ConnectionOutcome outcome;
    ssize_t n;

    if (c->head_ready)
        return CONNECTION_REQUEST;
    connection_claim_input(c);
    if (c->lingering)
        return throw_away(c, now_usec);
    n = connection_fill(c, MSG_DONTWAIT);
    if (n == -EAGAIN)
        return CONNECTION_WAIT;
    if (n <= 0)
        return CONNECTION_CLOSED;
    c->last_active_usec = now_usec;
    outcome = process(c);
    if (outcome != CONNECTION_REQUEST)
        publish_rest(c->shared);
    return outcome;
}

Request *connection_request(Connection *c, uint64_t now_usec)
{
    ConnectionShared *s = c->shared;
    const char *method, *uri, *query, *length;
    size_t n_method = 0, n_uri = 0, n_query = 0;
    uint64_t content_length = 0;

    connection_claim_input(c);
    c->head_ready = false;
    c->served = true;
    s->request = (Request){.shared = s, .connection = c};
    method = fcgi_params_get(&c->params, "REQUEST_METHOD", &n_method);
    uri = fcgi_params_get(&c->params, "REQUEST_URI", &n_uri);
    query = fcgi_params_get(&c->params, "QUERY_STRING", &n_query);
    length = fcgi_params_get(&c->params, "CONTENT_LENGTH", NULL);
    if (length)
        parse_u64(length, 0, INT64_MAX, &content_length);

    board_begin(s->slot);
    s->slot->state = WORKER_STATE_RUNNING;
    s->slot->requests++;
    s->slot->request_started_usec = now_usec;
    s->slot->last_active_usec = now_usec;
    s->slot->content_length = content_length;
    board_set_text(s->slot->method, sizeof(s->slot->method), method, n_method);
    board_set_text(s->slot->uri, sizeof(s->slot->uri), uri, n_uri);
    board_set_text(s->slot->query, sizeof(s->slot->query), query, n_query);
    s->slot->script[0] = s->slot->name[0] = s->slot->user[0] = 0;
    board_commit(s->slot);
    return &s->request;
}

/* Passes over what is here of the ended request's body. 0 or -EBADMSG. */
static int skip_body(Connection *c)
{
    FcgiEvent event;
    int r;

    do
        r = connection_next_event(c, &event);
    while (r == 0 && event.kind != FCGI_EVENT_NONE);
    return r;
}

/* The request has ended and the connection is not kept. */
static ConnectionOutcome leave(Connection *c)
{
    ssize_t n;

    if (skip_body(c) < 0)
        return CONNECTION_CLOSED;
    if (!fcgi_parser_request_read(&c->parser)) {
        n = connection_fill(c, MSG_DONTWAIT);
        if ((n <= 0 && n != -EAGAIN) || (n > 0 && skip_body(c) < 0))
            return CONNECTION_CLOSED;
    }
    return fcgi_parser_request_read(&c->parser) ? CONNECTION_CLOSED : linger(c);
}

ConnectionOutcome connection_end(Connection *c, uint32_t app_status, bool keep, uint64_t now_usec)
{
    ConnectionShared *s = c->shared;
    Request *r = &s->request;
    ConnectionOutcome outcome;

    if (!r->finished)
        request_end_output(r, app_status);
    keep = keep && c->parser.keep && !c->shut;
    fcgi_parser_end_request(&c->parser);
    give_back_params(c);
    connection_claim_input(c);
    c->last_active_usec = now_usec;
    if (c->error || r->gone)
        outcome = CONNECTION_CLOSED;
    else
        outcome = keep ? process(c) : leave(c);
    output_reset(&s->output);

    board_begin(s->slot);
    s->slot->state = resting_state(s);
    s->slot->last_active_usec = now_usec;
    if (r->status > 0)
        s->slot->status = r->status;
    s->slot->cpu_usec = r->cpu_usec;
    s->slot->memory_peak_bytes = r->memory_peak_bytes;
    request_count_bytes(r);
    board_commit(s->slot);
    return outcome;
}

bool connection_is_idle(const Connection *c)
{
    return fcgi_parser_is_idle(&c->parser) && !c->lingering && !c->head_ready;
}

bool connection_has_served(const Connection *c)
{
    return c->served;
}

uint64_t connection_last_active_usec(const Connection *c)
{
    return c->last_active_usec;
}

const char *connection_error(const Connection *c)
{
    return c->error;
}
