#include "fcgi/parser.h"

#include <errno.h>
#include <string.h>

#define BEGIN_BODY_SIZE 8

void fcgi_parser_init(FcgiParser *p)
{
    *p = (FcgiParser){.stdin_ended = true, .data_ended = true};
}

static int fail(FcgiParser *p, const char *error)
{
    p->error = error;
    return -EBADMSG;
}

static void emit(const FcgiParser *p, FcgiEventKind kind, FcgiEvent *event)
{
    event->kind = kind;
    event->request_id = p->request_id;
    event->role = p->role;
    event->type = p->type;
    event->keep = p->keep;
}

/* STDIN and DATA are read after the end of PARAMS and in this order; a request that has ended has
 * only their ends looked at. */
static int start_body_record(FcgiParser *p, FcgiEvent *event)
{
    bool is_data = p->type == FCGI_DATA;
    bool *ended = is_data ? &p->data_ended : &p->stdin_ended;

    if (is_data && p->role != FCGI_FILTER)
        return 0;
    if (p->phase == FCGI_PHASE_PARAMS)
        return fail(p, "body before the end of PARAMS");
    if (is_data && p->phase == FCGI_PHASE_BODY && !p->stdin_ended)
        return fail(p, "DATA before the end of STDIN");
    if (p->content_left > 0 || *ended)
        return 0;
    *ended = true;
    if (p->phase == FCGI_PHASE_BODY)
        emit(p, is_data ? FCGI_EVENT_DATA_END : FCGI_EVENT_STDIN_END, event);
    return 0;
}

/* A record of the request that runs or, at phase IDLE, of the one that ended last. */
static int start_request_record(FcgiParser *p, FcgiEvent *event)
{
    switch (p->type) {
    case FCGI_ABORT_REQUEST:
        p->stdin_ended = p->data_ended = true;
        if (p->phase != FCGI_PHASE_IDLE)
            emit(p, FCGI_EVENT_ABORT, event);
        return 0;
    case FCGI_PARAMS:
        if (p->phase == FCGI_PHASE_PARAMS && p->content_left == 0) {
            p->phase = FCGI_PHASE_BODY;
            emit(p, FCGI_EVENT_PARAMS_END, event);
        }
        return 0;
    case FCGI_STDIN:
    case FCGI_DATA:
        return start_body_record(p, event);
    default:
        return 0;
    }
}

/* A record header is complete. */
static int start_record(FcgiParser *p, FcgiEvent *event)
{
    const uint8_t *h = p->header;

    if (h[0] != FCGI_VERSION)
        return fail(p, "record version is not 1");
    p->type = h[1];
    p->record_id = (unsigned)h[2] << 8 | h[3];
    p->content_left = (uint32_t)h[4] << 8 | h[5];
    p->padding_left = h[6];
    p->n_header = 0;
    p->n_body = 0;
    p->in_content = true;

    /* Id 0 makes it a management record; GET_VALUES is the only one defined (sections 3.3, 4). */
    if (p->record_id == FCGI_NULL_REQUEST_ID) {
        if (p->type == FCGI_GET_VALUES)
            p->values_end_due = true;
        else
            emit(p, FCGI_EVENT_UNKNOWN_TYPE, event);
        return 0;
    }
    if (p->type == FCGI_BEGIN_REQUEST) {
        if (p->content_left != BEGIN_BODY_SIZE)
            return fail(p, "BEGIN_REQUEST of a wrong size");
        if (p->phase != FCGI_PHASE_IDLE && p->record_id == p->request_id)
            return fail(p, "BEGIN_REQUEST for the running request");
        return 0;
    }
    return p->record_id == p->request_id ? start_request_record(p, event) : 0;
}

/* The body of a BEGIN_REQUEST is complete. */
static void begin_request(FcgiParser *p, FcgiEvent *event)
{
    unsigned role = (unsigned)p->body[0] << 8 | p->body[1];
    bool keep = p->body[2] & FCGI_KEEP_CONN;

    if (p->phase != FCGI_PHASE_IDLE || !fcgi_role_to_string(role)) {
        emit(p, p->phase != FCGI_PHASE_IDLE ? FCGI_EVENT_SECOND_REQUEST : FCGI_EVENT_UNKNOWN_ROLE,
             event);
        event->request_id = p->record_id;
        event->role = role;
        event->keep = keep;
        return;
    }
    p->phase = FCGI_PHASE_PARAMS;
    p->request_id = p->record_id;
    p->role = role;
    p->keep = keep;
    p->stdin_ended = false;
    p->data_ended = role != FCGI_FILTER;
    emit(p, FCGI_EVENT_BEGIN, event);
}

/* What a piece of the present record's content is; FCGI_EVENT_NONE: skipped. */
static FcgiEventKind content_kind(const FcgiParser *p)
{
    if (p->record_id == FCGI_NULL_REQUEST_ID)
        return p->type == FCGI_GET_VALUES ? FCGI_EVENT_GET_VALUES : FCGI_EVENT_NONE;
    if (p->record_id != p->request_id)
        return FCGI_EVENT_NONE;
    if (p->phase == FCGI_PHASE_PARAMS)
        return p->type == FCGI_PARAMS ? FCGI_EVENT_PARAMS : FCGI_EVENT_NONE;
    if (p->phase != FCGI_PHASE_BODY)
        return FCGI_EVENT_NONE;
    if (p->type == FCGI_STDIN && !p->stdin_ended)
        return FCGI_EVENT_STDIN;
    if (p->type == FCGI_DATA && !p->data_ended)
        return FCGI_EVENT_DATA;
    return FCGI_EVENT_NONE;
}

static size_t take_content(FcgiParser *p, const uint8_t *data, size_t n, FcgiEvent *event)
{
    size_t k = MIN((size_t)p->content_left, n);
    FcgiEventKind kind;

    p->content_left -= (uint32_t)k;
    if (p->type == FCGI_BEGIN_REQUEST && p->record_id != FCGI_NULL_REQUEST_ID) {
        memcpy(p->body + p->n_body, data, k);
        p->n_body += (unsigned)k;
        if (p->n_body == BEGIN_BODY_SIZE)
            begin_request(p, event);
        return k;
    }
    kind = content_kind(p);
    if (kind != FCGI_EVENT_NONE) {
        emit(p, kind, event);
        event->data = data;
        event->size = k;
    }
    return k;
}

/* Takes the next bytes as far as one event; *used grows. 1 when bytes are missing, 0 or -EBADMSG.
 */
static int step(FcgiParser *p, const uint8_t *data, size_t n, size_t *used, FcgiEvent *event)
{
    size_t k;

    if (p->in_content && p->content_left == 0 && p->values_end_due) {
        p->values_end_due = false;
        emit(p, FCGI_EVENT_GET_VALUES_END, event);
        return 0;
    }
    if (*used == n)
        return 1;
    if (!p->in_content) {
        k = MIN((size_t)(FCGI_HEADER_SIZE - p->n_header), n - *used);
        memcpy(p->header + p->n_header, data + *used, k);
        p->n_header += (unsigned)k;
        *used += k;
        return p->n_header == FCGI_HEADER_SIZE ? start_record(p, event) : 1;
    }
    if (p->content_left > 0) {
        *used += take_content(p, data + *used, n - *used, event);
        return 0;
    }
    k = MIN((size_t)p->padding_left, n - *used);
    p->padding_left -= (uint32_t)k;
    *used += k;
    return 0;
}

int fcgi_parser_next(FcgiParser *p, const uint8_t *data, size_t n, size_t *ret_used,
                     FcgiEvent *ret_event)
{
    FcgiEvent event = {0};
    size_t used = 0;

    if (p->error)
        return -EBADMSG;
    for (;;) {
        int r = step(p, data, n, &used, &event);

        if (r < 0)
            return r;
        if (p->content_left == 0 && p->padding_left == 0 && !p->values_end_due)
            p->in_content = false;
        if (r > 0 || event.kind != FCGI_EVENT_NONE)
            break;
    }
    *ret_used = used;
    *ret_event = event;
    return 0;
}

void fcgi_parser_end_request(FcgiParser *p)
{
    p->phase = FCGI_PHASE_IDLE;
}

bool fcgi_parser_request_read(const FcgiParser *p)
{
    return p->stdin_ended && p->data_ended;
}

bool fcgi_parser_is_idle(const FcgiParser *p)
{
    /* An authorizer may be sent an empty STDIN or none at all (section 6.3). */
    bool read = fcgi_parser_request_read(p) || p->role == FCGI_AUTHORIZER;

    return p->phase == FCGI_PHASE_IDLE && !p->in_content && p->n_header == 0 && read;
}
