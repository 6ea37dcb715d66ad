#pragma once

/*
 * What `fpmctl status` shows, as tables. For render.c.
 */

#include "status/snapshot.h"

typedef enum FieldType {
    FIELD_TEXT,    /* char array */
    FIELD_U32,     /* uint32_t */
    FIELD_U64,     /* uint64_t */
    FIELD_MODE,    /* uint32_t, PoolMode */
    FIELD_STATE,   /* uint32_t, WorkerState */
    FIELD_MOOT,    /* uint32_t, bits of BoardMoot */
    FIELD_TIME,    /* uint64_t, µs since 1970 */
    FIELD_SPAN,    /* uint64_t, µs */
    FIELD_BYTES,   /* uint64_t */
    FIELD_MILLI,   /* uint64_t, thousandths */
    FIELD_LATENCY, /* uint64_t[BOARD_LATENCY_BUCKETS] */
    _FIELD_TYPE_MAX,
} FieldType;

#define RENDER_LAST_COLUMN 0
#define RENDER_LINE        0    /* of the pool: always a line */
#define RENDER_NO_COLUMN   (-1) /* in JSON only */
#define RENDER_IF_SET      (-2) /* a line of the pool that text has only when the number is not 0 */

/* The unit of numbers is part of the key, since JSON has the raw ones; text has units of its own.
 */
typedef struct RenderField {
    const char *key;   /* of JSON */
    const char *label; /* of text; of workers: the head of a column */
    FieldType type;
    size_t offset; /* in StatusPool or StatusWorker */
    int width;     /* of the column of a worker, or one of the above */
} RenderField;

/** The table of a StatusPool or StatusWorker; *ret_n: how many. */
const RenderField *render_pool_fields(size_t *ret_n);
const RenderField *render_worker_fields(size_t *ret_n);
