#include "status/answer.h"

#include "status/dashboard.h"

#include <string.h>

static const char no_cache[] = "Cache-Control: no-cache, no-store, must-revalidate, max-age=0";
static const char expired[] = "Expires: Thu, 01 Jan 1970 00:00:00 GMT";
/* What the page needs and nothing else; one that a web server adds has to allow 'self' as well. */
static const char policy[] =
    "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src "
    "'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
static const char no_sniffing[] = "X-Content-Type-Options: nosniff";
static const char no_referrer[] = "Referrer-Policy: no-referrer";
static const char keep[] = "Cache-Control: max-age=3600";

/* Whether the query has the key, with or without a value. */
static bool is_asked(const char *query, const char *key)
{
    size_t n = strlen(key);

    for (const char *p = query; p && *p; p += strspn(p, "&")) {
        size_t part = strcspn(p, "&");

        if (part >= n && strncmp(p, key, n) == 0 && (part == n || p[n] == '=' || p[n] == '['))
            return true;
        p += part;
    }
    return false;
}

static PageFormat asked_format(const char *query)
{
    int format = 0;

    while (format < PAGE_PLAIN && !is_asked(query, page_format_to_string((PageFormat)format)))
        format++;
    return (PageFormat)format;
}

static bool is_strict(const StatusQuestion *q)
{
    return q->accept && strstr(q->accept, "application/openmetrics-text");
}

bool status_question_needs_snapshot(const StatusQuestion *q)
{
    return !q->head && !is_asked(q->query, "style") && !is_asked(q->query, "script");
}

/* 1: it was one of them. */
static int make_asset(const StatusQuestion *q, StatusAnswer *a)
{
    bool script = is_asked(q->query, "script");
    const char *data;
    size_t n;
    int r;

    if (!script && !is_asked(q->query, "style"))
        return 0;
    data = script ? dashboard_script(&n) : dashboard_style(&n);
    a->content_type = script ? "text/javascript; charset=utf-8" : "text/css; charset=utf-8";
    a->headers[0] = keep;
    a->headers[1] = no_sniffing;
    r = q->head ? 0 : buffer_append(&a->body, data, n);
    return r < 0 ? r : 1;
}

static int make_page(const StatusQuestion *q, const StatusPool *pool, const StatusWorker *workers,
                     const History *history,
                     struct tm *(*local_time)(const time_t *time, struct tm *ret), StatusAnswer *a)
{
    PageFormat format = asked_format(q->query);
    bool full = is_asked(q->query, "full");

    a->content_type = page_content_type(format);
    a->headers[0] = expired;
    a->headers[1] = no_cache;
    if (format == PAGE_HTML) {
        a->headers[2] = policy;
        a->headers[3] = no_sniffing;
        a->headers[4] = no_referrer;
    }
    if (format == PAGE_OPENMETRICS && is_strict(q))
        a->content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    if (q->head)
        return 0;
    if (format == PAGE_HTML)
        return dashboard_render(&a->body, pool, workers, full, history, local_time);
    if (format == PAGE_OPENMETRICS)
        return page_render_metrics(&a->body, pool, workers, full, is_strict(q));
    return page_render(&a->body, format, pool, workers, full, local_time);
}

int status_answer_make(const StatusQuestion *q, const StatusPool *pool, const StatusWorker *workers,
                       const History *history,
                       struct tm *(*local_time)(const time_t *time, struct tm *ret),
                       StatusAnswer *ret)
{
    StatusAnswer answer = {.code = 200};
    int r = make_asset(q, &answer);

    if (r == 0)
        r = make_page(q, pool, workers, history, local_time, &answer);
    if (r < 0) {
        buffer_done(&answer.body);
        return r;
    }
    *ret = answer;
    return 0;
}
