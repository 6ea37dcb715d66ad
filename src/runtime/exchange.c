#include "runtime/connection_private.h"

#include "base/fd.h"
#include "base/parse.h"
#include "runtime/canned.h"

#include <errno.h>
#include <sys/socket.h>

Request *connection_request(Connection *c, uint64_t now_usec)
{
    ConnectionShared *s = c->shared;
    const char *method, *uri, *query, *length, *id;
    size_t n_method = 0, n_uri = 0, n_query = 0, n_id = 0;
    uint64_t content_length = 0;

    connection_claim_input(c);
    c->head_ready = false;
    c->served = true;
    s->request = (Request){.shared = s, .connection = c, .begun_usec = now_usec, .spent_fd = -1};
    canned_begin(c->fd, c->parser.request_id);
    id = request_id_of_head(c, &n_id); /* moves the PARAMS */
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
    board_set_text(s->slot->request_id, sizeof(s->slot->request_id), id, n_id);
    s->slot->script[0] = s->slot->name[0] = s->slot->user[0] = 0;
    board_commit(s->slot);
    return &s->request;
}

void connection_abandon(Connection *c)
{
    BoardSlot *slot = c->shared->slot;

    c->head_ready = false;
    board_begin(slot);
    slot->abandoned++;
    slot->state = connection_resting_state(c->shared);
    board_commit(slot);
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
    return fcgi_parser_request_read(&c->parser) ? CONNECTION_CLOSED : connection_linger(c);
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
    canned_end();
    connection_give_back_params(c);
    connection_claim_input(c);
    c->last_active_usec = now_usec;
    if (c->error || r->gone)
        outcome = CONNECTION_CLOSED;
    else if (r->timed_out)
        outcome = connection_linger(c);
    else
        outcome = keep ? connection_process(c) : leave(c);
    output_reset(&s->output);
    if (r->spent_fd >= 0)
        r->spent_fd = fd_close(r->spent_fd);

    board_begin(s->slot);
    s->slot->state = connection_resting_state(s);
    s->slot->last_active_usec = now_usec;
    if (r->status > 0)
        s->slot->status = r->status;
    s->slot->cpu_usec = r->cpu_usec;
    s->slot->memory_peak_bytes = r->memory_peak_bytes;
    request_count_bytes(r);
    request_count_answer(r, now_usec);
    board_commit(s->slot);
    request_forget_notes(r);
    return outcome;
}
