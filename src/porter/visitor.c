#include "porter/lodge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Of a question; one for a page has some hundred bytes, and a browser adds its cookies. */
#define HEAD_MAX (128 * 1024)

/* Reads before others have their turn. */
#define READS_MAX 16

/* The same for questions that are answered at once. */
#define TURNS_MAX 16

typedef enum Step {
    STEP_ON,   /* there may be more to do */
    STEP_WAIT, /* for the peer, or for news */
    STEP_END,  /* close the connection */
} Step;

Visitor *visitor_new(int fd)
{
    Visitor *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->fd = fd;
    fcgi_parser_init(&v->parser);
    return v;
}

Visitor *visitor_free(Visitor *v)
{
    if (!v)
        return NULL;
    fcgi_params_done(&v->params);
    fcgi_params_done(&v->values);
    buffer_done(&v->out);
    free(v);
    return NULL;
}

bool visitor_is_calm(const Visitor *v)
{
    return v->out.size == 0 && !v->wants_news && v->n_input == 0 && fcgi_parser_is_idle(&v->parser);
}

static Step wait_for(Lodge *l, Visitor *v, uint32_t events)
{
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)LODGE_CONNECTION << 32 | (uint32_t)v->fd};

    if (v->watched != events && epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, v->fd, &event) < 0)
        return STEP_END;
    v->watched = events;
    return STEP_WAIT;
}

/* ---- what goes out ---- */

static Step write_out(Lodge *l, Visitor *v)
{
    while (v->n_sent < v->out.size) {
        ssize_t n = send(v->fd, v->out.data + v->n_sent, v->out.size - v->n_sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? wait_for(l, v, EPOLLOUT) : STEP_END;
        v->n_sent += (size_t)n;
        l->desk.n_unsent -= (size_t)n;
    }
    buffer_done(&v->out);
    v->n_sent = 0;
    return v->ends ? STEP_END : STEP_ON;
}

static Step append(Lodge *l, Visitor *v, const void *data, size_t n)
{
    if (buffer_append(&v->out, data, n) < 0)
        return STEP_END;
    l->desk.n_unsent += n;
    return STEP_ON;
}

static Step answer(Lodge *l, Visitor *v, bool silent, uint64_t now_usec)
{
    size_t before = v->out.size;
    uint64_t old_usec = now_usec - MIN(l->desk.news.taken_usec, now_usec);

    v->wants_news = false;
    if (reply_put(l, &v->out, v->parser.request_id, &v->params, old_usec, silent) < 0) {
        l->desk.n_unsent += v->out.size - before;
        return STEP_END;
    }
    l->desk.n_unsent += v->out.size - before;
    v->ends = !v->parser.keep || l->desk.leaving;
    fcgi_parser_end_request(&v->parser);
    fcgi_params_done(&v->params);
    return STEP_ON;
}

/* ---- what comes in ---- */

static Step take_values(Lodge *l, Visitor *v)
{
    static const struct {
        const char *name, *value;
    } known[] = {
        {"FCGI_MAX_CONNS", "64"},
        {"FCGI_MAX_REQS", "64"},
        {"FCGI_MPXS_CONNS", "0"},
    };
    uint8_t record[FCGI_HEADER_SIZE + ARRAY_SIZE(known) * 32];
    uint8_t *p = record + FCGI_HEADER_SIZE;

    if (fcgi_params_end(&v->values) < 0)
        return STEP_END;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (fcgi_params_get(&v->values, known[i].name, NULL))
            p = fcgi_put_pair(p, known[i].name, strlen(known[i].name), known[i].value,
                              strlen(known[i].value));
    fcgi_params_done(&v->values);
    fcgi_put_header(record, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID,
                    (size_t)(p - record) - FCGI_HEADER_SIZE, 0);
    return append(l, v, record, (size_t)(p - record));
}

static Step take_pairs(Visitor *v, FcgiParams *params, const FcgiEvent *e)
{
    v->n_head += e->size;
    return v->n_head > HEAD_MAX || fcgi_params_push(params, e->data, e->size) < 0 ? STEP_END
                                                                                  : STEP_ON;
}

static Step refuse(Lodge *l, Visitor *v, const FcgiEvent *e, FcgiProtocolStatus status)
{
    uint8_t record[FCGI_END_REQUEST_SIZE];

    fcgi_put_end_request(record, e->request_id, 0, status);
    return append(l, v, record, sizeof(record));
}

static Step refuse_and_end(Lodge *l, Visitor *v, const FcgiEvent *e, FcgiProtocolStatus status)
{
    v->ends |= !e->keep;
    return refuse(l, v, e, status);
}

static Step take_abort(Lodge *l, Visitor *v, const FcgiEvent *e)
{
    v->ends |= !v->parser.keep;
    fcgi_parser_end_request(&v->parser);
    fcgi_params_done(&v->params);
    return refuse(l, v, e, FCGI_REQUEST_COMPLETE);
}

static Step take_event(Lodge *l, Visitor *v, const FcgiEvent *e, uint64_t now_usec)
{
    uint8_t record[FCGI_END_REQUEST_SIZE];

    switch (e->kind) {
    case FCGI_EVENT_BEGIN:
        v->n_head = 0;
        v->has_asked = true;
        rack_put(&l->rack, v->fd, RACK_CALLING, 0, now_usec);
        return STEP_ON;
    case FCGI_EVENT_PARAMS:
        return take_pairs(v, &v->params, e);
    case FCGI_EVENT_PARAMS_END:
        return fcgi_params_end(&v->params) < 0 ? STEP_END : STEP_ON;
    case FCGI_EVENT_ABORT:
        return take_abort(l, v, e);
    case FCGI_EVENT_GET_VALUES:
        return take_pairs(v, &v->values, e);
    case FCGI_EVENT_GET_VALUES_END:
        return take_values(l, v);
    case FCGI_EVENT_UNKNOWN_TYPE:
        fcgi_put_unknown_type(record, e->type);
        return append(l, v, record, sizeof(record));
    case FCGI_EVENT_UNKNOWN_ROLE:
        return refuse_and_end(l, v, e, FCGI_UNKNOWN_ROLE);
    case FCGI_EVENT_SECOND_REQUEST:
        return refuse(l, v, e, FCGI_CANT_MPX_CONN);
    default: /* a body, which nobody wants */
        return STEP_ON;
    }
}

/* The whole question has been read: an end of the connection is no reset then. Of an authorizer's
 * there may be no body at all. */
static bool is_asked(const Visitor *v)
{
    return v->parser.phase == FCGI_PHASE_BODY &&
           (fcgi_parser_request_read(&v->parser) || v->parser.role == FCGI_AUTHORIZER);
}

static Step ask(Lodge *l, Visitor *v, uint64_t now_usec)
{
    NewsOutcome outcome;

    if (!reply_needs_news(l, &v->params))
        return answer(l, v, false, now_usec);
    outcome = news_ask(l, now_usec);
    if (outcome != NEWS_WAIT)
        return answer(l, v, outcome == NEWS_SILENT, now_usec);
    v->wants_news = true;
    return STEP_ON;
}

static Step parse(Lodge *l, Visitor *v, uint64_t now_usec)
{
    for (;;) {
        FcgiEvent event;
        size_t used = 0;
        Step step;

        if (fcgi_parser_next(&v->parser, v->input + v->input_pos, v->n_input - v->input_pos, &used,
                             &event) < 0)
            return STEP_END;
        v->input_pos += used;
        if (event.kind == FCGI_EVENT_NONE)
            break;
        step = take_event(l, v, &event, now_usec);
        if (step == STEP_ON && is_asked(v))
            step = ask(l, v, now_usec);
        if (step != STEP_ON)
            return step;
        /* One thing after the other: what is in front goes out first. */
        if (v->out.size > 0 || v->wants_news)
            return STEP_ON;
    }
    v->n_input = v->input_pos = 0;
    return STEP_ON;
}

static Step read_in(Lodge *l, Visitor *v, unsigned *n_reads)
{
    ssize_t n;

    if (++*n_reads > READS_MAX)
        return wait_for(l, v, EPOLLIN | EPOLLRDHUP);
    do
        n = recv(v->fd, v->input, sizeof(v->input), MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return wait_for(l, v, EPOLLIN | EPOLLRDHUP);
    if (n <= 0)
        return STEP_END;
    v->n_input = (size_t)n;
    v->input_pos = 0;
    return STEP_ON;
}

/* Nobody leaves before its first question. */
static void file(Lodge *l, const Visitor *v, uint64_t now_usec)
{
    bool awaited = l->desk.leaving && !v->has_asked;
    RackList list = visitor_is_calm(v) && !awaited ? RACK_CALM : RACK_CALLING;

    if (rack_place(&l->rack, v->fd)->list != list)
        rack_put(&l->rack, v->fd, list, 0, now_usec);
}

bool visitor_advance(Lodge *l, Visitor *v, uint64_t now_usec)
{
    unsigned n_reads = 0, n_turns = 0;
    Step step = STEP_ON;

    while (step == STEP_ON) {
        if (v->out.size > 0)
            step = write_out(l, v);
        else if (v->wants_news)
            /* It may send on meanwhile, which is read later, and is seen if it hangs up. */
            step = wait_for(l, v, 0);
        else if (v->n_input > 0)
            /* What there is to write to is known at once: it goes on after the others. */
            step = ++n_turns > TURNS_MAX ? wait_for(l, v, EPOLLOUT) : parse(l, v, now_usec);
        else
            step = read_in(l, v, &n_reads);
    }
    if (step == STEP_WAIT)
        file(l, v, now_usec);
    return step == STEP_WAIT;
}

bool visitor_tell(Lodge *l, Visitor *v, bool silent, uint64_t now_usec)
{
    return !v->wants_news ||
           (answer(l, v, silent, now_usec) == STEP_ON && visitor_advance(l, v, now_usec));
}
