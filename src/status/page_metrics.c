#include "status/page.h"

#include "status/escape.h"
#include "status/metric.h"

#include <inttypes.h>
#include <string.h>

/* By the rules of both OpenMetrics 1.0 and the text format 0.0.4 of Prometheus, which differ in two
 * things: a counter's family is called NAME in the first and NAME_total in the second (its sample
 * is NAME_total in both), and the first has a canonical form for bounds of histograms. */

typedef struct Page {
    Buffer *b;
    const StatusPool *pool;
    const StatusWorker *workers;
    size_t n_workers;
    bool strict;
} Page;

static int put(const Page *p, const char *text)
{
    return buffer_append(p->b, text, strlen(text));
}

static int put_head(const Page *p, const char *name, const char *type, const char *help,
                    bool counter)
{
    const char *suffix = counter && !p->strict ? "_total" : "";

    return buffer_printf(p->b, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
                         type);
}

/* NAME="VALUE" */
static int put_label(const Page *p, const char *before, const char *name, const char *value)
{
    int r = buffer_printf(p->b, "%s%s=\"", before, name);

    if (r == 0)
        r = escape_metrics(p->b, value);
    return r < 0 ? r : put(p, "\"");
}

/* NAME{pool="…" */
static int open_sample(const Page *p, const char *name, const char *suffix, const StatusWorker *w)
{
    int r = buffer_printf(p->b, "%s%s", name, suffix);

    if (r == 0)
        r = put_label(p, "{", "pool", p->pool->name);
    if (r == 0 && w)
        r = buffer_printf(p->b, ",pid=\"%u\"", w->pid);
    return r;
}

static int put_scaled(const Page *p, MetricUnit unit, uint64_t value)
{
    switch (unit) {
    case UNIT_MICROSECONDS:
        return buffer_printf(p->b, "} %" PRIu64 ".%06" PRIu64 "\n", value / USEC_PER_SEC,
                             value % USEC_PER_SEC);
    case UNIT_PERMILLE:
        return buffer_printf(p->b, "} %" PRIu64 ".%03" PRIu64 "\n", value / 1000, value % 1000);
    case UNIT_ONE:
        break;
    }
    return buffer_printf(p->b, "} %" PRIu64 "\n", value);
}

static int put_sample(const Page *p, const Metric *m, const void *object, const StatusWorker *w)
{
    const PageField field = {.type = m->type, .offset = m->offset};
    int r = open_sample(p, m->name, m->kind == KIND_COUNTER ? "_total" : "", w);

    if (r == 0 && m->label)
        r = put_label(p, ",", m->label, m->word);
    return r < 0 ? r : put_scaled(p, m->unit, page_number(object, &field));
}

static int put_family(const Page *p, const Metric *m)
{
    bool counter = m->kind == KIND_COUNTER;

    return put_head(p, m->name, counter ? "counter" : "gauge", m->help, counter);
}

static int put_pool_metrics(const Page *p)
{
    size_t n;
    const Metric *metrics = metric_of_pool(&n);
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        const Metric *m = &metrics[i];

        if (i == 0 || strcmp(m->name, m[-1].name) != 0)
            r = put_family(p, m);
        if (r == 0)
            r = put_sample(p, m, p->pool, NULL);
    }
    return r;
}

static int put_worker_metrics(const Page *p)
{
    size_t n;
    const Metric *metrics = metric_of_worker(&n);
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        r = put_family(p, &metrics[i]);
        for (size_t w = 0; w < p->n_workers && r == 0; w++)
            r = put_sample(p, &metrics[i], &p->workers[w], &p->workers[w]);
    }
    return r;
}

/* What is known in words: labels of a sample that is always 1. Without the id of the request, which
 * would make a series of each request. */
static int put_worker_info(const Page *p)
{
    int r = put_head(p, "fpmd_worker_info", "gauge", "What a worker does, or did last.", false);

    for (size_t i = 0; i < p->n_workers && r == 0; i++) {
        const BoardSlot *s = &p->workers[i].board;
        const struct {
            const char *name, *value;
        } labels[] = {
            {"state", worker_state_to_string((WorkerState)s->state)},
            {"method", s->method},
            {"uri", s->uri},
            {"script", s->script},
            {"user", s->user},
        };

        r = open_sample(p, "fpmd_worker_info", "", &p->workers[i]);
        for (size_t k = 0; k < ARRAY_SIZE(labels) && r == 0; k++)
            r = put_label(p, ",", labels[k].name, labels[k].value);
        if (r == 0)
            r = put(p, "} 1\n");
    }
    return r;
}

static int put_info(const Page *p)
{
    const StatusPool *s = p->pool;
    const char *mode =
        s->mode < _POOL_MODE_MAX ? pool_mode_to_string((PoolMode)s->mode) : "unknown";
    int r = put_head(p, "fpmd_info", "gauge", "What the pool is.", false);

    if (r == 0)
        r = open_sample(p, "fpmd_info", "", NULL);
    if (r == 0)
        r = put_label(p, ",", "process_manager", mode);
    if (r == 0)
        r = put_label(p, ",", "state", s->state);
    if (r == 0)
        r = put_label(p, ",", "runtime", s->runtime_version);
    if (r == 0)
        r = put_label(p, ",", "sandbox", s->sandbox);
    return r < 0 ? r : put(p, "} 1\n");
}

/* A bound is a number of OpenMetrics in its canonical form, which has a decimal place; the older
 * format of Prometheus has none where none is needed. */
static int put_bound(const Page *p, uint64_t usec)
{
    bool whole = usec % USEC_PER_SEC == 0;

    if (usec == UINT64_MAX)
        return put(p, ",le=\"+Inf\"");
    return buffer_printf(p->b, ",le=\"%g%s\"", (double)usec / (double)USEC_PER_SEC,
                         whole && p->strict ? ".0" : "");
}

static int put_latency(const Page *p)
{
    static const char name[] = "fpmd_request_duration_seconds";
    uint64_t sum = 0;
    int r = put_head(p, name, "histogram",
                     "Time from the first byte of a request to the end of "
                     "its answer.",
                     false);

    for (size_t i = 0; i < BOARD_LATENCY_BUCKETS && r == 0; i++) {
        uint64_t bound = page_latency_bound(i);

        sum += p->pool->latency[i];
        r = open_sample(p, name, "_bucket", NULL);
        if (r == 0)
            r = put_bound(p, bound);
        if (r == 0)
            r = buffer_printf(p->b, "} %" PRIu64 "\n", sum);
    }
    if (r == 0)
        r = open_sample(p, name, "_sum", NULL);
    if (r == 0)
        r = put_scaled(p, UNIT_MICROSECONDS, p->pool->latency_sum_usec);
    if (r == 0)
        r = open_sample(p, name, "_count", NULL);
    return r < 0 ? r : buffer_printf(p->b, "} %" PRIu64 "\n", sum);
}

/* Under the names of PHP-FPM, without labels. That the page is there is one of them; its help
 * carries the words. */
static int put_php_fpm(const Page *p)
{
    size_t n;
    const PageField *fields = page_pool_fields(&n);
    PagePool page;
    int r = put(p, "# HELP phpfpm_up Could pool ");

    page_pool(p->pool, p->workers, &page);
    if (r == 0)
        r = escape_metrics(p->b, page.name);
    if (r == 0)
        r = buffer_printf(p->b,
                          " using a %s PM on PHP-FPM be reached?\n# TYPE phpfpm_up gauge\n"
                          "phpfpm_up 1\n",
                          page.mode);
    for (size_t i = 0; i < n && r == 0; i++) {
        const PageField *f = &fields[i];

        if (f->metric)
            r = buffer_printf(p->b, "# HELP %s %s\n# TYPE %s gauge\n%s %" PRIu64 "\n", f->metric,
                              f->metric_help, f->metric, f->metric, page_number(&page, f));
    }
    return r;
}

int page_render_metrics(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool full,
                        bool strict)
{
    const Page p = {b, pool, workers, pool->n_workers, strict};
    int r = put_php_fpm(&p);

    if (r == 0)
        r = put_info(&p);
    if (r == 0)
        r = put_pool_metrics(&p);
    if (r == 0)
        r = put_latency(&p);
    if (r == 0 && full)
        r = put_worker_metrics(&p);
    if (r == 0 && full)
        r = put_worker_info(&p);
    return r < 0 ? r : put(&p, "# EOF\n");
}
