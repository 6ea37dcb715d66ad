#pragma once

/*
 * Parts of the dashboard. Between dashboard*.c only.
 */

#include "status/dashboard.h"

typedef struct tm *(*DashboardTime)(const time_t *time, struct tm *ret);

typedef enum DashboardType {
    DASHBOARD_TEXT,      /* char array; "": a dash */
    DASHBOARD_U32,       /* uint32_t */
    DASHBOARD_U64,       /* uint64_t */
    DASHBOARD_ID,        /* uint32_t, without commas */
    DASHBOARD_ID64,      /* uint64_t; 0: a dash */
    DASHBOARD_MODE,      /* uint32_t, PoolMode */
    DASHBOARD_STATE,     /* uint32_t, WorkerState */
    DASHBOARD_MOOT,      /* uint32_t, bits of BoardMoot */
    DASHBOARD_TIME,      /* uint64_t, µs since 1970; 0: a dash */
    DASHBOARD_SPAN,      /* uint64_t, µs */
    DASHBOARD_AGE,       /* likewise; 0: a dash */
    DASHBOARD_BYTES,     /* uint64_t */
    DASHBOARD_PERMILLE,  /* uint64_t, of one processor */
    DASHBOARD_MAX,       /* uint64_t; 0: "no limit" */
    DASHBOARD_MAX32,     /* uint32_t; likewise */
    DASHBOARD_MAX_SPAN,  /* uint64_t, µs; likewise */
    DASHBOARD_MAX_BYTES, /* uint64_t; likewise */
    DASHBOARD_AFTER,     /* uint64_t, µs; 0: "never" */
    DASHBOARD_REQUEST,   /* a BoardSlot: what it does or has done last */
    _DASHBOARD_TYPE_MAX,
} DashboardType;

typedef struct DashboardField {
    const char *label;
    DashboardType type;
    size_t offset;
} DashboardField;

typedef struct DashboardGroup {
    const char *title;
    const DashboardField *fields; /* of a StatusPool */
    size_t n;
    bool (*is_shown)(const StatusPool *pool); /* NULL: always */
} DashboardGroup;

/* Of the style sheet and the script: their addresses change with them, so that none is taken out of
 * a cache for a page of another build. */
extern const char dashboard_assets_version[];

/** All figures of the pool, in groups. */
const DashboardGroup *dashboard_groups(size_t *ret_n);

/** The columns of the workers, fields of a StatusWorker. */
const DashboardField *dashboard_columns(size_t *ret_n);

/** Appends the value of a field of an object, escaped. 0 or -ENOMEM. */
int dashboard_put_value(Buffer *b, const void *object, const DashboardField *f,
                        DashboardTime local_time);

/** Appends what is ours, or static. 0 or -ENOMEM. */
int dashboard_put(Buffer *b, const char *text);

/** Appends the row of figures at the top. 0 or -ENOMEM. */
int dashboard_put_tiles(Buffer *b, const StatusPool *pool);

/** Appends the places of the charts, what they are drawn from, and the table of the last hour. 0 or
 * -ENOMEM. */
int dashboard_put_charts(Buffer *b, const StatusPool *pool, const History *history,
                         DashboardTime local_time);

/** Appends the table of workers: of those that do something only, unless all is wanted. 0 or
 * -ENOMEM. */
int dashboard_put_workers(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool all,
                          DashboardTime local_time);
