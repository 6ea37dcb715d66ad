#include "ctl/top.h"

#include "base/fd.h"
#include "ctl/ask.h"
#include "ctl/running.h"

#include <errno.h>
#include <string.h>

/* A manager that hangs holds us up for as long as ask() waits: not at each round. */
#define RETRY_USEC (10 * USEC_PER_SEC)

static const char *const sorts[] = {
    [TOP_SORT_TIME] = "time",         [TOP_SORT_CPU] = "CPU", [TOP_SORT_MEMORY] = "memory",
    [TOP_SORT_REQUESTS] = "requests", [TOP_SORT_AGE] = "age", [TOP_SORT_PID] = "pid",
};

const char *top_sort_to_string(TopSort sort)
{
    return sorts[sort];
}

static void pool_done(TopPool *pool)
{
    free(pool->name);
    free(pool->problem);
    pool->fd = fd_close(pool->fd);
    figures_done(&pool->figures);
}

void top_done(Top *top)
{
    for (size_t i = 0; i < top->n_pools; i++)
        pool_done(&top->pools[i]);
    free(top->pools);
    free(top->rows);
    top->pools = NULL;
    top->rows = NULL;
    top->n_pools = top->n_rows = 0;
}

/* The pool of that name, a new one if need be; NULL: no memory. */
static TopPool *get_pool(Top *top, const char *name)
{
    TopPool *grown;

    for (size_t i = 0; i < top->n_pools; i++)
        if (strcmp(top->pools[i].name, name) == 0)
            return &top->pools[i];
    grown = reallocarray(top->pools, top->n_pools + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    top->pools = grown;
    grown[top->n_pools] = (TopPool){.name = strdup(name), .fd = -1};
    return grown[top->n_pools].name ? &grown[top->n_pools++] : NULL;
}

static int note_problem(TopPool *pool, const char *text)
{
    figures_done(&pool->figures);
    pool->fd = fd_close(pool->fd);
    free(pool->problem);
    pool->problem = strdup(text);
    return pool->problem ? 0 : -ENOMEM;
}

/* -ENOENT: it does not run. */
static int ask_pool(const Ctl *ctl, TopPool *pool)
{
    Figures figures;
    int r;

    if (pool->fd < 0) {
        pool->fd = ask_connect(ctl, pool->name);
        if (pool->fd < 0) {
            r = pool->fd;
            pool->fd = -1;
            return r;
        }
    }
    r = figures_ask(ctl, pool->name, pool->fd, &figures);
    if (r < 0)
        return r;
    figures_done(&pool->figures);
    pool->figures = figures;
    free(pool->problem);
    pool->problem = NULL;
    return 0;
}

/* A round for one pool. 0 or -ENOMEM. */
static int refresh_pool(Top *top, const char *name, uint64_t now_usec)
{
    TopPool *pool = get_pool(top, name);
    bool had = pool && pool->fd >= 0;
    int r;

    if (!pool)
        return -ENOMEM;
    pool->is_seen = true;
    if (now_usec < pool->next_try_usec)
        return 0;
    r = ask_pool(top->ctl, pool);
    /* Its manager was another one. */
    if ((r == -ECONNRESET || r == -EPIPE) && had) {
        pool->fd = fd_close(pool->fd);
        r = ask_pool(top->ctl, pool);
    }
    if (r == 0)
        return 0;
    if (r == -ENOENT) {
        pool->is_seen = top->n_names > 0;
        return note_problem(pool, "not running");
    }
    pool->next_try_usec = now_usec + RETRY_USEC;
    return note_problem(pool, ctl_complaint());
}

/* Those that have ended. */
static void remove_unseen(Top *top)
{
    size_t n = 0;

    for (size_t i = 0; i < top->n_pools; i++)
        if (top->pools[i].is_seen)
            top->pools[n++] = top->pools[i];
        else
            pool_done(&top->pools[i]);
    top->n_pools = n;
}

static int compare_pools(const void *a, const void *b)
{
    const TopPool *x = a, *y = b;

    return strcmp(x->name, y->name);
}

int top_refresh(Top *top, uint64_t now_usec)
{
    char **names = top->names;
    size_t n = top->n_names;
    int r = n > 0 ? 0 : running_list(top->ctl, &names, &n);

    if (r < 0)
        return r;
    for (size_t i = 0; i < top->n_pools; i++)
        top->pools[i].is_seen = false;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = refresh_pool(top, names[i], now_usec);
    if (top->n_names == 0)
        running_free(names, n);
    remove_unseen(top);
    if (top->n_pools > 0)
        qsort(top->pools, top->n_pools, sizeof(*top->pools), compare_pools);
    return r < 0 ? r : top_arrange(top);
}

static bool is_active(const StatusWorker *worker)
{
    return worker->request_age_usec > 0;
}

static uint64_t sort_value(const StatusWorker *worker, TopSort sort)
{
    switch (sort) {
    case TOP_SORT_TIME:
        return worker->request_age_usec;
    case TOP_SORT_CPU:
        return worker->board.cpu_permille;
    case TOP_SORT_MEMORY:
        return worker->board.resident_bytes;
    case TOP_SORT_REQUESTS:
        return worker->board.requests;
    case TOP_SORT_AGE:
        return worker->age_usec;
    case TOP_SORT_PID:
    case _TOP_SORT_MAX:
        break;
    }
    return UINT64_MAX - worker->pid; /* the lowest first */
}

/* The highest first; equal ones by pool and pid, so that rows do not jump about. */
static int compare_rows(const void *a, const void *b, void *userdata)
{
    const Top *top = userdata;
    const TopRow *x = a, *y = b;
    uint64_t u = sort_value(x->worker, top->sort), v = sort_value(y->worker, top->sort);
    int r = u > v ? -1 : u < v;

    if (top->reverse)
        r = -r;
    if (r == 0)
        r = strcmp(x->pool->name, y->pool->name);
    return r != 0 ? r : (x->worker->pid > y->worker->pid) - (x->worker->pid < y->worker->pid);
}

int top_arrange(Top *top)
{
    size_t n = 0;
    TopRow *rows;

    for (size_t i = 0; i < top->n_pools; i++)
        n += top->pools[i].figures.pool ? top->pools[i].figures.pool->n_workers : 0;
    rows = reallocarray(top->rows, n + 1, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    top->rows = rows;
    top->n_rows = 0;
    for (size_t i = 0; i < top->n_pools; i++) {
        const Figures *f = &top->pools[i].figures;

        for (size_t k = 0; f->pool && k < f->pool->n_workers; k++)
            if (!top->hide_idle || is_active(&f->workers[k]))
                rows[top->n_rows++] = (TopRow){&top->pools[i], &f->workers[k]};
    }
    qsort_r(rows, top->n_rows, sizeof(*rows), compare_rows, top);
    return 0;
}

void top_count(const Top *top, size_t *ret_active, size_t *ret_all)
{
    *ret_active = *ret_all = 0;
    for (size_t i = 0; i < top->n_pools; i++) {
        const Figures *f = &top->pools[i].figures;

        for (size_t k = 0; f->pool && k < f->pool->n_workers; k++) {
            *ret_active += is_active(&f->workers[k]);
            *ret_all += 1;
        }
    }
}
