#include "ctl/top.h"

#include "status/escape.h"
#include "status/human.h"
#include "status/render.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A column: its head and width; below 0: text stands at the left, 0: the last one. */
typedef struct TopColumn {
    const char *head;
    int width;
} TopColumn;

static const TopColumn pool_columns[] = {
    {"POOL", -16}, {"STATE", -10},   {"ACTIVE", 6}, {"IDLE", 6}, {"MAX", 6},     {"QUEUED", 7},
    {"REQ/S", 8},  {"REQUESTS", 13}, {"5XX", 8},    {"CPU", 7},  {"MEMORY", 10}, {"SAYS", 0},
};

static const TopColumn worker_columns[] = {
    {"POOL", -16},    {"PID", 8}, {"STATE", -10}, {"CPU", 7},     {"MEMORY", 10},
    {"REQUESTS", 10}, {"AGE", 8}, {"RUNS", 10},   {"METHOD", -7}, {"REQUEST", 0},
};

/* One cell; two blanks stand between those that meet. */
static int write_cell(Buffer *b, const TopColumn *c, const char *text)
{
    size_t start = b->size, n;
    int width = c->width < 0 ? -c->width : c->width, r;

    if (c->width > 0) {
        n = strlen(text); /* numbers are ASCII */
        r = buffer_printf(b, "%*s%s ", MAX(width - (int)n, 0), "", text);
        return r;
    }
    r = escape_text(b, *text ? text : "-");
    if (r == 0 && c->width < 0)
        r = buffer_printf(b, "%*s ", MAX(width - (int)(b->size - start), 0), "");
    return r;
}

static int write_heads(Buffer *b, const TopColumn *columns, size_t n)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = write_cell(b, &columns[i], columns[i].head);
    return r;
}

static int write_cells(Buffer *b, const TopColumn *columns, size_t n,
                       const char cells[][HUMAN_SIZE], const char *first, const char *last)
{
    int r = write_cell(b, &columns[0], first);

    for (size_t i = 1; r == 0 && i + 1 < n; i++)
        r = write_cell(b, &columns[i], cells[i]);
    return r < 0 ? r : write_cell(b, &columns[n - 1], last);
}

/* Of all workers of a pool, in thousandths of a processor. */
static uint64_t sum_cpu(const Figures *f)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < f->pool->n_workers; i++)
        sum += f->workers[i].board.cpu_permille;
    return sum;
}

static void write_share(uint64_t permille, char ret[static HUMAN_SIZE])
{
    human_percent(permille, 1000, ret);
}

static void write_memory(uint64_t bytes, char ret[static HUMAN_SIZE])
{
    if (bytes == 0)
        strcpy(ret, "-"); /* not known yet */
    else
        human_bytes(bytes, ret);
}

int top_write_pool(Buffer *b, const TopPool *pool)
{
    char cells[ARRAY_SIZE(pool_columns)][HUMAN_SIZE] = {0};
    const StatusPool *p = pool ? pool->figures.pool : NULL;
    int r;

    if (!pool)
        return write_heads(b, pool_columns, ARRAY_SIZE(pool_columns));
    if (!p) {
        r = write_cell(b, &pool_columns[0], pool->name);
        return r < 0 ? r : escape_text(b, pool->problem ? pool->problem : "");
    }
    _Static_assert(sizeof(p->state) <= HUMAN_SIZE, "a state fits into a cell");
    strcpy(cells[1], p->state);
    human_count(p->active, cells[2]);
    human_count(p->idle, cells[3]);
    human_count(p->max_children, cells[4]);
    human_count(p->queued, cells[5]);
    human_milli(p->requests_per_ksec, cells[6]);
    human_count(p->requests, cells[7]);
    human_count(p->outcomes[BOARD_OUTCOME_SERVER_ERROR] + p->crashed, cells[8]);
    write_share(sum_cpu(&pool->figures), cells[9]);
    write_memory(p->resident_bytes, cells[10]);
    return write_cells(b, pool_columns, ARRAY_SIZE(pool_columns), cells, p->name, p->status_text);
}

int top_write_row(Buffer *b, const TopRow *row)
{
    char cells[ARRAY_SIZE(worker_columns)][HUMAN_SIZE] = {0};
    const StatusWorker *w = row ? row->worker : NULL;

    if (!row)
        return write_heads(b, worker_columns, ARRAY_SIZE(worker_columns));
    snprintf(cells[1], HUMAN_SIZE, "%" PRIu32, w->pid);
    strcpy(cells[2], w->board.state < _WORKER_STATE_MAX
                         ? worker_state_to_string((WorkerState)w->board.state)
                         : "unknown");
    write_share(w->board.cpu_permille, cells[3]);
    write_memory(w->board.resident_bytes, cells[4]);
    human_count(w->board.requests, cells[5]);
    human_span(w->age_usec, cells[6]);
    if (w->request_age_usec > 0)
        human_span(w->request_age_usec, cells[7]);
    else
        strcpy(cells[7], "-");
    _Static_assert(sizeof(w->board.method) <= HUMAN_SIZE, "a method fits into a cell");
    strcpy(cells[8], w->board.method);
    return write_cells(b, worker_columns, ARRAY_SIZE(worker_columns), cells, row->pool->name,
                       *w->board.uri ? w->board.uri : w->board.script);
}

int top_write_summary(Buffer *b, const Top *top)
{
    uint64_t rate = 0;
    size_t active, all;
    char text[HUMAN_SIZE];

    top_count(top, &active, &all);
    for (size_t i = 0; i < top->n_pools; i++)
        rate += top->pools[i].figures.pool ? top->pools[i].figures.pool->requests_per_ksec : 0;
    human_milli(rate, text);
    return buffer_printf(b, "%zu pool%s, %zu worker%s, %zu of them active, %s requests/s",
                         top->n_pools, top->n_pools == 1 ? "" : "s", all, all == 1 ? "" : "s",
                         active, text);
}

int top_write_text(Buffer *b, const Top *top)
{
    int r = top_write_summary(b, top);

    if (r == 0)
        r = buffer_printf(b, "\n\n");
    if (r == 0)
        r = top_write_pool(b, NULL);
    for (size_t i = 0; r == 0 && i < top->n_pools; i++) {
        r = buffer_printf(b, "\n");
        if (r == 0)
            r = top_write_pool(b, &top->pools[i]);
    }
    if (r == 0)
        r = buffer_printf(b, "\n\n");
    if (r == 0)
        r = top_write_row(b, NULL);
    for (size_t i = 0; r == 0 && i < top->n_rows; i++) {
        r = buffer_printf(b, "\n");
        if (r == 0)
            r = top_write_row(b, &top->rows[i]);
    }
    return r < 0 ? r : buffer_printf(b, "\n");
}

int top_write_json(Buffer *b, const Top *top)
{
    bool first = true;
    int r = buffer_append(b, "[", 1);

    for (size_t i = 0; r == 0 && i < top->n_pools; i++) {
        const Figures *f = &top->pools[i].figures;

        if (!f->pool)
            continue;
        r = buffer_printf(b, first ? "\n" : ",\n");
        if (r == 0)
            r = status_render(b, STATUS_JSON, f->pool, f->workers, true);
        if (r == 0 && b->data[b->size - 1] == '\n')
            b->size--;
        first = false;
    }
    return r < 0 ? r : buffer_printf(b, first ? "]\n" : "\n]\n");
}
