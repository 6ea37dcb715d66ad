#include "status/dashboard_private.h"

#include "status/escape.h"
#include "status/human.h"

#include <inttypes.h>

/* Relative, since web servers give the page any path; no attribute style= and nothing inline, as
 * Content-Security-Policy: default-src 'self' has it. */
static int put_top(Buffer *b, const StatusPool *pool)
{
    int r = dashboard_put(b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                             "<title>");

    if (r == 0)
        r = escape_markup(b, pool->name);
    if (r == 0)
        r = dashboard_put(b, " - fpmd</title>\n"
                             "<meta name=\"viewport\" content=\"width=device-width, "
                             "initial-scale=1\">\n"
                             "<meta name=\"color-scheme\" content=\"light dark\">\n"
                             "<meta name=\"robots\" content=\"noindex\">\n"
                             "<meta name=\"referrer\" content=\"no-referrer\">\n");
    return r < 0 ? r
                 : buffer_printf(b,
                                 "<link rel=\"stylesheet\" href=\"?style=%s\">\n"
                                 "<script src=\"?script=%s\" defer></script></head>\n<body>\n",
                                 dashboard_assets_version, dashboard_assets_version);
}

static int put_header(Buffer *b, const StatusPool *pool)
{
    char up[HUMAN_SIZE];
    int r = dashboard_put(b, "<header><div id=\"head\" data-live><h1>");

    human_span(pool->uptime_usec, up);
    if (r == 0)
        r = escape_markup(b, pool->name);
    if (r == 0)
        r = dashboard_put(b, "</h1><span class=\"badge ");
    if (r == 0)
        r = escape_markup(b, pool->state);
    if (r == 0)
        r = dashboard_put(b, "\">");
    if (r == 0)
        r = escape_markup(b, pool->state);
    if (r == 0)
        r = dashboard_put(b, "</span><p>");
    if (r == 0)
        r = escape_markup(b, pool->runtime_version);
    if (r == 0)
        r = buffer_printf(b, " &middot; generation %" PRIu32 " &middot; up for %s<br>",
                          pool->generation, up);
    if (r == 0)
        r = escape_markup(b, pool->status_text);
    return r < 0 ? r
                 : dashboard_put(b, "</p></div>\n<div id=\"controls\" hidden><span id=\"when\">"
                                    "</span><button id=\"pause\" type=\"button\">Pause</button>"
                                    "</div></header>\n<p id=\"stale\" role=\"status\" hidden></p>"
                                    "\n<main>\n");
}

static int put_group(Buffer *b, const StatusPool *pool, const DashboardGroup *g,
                     DashboardTime local_time)
{
    int r = buffer_printf(b, "<section class=\"card\"><h2>%s</h2><dl>\n", g->title);

    for (size_t i = 0; r == 0 && i < g->n; i++) {
        r = buffer_printf(b, "<dt>%s</dt><dd>", g->fields[i].label);
        if (r == 0)
            r = dashboard_put_value(b, pool, &g->fields[i], local_time);
        if (r == 0)
            r = dashboard_put(b, "</dd>\n");
    }
    return r < 0 ? r : dashboard_put(b, "</dl></section>\n");
}

static int put_groups(Buffer *b, const StatusPool *pool, DashboardTime local_time)
{
    size_t n;
    const DashboardGroup *g = dashboard_groups(&n);
    int r = dashboard_put(b, "<section id=\"groups\" class=\"groups\" data-live>\n");

    for (size_t i = 0; r == 0 && i < n; i++)
        if (!g[i].is_shown || g[i].is_shown(pool))
            r = put_group(b, pool, &g[i], local_time);
    return r < 0 ? r : dashboard_put(b, "</section>\n");
}

int dashboard_render(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool full,
                     const History *history, DashboardTime local_time)
{
    int r = put_top(b, pool);

    if (r == 0)
        r = put_header(b, pool);
    if (r == 0)
        r = dashboard_put_tiles(b, pool);
    if (r == 0)
        r = dashboard_put_charts(b, pool, history, local_time);
    if (r == 0)
        r = dashboard_put_workers(b, pool, workers, full, local_time);
    if (r == 0)
        r = put_groups(b, pool, local_time);
    return r < 0 ? r
                 : dashboard_put(b, "</main>\n<footer>fpmd " FPMD_VERSION
                                    " &middot; <a href=\"?full\">text</a> <a href=\"?json&amp;full"
                                    "\">JSON</a> <a href=\"?xml&amp;full\">XML</a> <a href="
                                    "\"?openmetrics&amp;full\">metrics</a></footer>\n"
                                    "</body></html>\n");
}
