#include "porter/lodge.h"
#include "status/answer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* A record whose content is a multiple of 8 needs no padding. */
#define RECORD_CONTENT (FCGI_MAX_CONTENT & ~7)

/* ---- FastCGI ---- */

static const char *reason_of(int code)
{
    switch (code) {
    case 404:
        return "Not Found";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

static int put_record(Buffer *b, unsigned type, unsigned request_id, const void *data, size_t n)
{
    uint8_t header[FCGI_HEADER_SIZE];
    int r;

    fcgi_put_header(header, type, request_id, n, 0);
    r = buffer_append(b, header, sizeof(header));
    return r < 0 || n == 0 ? r : buffer_append(b, data, n);
}

/* All of STDOUT, and the end of the request. */
static int put_whole(Buffer *b, unsigned request_id, const char *data, size_t n)
{
    uint8_t end[FCGI_END_REQUEST_SIZE];
    int r = buffer_reserve(b, n + (n / RECORD_CONTENT + 2) * FCGI_HEADER_SIZE + sizeof(end));

    for (size_t at = 0, part; r == 0 && at < n; at += part) {
        part = MIN(n - at, (size_t)RECORD_CONTENT);
        r = put_record(b, FCGI_STDOUT, request_id, data + at, part);
    }
    if (r == 0)
        r = put_record(b, FCGI_STDOUT, request_id, NULL, 0);
    fcgi_put_end_request(end, request_id, 0, FCGI_REQUEST_COMPLETE);
    return r < 0 ? r : buffer_append(b, end, sizeof(end));
}

/* ---- what is answered ---- */

typedef struct Reply {
    int code;
    const char *type;
    const char *const *headers; /* NULL ends */
    char more[64];              /* another one with its line end, or "" */
    const char *body;
    size_t n_body;
} Reply;

static const char *const no_cache[] = {
    "Expires: Thu, 01 Jan 1970 00:00:00 GMT",
    "Cache-Control: no-cache, no-store, must-revalidate, max-age=0",
    NULL,
};
static const char *const no_headers[] = {NULL};

/* As PHP completes the types of what workers answer. */
static bool wants_charset(const char *type)
{
    return strncmp(type, "text/", strlen("text/")) == 0 && !strstr(type, "charset=");
}

static int put_reply(Buffer *b, unsigned request_id, const Reply *p)
{
    _cleanup_buffer_ Buffer text = {0};
    int r = 0;

    if (p->code != 200)
        r = buffer_printf(&text, "Status: %d %s\r\n", p->code, reason_of(p->code));
    for (const char *const *h = p->headers; r == 0 && *h; h++)
        r = buffer_printf(&text, "%s\r\n", *h);
    if (r == 0)
        r = buffer_printf(&text, "%sContent-type: %s%s\r\n\r\n", p->more, p->type,
                          wants_charset(p->type) ? ";charset=UTF-8" : "");
    if (r == 0 && p->n_body > 0)
        r = buffer_append(&text, p->body, p->n_body);
    return r < 0 ? r : put_whole(b, request_id, text.data, text.size);
}

static int put_text(Buffer *b, unsigned request_id, bool head, Reply *p, const char *text)
{
    p->body = text;
    p->n_body = head ? 0 : strlen(text);
    return put_reply(b, request_id, p);
}

static const char *param(const FcgiParams *params, const char *name)
{
    return fcgi_params_get(params, name, NULL);
}

static bool is_head(const FcgiParams *params)
{
    const char *method = param(params, "REQUEST_METHOD");

    return method && strcmp(method, "HEAD") == 0;
}

/* As the language compares them: what is asked for is the name of the script. */
static bool is_path(const FcgiParams *params, const char *path)
{
    const char *uri = param(params, "SCRIPT_NAME");

    if (!uri || !*uri)
        uri = param(params, "PATH_INFO");
    return path && uri && strcmp(uri, path) == 0;
}

static StatusQuestion question_of(const FcgiParams *params)
{
    return (StatusQuestion){.query = param(params, "QUERY_STRING"),
                            .accept = param(params, "HTTP_ACCEPT"),
                            .head = is_head(params)};
}

bool reply_needs_news(const Lodge *l, const FcgiParams *params)
{
    StatusQuestion q = question_of(params);

    return is_path(params, l->spec->status_path) && !is_path(params, l->spec->ping_path) &&
           status_question_needs_snapshot(&q);
}

static int put_ping(const Lodge *l, Buffer *b, unsigned request_id, const FcgiParams *params)
{
    const char *pong = l->spec->ping_response ? l->spec->ping_response : "pong";
    Reply p = {.code = l->desk.draining ? 503 : 200, .type = "text/plain", .headers = no_cache};

    return put_text(b, request_id, is_head(params), &p, l->desk.draining ? "draining" : pong);
}

static int put_no_news(Buffer *b, unsigned request_id)
{
    Reply p = {.code = 503, .type = "text/plain", .headers = no_cache};

    return put_text(b, request_id, false, &p,
                    "The manager of the pool does not answer, and its state is not known.\n");
}

/* Many who do not read long answers. */
static int put_busy(Buffer *b, unsigned request_id)
{
    Reply p = {.code = 503, .type = "text/plain", .headers = no_cache};

    return put_text(b, request_id, false, &p, "Too many others ask for the status.\n");
}

/* Copies history for the page. NULL: there is none. */
static History *copy_history(const Lodge *l)
{
    History *copy;

    if (!l->desk.news.history)
        return NULL;
    copy = malloc(sizeof(*copy));
    if (copy && history_open(l->spec->history_fd, copy) < 0) {
        free(copy);
        copy = NULL;
    }
    return copy;
}

static int put_status(const Lodge *l, Buffer *b, unsigned request_id, const FcgiParams *params,
                      uint64_t old_usec, bool silent)
{
    StatusQuestion q = question_of(params);
    _cleanup_free_ History *history = NULL;
    const News *n = &l->desk.news;
    StatusAnswer answer = {0};
    StatusPool pool = {0};
    Reply p;
    int r;

    if (n->pool)
        pool = *n->pool;
    if (silent)
        snprintf(pool.status_text, sizeof(pool.status_text),
                 "The manager does not answer; this is %llu s old",
                 (unsigned long long)(old_usec / USEC_PER_SEC));
    if (status_question_needs_snapshot(&q))
        history = copy_history(l);
    r = status_answer_make(&q, &pool, n->workers, history, localtime_r, &answer);
    if (r < 0)
        return r;
    p = (Reply){.code = answer.code,
                .type = answer.content_type,
                .headers = answer.headers,
                .body = answer.body.data,
                .n_body = q.head ? 0 : answer.body.size};
    if (silent)
        snprintf(p.more, sizeof(p.more), "X-Fpmd-Snapshot-Age: %llu\r\n",
                 (unsigned long long)(old_usec / USEC_PER_SEC));
    r = put_reply(b, request_id, &p);
    buffer_done(&answer.body);
    return r;
}

int reply_put(const Lodge *l, Buffer *b, unsigned request_id, const FcgiParams *params,
              uint64_t old_usec, bool silent)
{
    Reply unknown = {.code = 404, .type = "text/html; charset=UTF-8", .headers = no_headers};

    if (is_path(params, l->spec->ping_path))
        return put_ping(l, b, request_id, params);
    if (!is_path(params, l->spec->status_path))
        return put_text(b, request_id, is_head(params), &unknown, "File not found.\n");
    if (!reply_needs_news(l, params))
        return put_status(l, b, request_id, params, 0, false);
    if (!l->desk.news.pool)
        return put_no_news(b, request_id);
    if (l->desk.n_unsent > DESK_UNSENT_MAX)
        return put_busy(b, request_id);
    return put_status(l, b, request_id, params, old_usec, silent);
}
