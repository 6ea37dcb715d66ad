#include "status/dashboard_private.h"

#include "status/human.h"

#include <inttypes.h>

#define PAST_ROWS     12
#define PAST_STEP_SEC ((uint64_t)HISTORY_STEP_SEC * HISTORY_SAMPLES / PAST_ROWS)

static const struct {
    const char *name, *title;
} charts[] = {
    {"requests", "Requests per second"},
    {"workers", "Workers"},
    {"queue", "Waiting connections"},
    {"latency", "Duration of requests"},
};

/* Some minutes of the last hour. */
typedef struct Past {
    uint64_t usec, requests, errors;
    uint32_t active, queued, p50_usec, p95_usec, p99_usec; /* the highest */
} Past;

/* ---- what the script draws from ---- */

/* Of this moment, for a page that has no history: it takes the differences itself. */
static int put_now(Buffer *b, const StatusPool *pool)
{
    uint64_t errors =
        pool->outcomes[BOARD_OUTCOME_SERVER_ERROR] + pool->outcomes[BOARD_OUTCOME_TIMED_OUT];
    int r =
        buffer_printf(b,
                      " data-now=\"%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32
                      ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 "\" data-buckets=\"",
                      pool->started_usec + pool->uptime_usec, pool->answered, errors, pool->active,
                      pool->idle, pool->queued, pool->max_children, pool->started_usec);

    for (size_t i = 0; r == 0 && i < BOARD_LATENCY_BUCKETS; i++)
        r = buffer_printf(b, "%s%" PRIu64, i > 0 ? "," : "", pool->latency[i]);
    return r < 0 ? r : dashboard_put(b, "\"");
}

static int put_bounds(Buffer *b)
{
    static const uint64_t bounds[] = BOARD_LATENCY_BOUNDS;
    int r = dashboard_put(b, " data-bounds=\"");

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(bounds); i++)
        r = buffer_printf(b, "%s%" PRIu64, i > 0 ? "," : "", bounds[i]);
    return r < 0 ? r : dashboard_put(b, "\"");
}

/* Times as distances from the sample before. */
static int put_samples(Buffer *b, const History *history)
{
    uint64_t before = 0;
    int r = dashboard_put(b, " data-samples=\"");

    for (uint32_t i = 0; r == 0 && history && i < MIN(history->n, (uint32_t)HISTORY_SAMPLES); i++) {
        const HistorySample *s = &history->samples[i];

        r = buffer_printf(b,
                          "%s%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32
                          ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32,
                          i > 0 ? ";" : "", (int64_t)(s->time_sec - before), s->step_usec / 1000,
                          s->requests, s->errors, s->active, s->idle, s->queued, s->total_max,
                          s->p50_usec, s->p95_usec, s->p99_usec);
        before = s->time_sec;
    }
    return r < 0 ? r : dashboard_put(b, "\"");
}

/* ---- the same without a script ---- */

static void add_sample(Past *p, const HistorySample *s)
{
    p->usec += s->step_usec;
    p->requests += s->requests;
    p->errors += s->errors;
    p->active = MAX(p->active, s->active);
    p->queued = MAX(p->queued, s->queued);
    p->p50_usec = MAX(p->p50_usec, s->p50_usec);
    p->p95_usec = MAX(p->p95_usec, s->p95_usec);
    p->p99_usec = MAX(p->p99_usec, s->p99_usec);
}

static int put_past_row(Buffer *b, const Past *p, uint64_t end_sec, DashboardTime local_time)
{
    uint64_t per_ksec =
        (uint64_t)((double)p->requests * 1e9 / (double)MAX(p->usec, UINT64_C(1)) + 0.5);
    char rate[HUMAN_SIZE], errors[HUMAN_SIZE], p50[HUMAN_SIZE], p95[HUMAN_SIZE], p99[HUMAN_SIZE];
    char clock[16] = "?";
    time_t end = (time_t)end_sec;
    struct tm tm;

    if (p->usec == 0)
        return 0;
    if (local_time(&end, &tm))
        strftime(clock, sizeof(clock), "%H:%M", &tm);
    human_milli(per_ksec, rate);
    human_count(p->errors, errors);
    human_span(p->p50_usec, p50);
    human_span(p->p95_usec, p95);
    human_span(p->p99_usec, p99);
    return buffer_printf(b,
                         "<tr><td>%s</td><td>%s</td><td>%s</td><td>%" PRIu32 "</td><td>%" PRIu32
                         "</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
                         clock, rate, errors, p->active, p->queued, p50, p95, p99);
}

static int put_past(Buffer *b, const StatusPool *pool, const History *history,
                    DashboardTime local_time)
{
    uint64_t now_sec = (pool->started_usec + pool->uptime_usec) / USEC_PER_SEC;
    uint64_t first_sec = now_sec - MIN(now_sec, PAST_STEP_SEC * PAST_ROWS);
    Past past[PAST_ROWS] = {0};
    int r;

    for (uint32_t i = 0; i < MIN(history->n, (uint32_t)HISTORY_SAMPLES); i++) {
        const HistorySample *s = &history->samples[i];

        if (s->time_sec > first_sec && s->time_sec <= now_sec)
            add_sample(&past[(s->time_sec - first_sec - 1) / PAST_STEP_SEC], s);
    }
    r = dashboard_put(b, "<details id=\"past\" class=\"card\" open><summary>The last hour in "
                         "figures</summary>\n<div class=\"scroll\"><table><thead><tr><th>Until</th>"
                         "<th>Requests/s</th><th>Errors</th><th>Active</th><th>Waiting</th>"
                         "<th>p50</th><th>p95</th><th>p99</th></tr></thead>\n"
                         "<tbody id=\"past-rows\" data-live>\n");
    for (size_t i = ARRAY_SIZE(past); r == 0 && i-- > 0;)
        r = put_past_row(b, &past[i], first_sec + (i + 1) * PAST_STEP_SEC, local_time);
    return r < 0 ? r : dashboard_put(b, "</tbody></table></div></details>\n");
}

int dashboard_put_charts(Buffer *b, const StatusPool *pool, const History *history,
                         DashboardTime local_time)
{
    int r = dashboard_put(b, "<div id=\"data\" hidden");

    if (r == 0)
        r = put_now(b, pool);
    if (r == 0)
        r = put_bounds(b);
    if (r == 0)
        r = put_samples(b, history);
    if (r == 0)
        r = dashboard_put(b, "></div>\n<section id=\"charts\" class=\"charts\" hidden>\n");
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(charts); i++)
        r = buffer_printf(b,
                          "<figure class=\"card\" data-chart=\"%s\"><figcaption><h2>%s</h2><p "
                          "class=\"legend\"></p></figcaption><div class=\"plot\"></div></figure>\n",
                          charts[i].name, charts[i].title);
    if (r == 0)
        r = dashboard_put(b, "</section>\n");
    return r < 0 || !history ? r : put_past(b, pool, history, local_time);
}
