/*
 * Hostile bytes for the FastCGI decoders: the parser as the worker drives it (with the PARAMS
 * decoder behind it) and the client's decoder. The same bytes in one piece and byte by byte must
 * give the same events.
 */

#include "base/buffer.h"
#include "fcgi/client.h"
#include "fcgi/params.h"
#include "fcgi/parser.h"

#include <string.h>

/* One run's events as bytes, pieces of one stream joined. */
typedef struct Trace {
    FcgiParser parser;
    FcgiParams params;
    Buffer events;
    FcgiEventKind last;
    bool early; /* end requests at the end of PARAMS, else at the end of the body */
    bool failed;
    bool params_failed;
} Trace;

static bool is_data(FcgiEventKind kind)
{
    return kind == FCGI_EVENT_PARAMS || kind == FCGI_EVENT_STDIN || kind == FCGI_EVENT_DATA ||
           kind == FCGI_EVENT_GET_VALUES;
}

static void check_that(bool holds)
{
    if (!holds)
        abort();
}

static void note_params(Trace *t, const FcgiEvent *e)
{
    if (e->kind == FCGI_EVENT_BEGIN) {
        fcgi_params_clear(&t->params);
        t->params_failed = false;
    }
    if (e->kind == FCGI_EVENT_PARAMS && !t->params_failed)
        t->params_failed = fcgi_params_push(&t->params, e->data, e->size) < 0;
    if (e->kind != FCGI_EVENT_PARAMS_END || t->params_failed)
        return;
    buffer_printf(&t->events, "[%d:%zu]", fcgi_params_end(&t->params), t->params.n);
    for (size_t i = 0; i < t->params.n; i++) {
        const FcgiParam *item = &t->params.items[i];

        check_that(fcgi_param_name(&t->params, i)[item->name_size] == 0);
        check_that(fcgi_param_value(&t->params, i)[item->value_size] == 0);
        buffer_append(&t->events, fcgi_param_name(&t->params, i), item->name_size);
        buffer_append(&t->events, fcgi_param_value(&t->params, i), item->value_size);
    }
}

static void note(Trace *t, const FcgiEvent *e)
{
    if (is_data(e->kind)) {
        check_that(e->size > 0);
        if (t->last != e->kind)
            buffer_printf(&t->events, "<%d:", e->kind);
        buffer_append(&t->events, e->data, e->size);
    } else {
        buffer_printf(&t->events, "<%d,%u,%u,%u,%d>", e->kind, e->request_id, e->role, e->type,
                      e->keep);
    }
    t->last = e->kind;
    note_params(t, e);
}

static bool ends_request(const Trace *t, const FcgiEvent *e)
{
    if (e->kind == FCGI_EVENT_ABORT)
        return true;
    if (t->early)
        return e->kind == FCGI_EVENT_PARAMS_END;
    return (e->kind == FCGI_EVENT_STDIN_END || e->kind == FCGI_EVENT_DATA_END) &&
           fcgi_parser_request_read(&t->parser);
}

static void push(Trace *t, const uint8_t *data, size_t n)
{
    size_t at = 0;

    while (!t->failed) {
        size_t used = 0;
        FcgiEvent e;

        if (fcgi_parser_next(&t->parser, data + at, n - at, &used, &e) < 0) {
            check_that(t->parser.error != NULL);
            t->failed = true;
            return;
        }
        check_that(used <= n - at);
        at += used;
        if (e.kind == FCGI_EVENT_NONE) {
            check_that(at == n);
            return;
        }
        if (e.data)
            check_that(e.data >= data && e.data + e.size <= data + at);
        note(t, &e);
        if (ends_request(t, &e))
            fcgi_parser_end_request(&t->parser);
    }
}

static void trace_run(Trace *t, const uint8_t *data, size_t n, size_t piece, bool early)
{
    *t = (Trace){.early = early};
    fcgi_parser_init(&t->parser);
    for (size_t at = 0; at < n; at += piece)
        push(t, data + at, MIN(piece, n - at));
}

static void trace_done(Trace *t)
{
    buffer_done(&t->events);
    fcgi_params_done(&t->params);
}

static void compare_runs(const uint8_t *data, size_t n, bool early)
{
    Trace whole, bytes;

    if (n == 0)
        return;
    trace_run(&whole, data, n, n, early);
    trace_run(&bytes, data, n, 1, early);
    check_that(whole.failed == bytes.failed);
    check_that(whole.events.size == bytes.events.size);
    check_that(whole.events.size == 0 ||
               memcmp(whole.events.data, bytes.events.data, whole.events.size) == 0);
    if (!whole.failed)
        check_that(fcgi_parser_is_idle(&whole.parser) == fcgi_parser_is_idle(&bytes.parser) &&
                   fcgi_parser_request_read(&whole.parser) ==
                       fcgi_parser_request_read(&bytes.parser));
    trace_done(&whole);
    trace_done(&bytes);
}

static int read_answer(FcgiResponse *response, const uint8_t *data, size_t n, size_t piece)
{
    int r = 0;

    for (size_t at = 0; r == 0 && at < n; at += piece) {
        size_t used = 0, k = MIN(piece, n - at);

        r = fcgi_response_push(response, data + at, k, &used);
        if (r >= 0)
            check_that(used <= k && (r == 1 || used == k));
    }
    return r;
}

static void compare_answers(const uint8_t *data, size_t n)
{
    FcgiResponse whole = {0}, bytes = {0};

    if (n == 0)
        return;
    check_that(read_answer(&whole, data, n, n) == read_answer(&bytes, data, n, 1));
    check_that(whole.out.size == bytes.out.size && whole.err.size == bytes.err.size);
    check_that(whole.app_status == bytes.app_status);
    fcgi_response_done(&whole);
    fcgi_response_done(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    compare_runs(data, size, false);
    compare_runs(data, size, true);
    compare_answers(data, size);
    return 0;
}
