#pragma once

/*
 * The status page for people: HTML whose first view is complete without a script, a style sheet,
 * and a script that refreshes it and draws charts as SVG. Everything of unknown origin in it is
 * escaped.
 */

#include "base/buffer.h"
#include "status/history.h"
#include "status/page.h"

/** Appends the page. history: NULL: there is none, then the charts begin with the first refresh.
 * 0 or -ENOMEM. */
int dashboard_render(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool full,
                     const History *history,
                     struct tm *(*local_time)(const time_t *time, struct tm *ret));

/** The style sheet and the script, static. */
const char *dashboard_style(size_t *ret_n);
const char *dashboard_script(size_t *ret_n);
