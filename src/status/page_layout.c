#include "status/page.h"

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
    PutField put_process_field; /* NULL: the format shows no processes */
    const char *begin, *end_pool;
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
    case PAGE_NUMBER:
        return buffer_printf(b, "%" PRIu64, page_number(object, f));
    case PAGE_TIME:
        return put_time(b, l, page_number(object, f));
    case PAGE_PERCENT:
        return buffer_printf(b, "%.2f", page_percent(object, f));
    case PAGE_TEXT:
    case PAGE_URI:
    case PAGE_QUERY:
    case _PAGE_TYPE_MAX:
        break;
    }
    r = put(b, l->quote);
    if (r == 0)
        r = f->type == PAGE_TEXT ? l->put_text(b, page_text(object, f))
                                 : put_uri(b, l, page_uri(object, f));
    return r < 0 ? r : put(b, l->quote);
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

static int html_row(Buffer *b, const Layout *l, const void *object, const PageField *f, bool first)
{
    int r = buffer_printf(b, "<tr><th>%s</th>", f->name);

    return r < 0 ? r : put_between(b, l, "<td>", "</td></tr>\n", object, f);
}

static int html_cell(Buffer *b, const Layout *l, const void *object, const PageField *f, bool first)
{
    return put_between(b, l, "<td>", "</td>", object, f);
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

/* That the page is there is a metric too; its help carries the words. */
static int metrics_up(Buffer *b, const Layout *l, const PagePool *pool)
{
    int r = put(b, "# HELP phpfpm_up Could pool ");

    if (r == 0)
        r = l->put_text(b, pool->name);
    return r < 0 ? r
                 : buffer_printf(b,
                                 " using a %s PM on PHP-FPM be reached?\n# TYPE phpfpm_up gauge\n"
                                 "phpfpm_up 1\n",
                                 pool->mode);
}

static int metrics_field(Buffer *b, const Layout *l, const void *object, const PageField *f,
                         bool first)
{
    int r = 0;

    if (first)
        return metrics_up(b, l, object);
    if (!f->metric)
        return 0;
    if (!f->help_last)
        r = buffer_printf(b, "# HELP %s %s\n", f->metric, f->metric_help);
    if (r == 0)
        r = buffer_printf(b, "# TYPE %s %s\n", f->metric, f->metric_type);
    if (r == 0 && f->help_last)
        r = buffer_printf(b, "# HELP %s %s\n", f->metric, f->metric_help);
    if (r == 0)
        r = buffer_printf(b, "%s ", f->metric);
    return r < 0 ? r : put_between(b, l, "", "\n", object, f);
}

/* ---- layouts ---- */

static const Layout layouts[] = {
    [PAGE_PLAIN] = {.name = "plain",
                    .content_type = "text/plain",
                    .put_text = escape_text,
                    .quote = "",
                    .human_times = true,
                    .put_pool_field = plain_field,
                    .put_process_field = plain_field,
                    .begin = "",
                    .end_pool = "",
                    .begin_processes = "",
                    .begin_process = "\n************************\n",
                    .between = "",
                    .end_process = "",
                    .end_processes = "",
                    .end = ""},
    [PAGE_HTML] = {.name = "html",
                   .content_type = "text/html",
                   .put_text = escape_markup,
                   .quote = "",
                   .human_times = true,
                   .put_pool_field = html_row,
                   .put_process_field = html_cell,
                   .begin = "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" "
                            "\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\n"
                            "<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" "
                            "lang=\"en\">\n<head><title>PHP-FPM Status Page</title></head>\n"
                            "<body>\n<table>\n",
                   .end_pool = "</table>\n",
                   .begin_processes = "<table border=\"1\">\n",
                   .begin_process = "<tr>",
                   .between = "",
                   .end_process = "</tr>\n",
                   .end_processes = "</table>",
                   .end = "</body></html>"},
    [PAGE_XML] = {.name = "xml",
                  .content_type = "text/xml",
                  .put_text = escape_markup,
                  .quote = "",
                  .put_pool_field = xml_line,
                  .put_process_field = xml_element,
                  .begin = "<?xml version=\"1.0\" ?>\n<status>\n",
                  .end_pool = "",
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
                   .put_pool_field = json_member,
                   .put_process_field = json_member,
                   .begin = "{",
                   .end_pool = "",
                   .begin_processes = ", \"processes\":[",
                   .begin_process = "{",
                   .between = ",",
                   .end_process = "}",
                   .end_processes = "]",
                   .end = "}"},
    [PAGE_OPENMETRICS] = {.name = "openmetrics",
                          .content_type =
                              "application/openmetrics-text; version=1.0.0; charset=utf-8",
                          .put_text = escape_metrics,
                          .quote = "",
                          .put_pool_field = metrics_field,
                          .begin = "",
                          .end_pool = "",
                          .end = "# EOF\n"},
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
                      const PageField *fields, size_t n)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        if (fields[i].name)
            r = put_field(b, l, object, &fields[i], i == 0);
    return r;
}

/* A table of HTML has its names once, above the columns. */
static int put_heads(Buffer *b, const PageField *fields, size_t n)
{
    int r = put(b, "<tr>");

    for (size_t i = 0; r == 0 && i < n; i++)
        if (fields[i].name)
            r = buffer_printf(b, "<th>%s</th>", fields[i].name);
    return r < 0 ? r : put(b, "</tr>\n");
}

static int put_process(Buffer *b, const Layout *l, const StatusWorker *worker)
{
    size_t n;
    const PageField *fields = page_process_fields(&n);
    PageProcess process;
    int r = put(b, l->begin_process);

    page_process(worker, &process);
    if (r == 0)
        r = put_fields(b, l, l->put_process_field, &process, fields, n);
    return r < 0 ? r : put(b, l->end_process);
}

static int put_processes(Buffer *b, const Layout *l, const StatusWorker *workers, size_t n_workers)
{
    size_t n;
    const PageField *fields = page_process_fields(&n);
    int r = put(b, l->begin_processes);

    if (r == 0 && l->put_process_field == html_cell)
        r = put_heads(b, fields, n);
    for (size_t i = 0; r == 0 && i < n_workers; i++) {
        if (i > 0)
            r = put(b, l->between);
        if (r == 0)
            r = put_process(b, l, &workers[i]);
    }
    return r < 0 ? r : put(b, l->end_processes);
}

int page_render(Buffer *b, PageFormat format, const StatusPool *pool, const StatusWorker *workers,
                bool full, LocalTime local_time)
{
    Layout l = layouts[format];
    size_t n;
    const PageField *fields = page_pool_fields(&n);
    PagePool page;
    int r = put(b, l.begin);

    l.local_time = local_time;
    page_pool(pool, workers, &page);
    if (r == 0)
        r = put_fields(b, &l, l.put_pool_field, &page, fields, n);
    if (r == 0)
        r = put(b, l.end_pool);
    if (r == 0 && full && l.put_process_field)
        r = put_processes(b, &l, workers, pool->n_workers);
    return r < 0 ? r : put(b, l.end);
}
