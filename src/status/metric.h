#pragma once

/*
 * Numbers of the snapshot as metrics, as tables. For page_metrics.c.
 */

#include "status/page.h"

typedef enum MetricKind {
    KIND_GAUGE,
    KIND_COUNTER,
    _KIND_MAX,
} MetricKind;

typedef enum MetricUnit {
    UNIT_ONE,
    UNIT_MICROSECONDS, /* shown in seconds */
    UNIT_PERMILLE,     /* shown as a ratio */
} MetricUnit;

typedef struct Metric {
    const char *name; /* without _total; rows of the same name are one family */
    const char *help;
    MetricKind kind;
    MetricUnit unit;
    PageType type;
    size_t offset;            /* in StatusPool or StatusWorker */
    const char *label, *word; /* a label besides those of all, NULL: none */
} Metric;

/** The table of a StatusPool or StatusWorker; *ret_n: how many. */
const Metric *metric_of_pool(size_t *ret_n);
const Metric *metric_of_worker(size_t *ret_n);
