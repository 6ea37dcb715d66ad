#include "status/dashboard_private.h"

#include "status/human.h"

#include <stdio.h>

#define NOTE_SIZE 128

/* A figure, and what puts it in relation. bar: how full, in thousandths; -1: none. */
typedef struct Tile {
    char value[HUMAN_SIZE], note[NOTE_SIZE];
    int bar;
    bool is_bad;
} Tile;

static void fill_requests(const StatusPool *pool, Tile *t)
{
    char n[HUMAN_SIZE];

    human_milli(pool->requests_per_ksec, t->value);
    human_count(pool->requests, n);
    snprintf(t->note, sizeof(t->note), "%s so far", n);
}

static void fill_workers(const StatusPool *pool, Tile *t)
{
    snprintf(t->value, sizeof(t->value), "%u / %u", pool->active, pool->max_children);
    snprintf(t->note, sizeof(t->note), "%u idle, at most %u active", pool->idle, pool->active_max);
    if (pool->max_children > 0)
        t->bar = (int)MIN(UINT64_C(1000) * pool->active / pool->max_children, UINT64_C(1000));
    t->is_bad = pool->max_children > 0 && pool->active >= pool->max_children && pool->queued > 0;
}

static void fill_queue(const StatusPool *pool, Tile *t)
{
    char wait[HUMAN_SIZE];

    human_count(pool->queued, t->value);
    human_span(pool->queue_wait_usec, wait);
    if (pool->queue_wait_usec > 0)
        snprintf(t->note, sizeof(t->note), "for up to %s, at most %u", wait, pool->queued_max);
    else
        snprintf(t->note, sizeof(t->note), "at most %u", pool->queued_max);
    t->is_bad = pool->queued > 0 && pool->active >= pool->max_children;
}

static void fill_latency(const StatusPool *pool, Tile *t)
{
    static const uint64_t nothing[BOARD_LATENCY_BUCKETS];
    static const unsigned percents[] = {50, 95, 99};
    char text[ARRAY_SIZE(percents)][HUMAN_SIZE];

    if (pool->answered == 0) {
        snprintf(t->value, sizeof(t->value), "-");
        snprintf(t->note, sizeof(t->note), "no request yet");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(percents); i++)
        human_span(history_percentile(nothing, pool->latency, percents[i]), text[i]);
    snprintf(t->value, sizeof(t->value), "%s", text[0]);
    snprintf(t->note, sizeof(t->note), "p95 %s, p99 %s", text[1], text[2]);
}

static void fill_errors(const StatusPool *pool, Tile *t)
{
    uint64_t n = pool->outcomes[BOARD_OUTCOME_SERVER_ERROR] +
                 pool->outcomes[BOARD_OUTCOME_TIMED_OUT] + pool->crashed;
    char timed_out[HUMAN_SIZE], crashed[HUMAN_SIZE];

    human_percent(n, pool->answered + pool->crashed, t->value);
    human_count(pool->outcomes[BOARD_OUTCOME_TIMED_OUT], timed_out);
    human_count(pool->crashed, crashed);
    snprintf(t->note, sizeof(t->note), "%s timed out, %s crashed", timed_out, crashed);
}

static void fill_memory(const StatusPool *pool, Tile *t)
{
    char cpu[HUMAN_SIZE];

    human_bytes(pool->resident_bytes, t->value);
    human_span(pool->cpu_usec, cpu);
    snprintf(t->note, sizeof(t->note), "%s of CPU so far", cpu);
}

static const struct {
    const char *label;
    void (*fill)(const StatusPool *pool, Tile *t);
} tiles[] = {
    {"Requests per second", fill_requests}, {"Active workers", fill_workers},
    {"Waiting connections", fill_queue},    {"Median duration", fill_latency},
    {"Failed requests", fill_errors},       {"Memory of workers", fill_memory},
};

static int put_tile(Buffer *b, const char *label, const Tile *t)
{
    int r = buffer_printf(b, "<div class=\"tile%s\"><h2>%s</h2><p>%s</p><small>%s</small>",
                          t->is_bad ? " bad" : "", label, t->value, t->note);

    if (r == 0 && t->bar >= 0)
        r = buffer_printf(b,
                          "<svg viewBox=\"0 0 1000 1\" preserveAspectRatio=\"none\" aria-hidden="
                          "\"true\"><rect width=\"%d\" height=\"1\"/></svg>",
                          t->bar);
    return r < 0 ? r : dashboard_put(b, "</div>\n");
}

int dashboard_put_tiles(Buffer *b, const StatusPool *pool)
{
    int r = dashboard_put(b, "<section id=\"tiles\" class=\"tiles\" data-live>\n");

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(tiles); i++) {
        Tile t = {.bar = -1};

        tiles[i].fill(pool, &t);
        r = put_tile(b, tiles[i].label, &t);
    }
    return r < 0 ? r : dashboard_put(b, "</section>\n");
}
