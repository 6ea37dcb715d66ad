#pragma once

/*
 * The status page for programs: what PHP-FPM shows of a pool, under its names and in its order, so
 * that monitoring made for PHP-FPM reads it unchanged, and behind that what is ours. One table of
 * fields each for the pool and for its processes; the layouts and fpm_get_status() are loops over
 * them. The page for people is in dashboard.h. No I/O and no clock here.
 */

#include "base/buffer.h"
#include "status/snapshot.h"

#include <time.h>

/* In the order in which a request that names several gets one. */
typedef enum PageFormat {
    PAGE_HTML,
    PAGE_XML,
    PAGE_JSON,
    PAGE_OPENMETRICS,
    PAGE_PLAIN,
    _PAGE_FORMAT_MAX,
} PageFormat;

/** "html", …: the key of the query that asks for it; "plain" is what is sent otherwise. */
const char *page_format_to_string(PageFormat format);

/** "text/html", …, for a header Content-Type. */
const char *page_content_type(PageFormat format);

typedef enum PageType {
    PAGE_TEXT,    /* const char *, never NULL */
    PAGE_NUMBER,  /* uint64_t */
    PAGE_TIME,    /* uint64_t, seconds since 1970 */
    PAGE_PERCENT, /* double */
    PAGE_URI,     /* PageUri; of fpm_get_status(): its name */
    PAGE_QUERY,   /* PageUri; of fpm_get_status(): its query; not on pages */
    PAGE_U32,     /* uint32_t */
    PAGE_CHARS,   /* char array */
    PAGE_LATENCY, /* uint64_t[BOARD_LATENCY_BUCKETS] */
    _PAGE_TYPE_MAX,
} PageType;

typedef struct PageUri {
    const char *name, *query; /* never NULL */
} PageUri;

/* One process: a worker. */
typedef struct PageProcess {
    uint64_t pid;
    const char *state;
    uint64_t start_time, start_since;
    uint64_t requests;
    uint64_t request_usec; /* of the running or last one */
    const char *method;
    PageUri uri;
    uint64_t content_length;
    const char *user, *script;
    double cpu_percent;    /* of the last request, when the worker is idle */
    uint64_t memory_bytes; /* likewise */
} PageProcess;

typedef struct PagePool {
    const char *name, *mode;
    uint64_t start_time, start_since;
    uint64_t requests;
    uint64_t queued, queued_max, queue_limit;
    uint64_t idle, active, total, active_max; /* total = idle + active: all workers */
    uint64_t limit_reached;
    uint64_t slow_requests;
} PagePool;

typedef struct PageField {
    PageType type;
    size_t offset; /* in PagePool or PageProcess; of what is ours in StatusPool or StatusWorker */
    const char *name;   /* of JSON */
    const char *plain;  /* of the plain page */
    const char *tag;    /* of XML */
    const char *key;    /* of fpm_get_status() */
    const char *metric; /* of OpenMetrics; NULL: none. All are gauges: what PHP-FPM calls counters
                           lacks the suffix that counters need */
    const char *metric_help;
} PageField;

/* The values borrow the texts of the snapshot. */
void page_pool(const StatusPool *pool, const StatusWorker *workers, PagePool *ret);
void page_process(const StatusWorker *worker, PageProcess *ret);

/** The table of a PagePool or PageProcess; *ret_n: how many. */
const PageField *page_pool_fields(size_t *ret_n);
const PageField *page_process_fields(size_t *ret_n);

/** The same of what PHP-FPM does not tell: fields of a StatusPool or StatusWorker. They follow. */
const PageField *page_more_pool_fields(size_t *ret_n);
const PageField *page_more_process_fields(size_t *ret_n);

/** The value of a field of an object, by its type. */
const char *page_text(const void *object, const PageField *f);
uint64_t page_number(const void *object, const PageField *f);
double page_percent(const void *object, const PageField *f);
const PageUri *page_uri(const void *object, const PageField *f);
const uint64_t *page_latency(const void *object, const PageField *f);

/**
 * Appends the page; the processes too when full. local_time is localtime_r() or the like: times are
 * shown in local time to people. 0 or -ENOMEM.
 */
int page_render(Buffer *b, PageFormat format, const StatusPool *pool, const StatusWorker *workers,
                bool full, struct tm *(*local_time)(const time_t *time, struct tm *ret));

/** Appends the metrics: those of PHP-FPM by their names, and ours. strict: as OpenMetrics 1.0 has
 * it (families of counters without "_total"), else in the text format 0.0.4 of Prometheus. 0 or
 * -ENOMEM. */
int page_render_metrics(Buffer *b, const StatusPool *pool, const StatusWorker *workers, bool full,
                        bool strict);

/** The upper bound of a bucket of durations in microseconds, UINT64_MAX: none. */
uint64_t page_latency_bound(size_t bucket);
