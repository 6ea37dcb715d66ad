#include "status/page.h"

#include "status/dashboard.h"
#include "status/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PLAIN_COLUMN 22 /* where the values of the plain page begin */

typedef struct tm *(*LocalTime)(const time_t *time, struct tm *ret);

typedef struct Layout Layout;

/* A field with all that is around it. first: of its object. */
typedef int (*PutField)(Buffer *b, const Layout *l, const void *object, const PageField *f,
                        bool first);

struct Layout {
    const char *name; /* the key of the query */
    const char *content_type;
    int (*put_text)(Buffer *b, const char *text); /* escapes */
    const char *quote;                            /* around texts */
    bool human_times;
    PutField put_pool_field;
    PutField put_process_field;
    const char *begin;
    int (*put_latency)(Buffer *b, const uint64_t *buckets);
    const char *begin_processes, *begin_process, *between, *end_process, *end_processes;
    const char *end;
    LocalTime local_time;
};

static int put(Buffer *b, const char *text)
{
    return buffer_append(b, text, strlen(text));
}

/* ---- values ---- */

/* As in access logs: 22/Nov/2026:16:31:29 +0000 */
static int put_time(Buffer *b, const Layout *l, uint64_t seconds)
{
    time_t time = (time_t)seconds;
    char text[64];
    struct tm tm;

    if (!l->human_times || !l->local_time(&time, &tm) ||
        strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S %z", &tm) == 0)
        return buffer_printf(b, "%" PRIu64, seconds);
    return put(b, text);
}

/* Escaped in one piece: a format may encode it as a whole. */
static int put_uri(Buffer *b, const Layout *l, const PageUri *uri)
{
    char text[sizeof(((BoardSlot *)0)->name) + sizeof(((BoardSlot *)0)->query) + 1];

    snprintf(text, sizeof(text), "%s%s%s", uri->name, *uri->query ? "?" : "", uri->query);
    return l->put_text(b, text);
}

static int put_value(Buffer *b, const Layout *l, const void *object, const PageField *f)
{
    int r;

    switch (f->type) {
    case PAGE_LATENCY:
        return l->put_latency(b, page_latency(object, f));
    case PAGE_NUMBER:
    case PAGE_U32:
        return buffer_printf(b, "%" PRIu64, page_number(object, f));
    case PAGE_TIME:
        return put_time(b, l, page_number(object, f));
    case PAGE_PERCENT:
        return buffer_printf(b, "%.2f", page_percent(object, f));
    case PAGE_TEXT:
    case PAGE_CHARS:
    case PAGE_URI:
    case PAGE_QUERY:
    case _PAGE_TYPE_MAX:
        break;
    }
    r = put(b, l->quote);
    if (r == 0)
        r = f->type == PAGE_TEXT || f->type == PAGE_CHARS ? l->put_text(b, page_text(object, f))
                                                          : put_uri(b, l, page_uri(object, f));
    return r < 0 ? r : put(b, l->quote);
}

/* How many requests took at most so long, for each bound: "250:17 500:20 … inf:21". */
static int plain_latency(Buffer *b, const uint64_t *buckets)
{
    uint64_t sum = 0;
    int r = 0;

    for (size_t i = 0; i < BOARD_LATENCY_BUCKETS && r == 0; i++) {
        sum += buckets[i];
        r = page_latency_bound(i) == UINT64_MAX
                ? buffer_printf(b, "inf:%" PRIu64, sum)
                : buffer_printf(b, "%" PRIu64 ":%" PRIu64 " ", page_latency_bound(i), sum);
    }
    return r;
}

static int json_latency(Buffer *b, const uint64_t *buckets)
{
    uint64_t sum = 0;
    int r = put(b, "{");

    for (size_t i = 0; i < BOARD_LATENCY_BUCKETS && r == 0; i++) {
        sum += buckets[i];
        r = page_latency_bound(i) == UINT64_MAX
                ? buffer_printf(b, "\"+Inf\":%" PRIu64, sum)
                : buffer_printf(b, "\"%" PRIu64 "\":%" PRIu64 ",", page_latency_bound(i), sum);
    }
    return r < 0 ? r : put(b, "}");
}

/* before VALUE after */
static int put_between(Buffer *b, const Layout *l, const char *before, const char *after,
                       const void *object, const PageField *f)
{
    int r = put(b, before);

    if (r == 0)
        r = put_value(b, l, object, f);
    return r < 0 ? r : put(b, after);
}

/* ---- fields ---- */

static int plain_field(Buffer *b, const Layout *l, const void *object, const PageField *f,
                       bool first)
{
    int r = buffer_printf(b, "%s:%*s", f->plain, PLAIN_COLUMN - 1 - (int)strlen(f->plain), "");

    return r < 0 ? r : put_between(b, l, "", "\n", object, f);
}

static int xml_element(Buffer *b, const Layout *l, const void *object, const PageField *f,
                       bool first)
{
    int r = buffer_printf(b, "<%s>", f->tag);

    if (r == 0)
        r = put_value(b, l, object, f);
    return r < 0 ? r : buffer_printf(b, "</%s>", f->tag);
}

static int xml_line(Buffer *b, const Layout *l, const void *object, const PageField *f, bool first)
{
    int r = xml_element(b, l, object, f, first);

    return r < 0 ? r : put(b, "\n");
}

static int json_member(Buffer *b, const Layout *l, const void *object, const PageField *f,
                       bool first)
{
    int r = buffer_printf(b, "%s\"%s\":", first ? "" : ",", f->name);

    return r < 0 ? r : put_value(b, l, object, f);
}

/* ---- layouts ---- */

static const Layout layouts[] = {
    [PAGE_PLAIN] = {.name = "plain",
                    .content_type = "text/plain",
                    .put_text = escape_text,
                    .quote = "",
                    .human_times = true,
                    .put_latency = plain_latency,
                    .put_pool_field = plain_field,
                    .put_process_field = plain_field,
                    .begin = "",
                    .begin_processes = "",
                    .begin_process = "\n************************\n",
                    .between = "",
                    .end_process = "",
                    .end_processes = "",
                    .end = ""},
    [PAGE_HTML] = {.name = "html", .content_type = "text/html; charset=utf-8"},
    [PAGE_XML] = {.name = "xml",
                  .content_type = "text/xml",
                  .put_text = escape_markup,
                  .quote = "",
                  .put_latency = plain_latency,
                  .put_pool_field = xml_line,
                  .put_process_field = xml_element,
                  .begin = "<?xml version=\"1.0\" ?>\n<status>\n",
                  .begin_processes = "<processes>\n",
                  .begin_process = "<process>",
                  .between = "",
                  .end_process = "</process>\n",
                  .end_processes = "</processes>\n",
                  .end = "</status>"},
    [PAGE_JSON] = {.name = "json",
                   .content_type = "application/json",
                   .put_text = escape_json_ascii,
                   .quote = "\"",
                   .put_latency = json_latency,
                   .put_pool_field = json_member,
                   .put_process_field = json_member,
                   .begin = "{",
                   .begin_processes = ", \"processes\":[",
                   .begin_process = "{",
                   .between = ",",
                   .end_process = "}",
                   .end_processes = "]",
                   .end = "}"},
    [PAGE_OPENMETRICS] = {.name = "openmetrics",
                          .content_type = "text/plain; version=0.0.4; charset=utf-8"},
};

_Static_assert(ARRAY_SIZE(layouts) == _PAGE_FORMAT_MAX, "every format has a layout");

const char *page_format_to_string(PageFormat format)
{
    return layouts[format].name;
}

const char *page_content_type(PageFormat format)
{
    return layouts[format].content_type;
}

static int put_fields(Buffer *b, const Layout *l, PutField put_field, const void *object,
                      const PageField *fields, size_t n, bool first)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        if (fields[i].name)
            r = put_field(b, l, object, &fields[i], first && i == 0);
    return r;
}

static int put_process(Buffer *b, const Layout *l, const StatusWorker *worker)
{
    size_t n, n_more;
    const PageField *fields = page_process_fields(&n), *more = page_more_process_fields(&n_more);
    PageProcess process;
    int r = put(b, l->begin_process);

    page_process(worker, &process);
    if (r == 0)
        r = put_fields(b, l, l->put_process_field, &process, fields, n, true);
    if (r == 0)
        r = put_fields(b, l, l->put_process_field, worker, more, n_more, false);
    return r < 0 ? r : put(b, l->end_process);
}

static int put_processes(Buffer *b, const Layout *l, const StatusWorker *workers, size_t n_workers)
{
    int r = put(b, l->begin_processes);

    for (size_t i = 0; r == 0 && i < n_workers; i++) {
        if (i > 0)
            r = put(b, l->between);
        if (r == 0)
            r = put_process(b, l, &workers[i]);
    }
    return r < 0 ? r : put(b, l->end_processes);
}

static int put_pool(Buffer *b, const Layout *l, const StatusPool *pool, const StatusWorker *workers)
{
    size_t n, n_more;
    const PageField *fields = page_pool_fields(&n), *more = page_more_pool_fields(&n_more);
    PagePool page;
    int r;

    page_pool(pool, workers, &page);
    r = put_fields(b, l, l->put_pool_field, &page, fields, n, true);
    return r < 0 ? r : put_fields(b, l, l->put_pool_field, pool, more, n_more, false);
}

int page_render(Buffer *b, PageFormat format, const StatusPool *pool, const StatusWorker *workers,
                bool full, LocalTime local_time)
{
    Layout l = layouts[format];
    int r;

    if (format == PAGE_HTML)
        return dashboard_render(b, pool, workers, full, NULL, local_time);
    if (format == PAGE_OPENMETRICS)
        return page_render_metrics(b, pool, workers, full, false);
    l.local_time = local_time;
    r = put(b, l.begin);
    if (r == 0)
        r = put_pool(b, &l, pool, workers);
    if (r == 0 && full)
        r = put_processes(b, &l, workers, pool->n_workers);
    return r < 0 ? r : put(b, l.end);
}
