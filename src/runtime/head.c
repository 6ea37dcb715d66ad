#include "runtime/connection_private.h"

#include "runtime/canned.h"

#include <errno.h>
#include <sys/socket.h>

/* Rounds of throwing bytes away before other connections have their turn. */
#define LINGER_ROUNDS 16

static void publish_rest(ConnectionShared *s)
{
    if (s->slot->state == connection_resting_state(s))
        return;
    board_begin(s->slot);
    s->slot->state = connection_resting_state(s);
    board_commit(s->slot);
}

/* The web server aborted a request that has not begun: its end is all there is to say. */
static int end_unborn(Connection *c)
{
    BoardSlot *slot = c->shared->slot;
    uint8_t record[FCGI_END_REQUEST_SIZE];

    board_begin(slot);
    slot->abandoned++;
    board_commit(slot);

    fcgi_put_end_request(record, c->parser.request_id, 0, FCGI_REQUEST_COMPLETE);
    fcgi_parser_end_request(&c->parser);
    connection_give_back_params(c);
    connection_set_reading(c, false);
    return output_record(&c->shared->output, c->fd, MSG_DONTWAIT, record, sizeof(record));
}

ConnectionOutcome connection_linger(Connection *c)
{
    if (!c->shut && shutdown(c->fd, SHUT_WR) < 0)
        return CONNECTION_CLOSED;
    c->shut = true;
    c->lingering = true;
    return CONNECTION_LINGER;
}

/* Whether the web server has aborted the request behind its head already, among the bytes that are
 * here: they are taken then as far as that. */
static bool take_abort(Connection *c)
{
    ConnectionShared *s = c->shared;
    FcgiParser ahead = c->parser;
    size_t at = s->input_pos;

    for (;;) {
        FcgiEvent event;
        size_t used = 0;

        /* Management records have to be answered: not on this way. */
        if (fcgi_parser_next(&ahead, s->input + at, s->input_end - at, &used, &event) < 0 ||
            event.kind == FCGI_EVENT_NONE || event.kind > FCGI_EVENT_ABORT)
            return false;
        at += used;
        if (event.kind == FCGI_EVENT_ABORT)
            break;
    }
    c->parser = ahead;
    s->input_pos = at;
    return true;
}

/* The request has ended before it began; only a kept connection goes on. r: of its last answer. */
static int end_of_turn(int r, bool keep, ConnectionOutcome *ret_outcome)
{
    if (r < 0 || keep)
        return r;
    *ret_outcome = CONNECTION_LINGER;
    return 1;
}

static int take_head(Connection *c, ConnectionOutcome *ret_outcome)
{
    if (fcgi_params_end(&c->params) < 0)
        return connection_fail(c, "incomplete pair in PARAMS");
    if (take_abort(c))
        return end_of_turn(end_unborn(c), c->parser.keep, ret_outcome);
    if (c->params.n_outside > 0 && c->shared->input_pos <= HEAD_MAX)
        c->shared->head_size = c->shared->input_pos;
    else if (fcgi_params_keep(&c->params) < 0)
        return connection_fail(c, "no memory");
    connection_set_reading(c, false);
    c->head_ready = true;
    *ret_outcome = CONNECTION_REQUEST;
    return 1;
}

/* Its head is beyond the limits: what is left of it is thrown away. */
static int refuse_head(Connection *c, ConnectionOutcome *ret_outcome)
{
    BoardSlot *slot = c->shared->slot;
    int r = canned_send_to(c->fd, c->parser.request_id, 431);

    connection_fail(c, "PARAMS are more than security.max_params_size or security.max_params");
    connection_give_back_params(c);
    connection_set_reading(c, false);
    if (r < 0)
        return -EBADMSG;
    board_begin(slot);
    slot->status = 431;
    board_commit(slot);
    *ret_outcome = CONNECTION_LINGER;
    return 1;
}

static int take_params(Connection *c, const FcgiEvent *event, ConnectionOutcome *ret_outcome)
{
    ConnectionShared *s = c->shared;
    uint8_t *data = s->input + (event->data - s->input);
    int r;

    /* A stream is one record as a rule, and was read as a whole. */
    if (c->params.bytes == 0 && c->params.n_lengths == 0 && c->parser.content_left == 0)
        r = fcgi_params_place(&c->params, data, event->size);
    else
        r = fcgi_params_push(&c->params, data, event->size);
    if (r == -E2BIG)
        return refuse_head(c, ret_outcome);
    return r < 0 ? connection_fail(c, "no memory") : 0;
}

/* Takes one event of a head. 0: go on; 1: *ret_outcome is reached; or a negative errno. */
static int take_head_event(Connection *c, const FcgiEvent *event, ConnectionOutcome *ret_outcome)
{
    switch (event->kind) {
    case FCGI_EVENT_NONE:
        /* What is here of a head has to make way for its rest. */
        if (fcgi_params_keep(&c->params) < 0)
            return connection_fail(c, "no memory");
        *ret_outcome = CONNECTION_WAIT;
        return 1;
    case FCGI_EVENT_BEGIN:
        c->params = c->shared->spare;
        c->shared->spare = (FcgiParams){0};
        c->params.max_bytes = c->shared->max_params_bytes;
        c->params.max_pairs = c->shared->max_params;
        connection_set_reading(c, true);
        return 0;
    case FCGI_EVENT_PARAMS:
        return take_params(c, event, ret_outcome);
    case FCGI_EVENT_PARAMS_END:
        return take_head(c, ret_outcome);
    case FCGI_EVENT_ABORT:
        return end_of_turn(end_unborn(c), event->keep, ret_outcome);
    case FCGI_EVENT_UNKNOWN_ROLE:
        return end_of_turn(connection_answer(c, event, MSG_DONTWAIT), event->keep, ret_outcome);
    default:
        return connection_answer(c, event, MSG_DONTWAIT);
    }
}

ConnectionOutcome connection_process(Connection *c)
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
        connection_set_reading(c, false);
        return CONNECTION_CLOSED;
    }
    return outcome == CONNECTION_LINGER ? connection_linger(c) : outcome;
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
    outcome = connection_process(c);
    if (outcome != CONNECTION_REQUEST)
        publish_rest(c->shared);
    return outcome;
}

ConnectionOutcome connection_time_out(Connection *c)
{
    BoardSlot *slot = c->shared->slot;
    int r;

    if (c->parser.phase != FCGI_PHASE_PARAMS)
        return CONNECTION_CLOSED; /* there is no request to be answered */
    r = canned_send_to(c->fd, c->parser.request_id, 408);
    connection_set_reading(c, false);
    board_begin(slot);
    slot->read_timeouts++;
    slot->status = 408;
    slot->state = connection_resting_state(c->shared);
    board_commit(slot);
    return r < 0 ? CONNECTION_CLOSED : connection_linger(c);
}
