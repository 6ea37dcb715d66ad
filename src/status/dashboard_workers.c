#include "status/dashboard_private.h"

#include <errno.h>
#include <inttypes.h>

/* Without "full" the page stays small, whatever the pool does. */
#define BUSY_ROWS 50

static bool is_busy(const StatusWorker *w)
{
    return w->board.state == WORKER_STATE_RUNNING || w->board.state == WORKER_STATE_FINISHING ||
           w->board.state == WORKER_STATE_READING;
}

/* Those that do something first, the longest request at the top, so that rows keep their places. */
static int compare(const void *a, const void *b)
{
    const StatusWorker *x = *(const StatusWorker *const *)a, *y = *(const StatusWorker *const *)b;

    if (is_busy(x) != is_busy(y))
        return is_busy(x) ? -1 : 1;
    if (is_busy(x) && x->request_age_usec != y->request_age_usec)
        return x->request_age_usec > y->request_age_usec ? -1 : 1;
    return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int put_row(Buffer *b, const StatusWorker *w, DashboardTime local_time)
{
    size_t n;
    const DashboardField *f = dashboard_columns(&n);
    const char *state = w->board.state < _WORKER_STATE_MAX
                            ? worker_state_to_string((WorkerState)w->board.state)
                            : "unknown";
    int r = buffer_printf(b, "<tr class=\"%s\">", state);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = dashboard_put(b, "<td>");
        if (r == 0)
            r = dashboard_put_value(b, w, &f[i], local_time);
        if (r == 0)
            r = dashboard_put(b, "</td>");
    }
    return r < 0 ? r : dashboard_put(b, "</tr>\n");
}

static int put_head(Buffer *b, const StatusPool *pool, size_t shown, bool all)
{
    size_t n;
    const DashboardField *f = dashboard_columns(&n);
    int r = dashboard_put(b, "<section class=\"card\"><h2>Workers <small id=\"shown\" data-live>");

    if (r == 0 && all)
        r = buffer_printf(b, "all %" PRIu32 " &middot; <a href=\"?html\">busy ones</a>",
                          pool->n_workers);
    else if (r == 0)
        r = buffer_printf(b, "%zu busy of %" PRIu32 " &middot; <a href=\"?html&amp;full\">all</a>",
                          shown, pool->n_workers);
    if (r == 0)
        r = dashboard_put(b, "</small></h2>\n<div class=\"scroll\"><table class=\"workers\"><thead>"
                             "<tr>");
    for (size_t i = 0; r == 0 && i < n; i++)
        r = buffer_printf(b, "<th>%s</th>", f[i].label);
    return r < 0 ? r : dashboard_put(b, "</tr></thead>\n<tbody id=\"workers\" data-live>\n");
}

int dashboard_put_workers(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool all,
                          DashboardTime local_time)
{
    _cleanup_free_ const StatusWorker **sorted = calloc(pool->n_workers + 1, sizeof(*sorted));
    size_t busy = 0, shown;
    int r;

    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < pool->n_workers; i++) {
        sorted[i] = &workers[i];
        busy += is_busy(&workers[i]);
    }
    qsort(sorted, pool->n_workers, sizeof(*sorted), compare);
    shown = all ? pool->n_workers : MIN(busy, (size_t)BUSY_ROWS);
    r = put_head(b, pool, busy, all);
    for (size_t i = 0; r == 0 && i < shown; i++)
        r = put_row(b, sorted[i], local_time);
    if (r == 0 && shown == 0)
        r = dashboard_put(
            b, all ? "<tr class=\"none\"><td colspan=\"9\">No workers.</td></tr>\n"
                   : "<tr class=\"none\"><td colspan=\"9\">No worker is busy.</td></tr>\n");
    if (r == 0 && !all && busy > shown)
        r = buffer_printf(
            b,
            "<tr class=\"none\"><td colspan=\"9\">and %zu more, see <a href=\"?html&amp;full\">all"
            "</a></td></tr>\n",
            busy - shown);
    return r < 0 ? r : dashboard_put(b, "</tbody></table></div></section>\n");
}
