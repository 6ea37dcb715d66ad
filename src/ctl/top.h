#pragma once

/*
 * What "fpmctl top" shows: the pools that run and their workers, in an order. Asks managers; the
 * rest is decided without I/O.
 */

#include "ctl/figures.h"

typedef enum TopSort {
    TOP_SORT_TIME, /* of the running request, the longest first */
    TOP_SORT_CPU,
    TOP_SORT_MEMORY,
    TOP_SORT_REQUESTS,
    TOP_SORT_AGE,
    TOP_SORT_PID,
    _TOP_SORT_MAX,
} TopSort;

/** "time", … */
const char *top_sort_to_string(TopSort sort);

typedef struct TopPool {
    char *name;
    int fd;          /* connection to its manager, -1: none */
    Figures figures; /* the last ones; pool NULL: none */
    char *problem;   /* why there are none now; NULL: there are */
    uint64_t next_try_usec;
    bool is_seen; /* by the present round */
} TopPool;

/* A worker. */
typedef struct TopRow {
    const TopPool *pool;
    const StatusWorker *worker;
} TopRow;

typedef struct Top {
    const Ctl *ctl;
    char **names; /* of pools that were asked for; NULL: all that run */
    size_t n_names;
    TopPool *pools; /* by name */
    size_t n_pools;
    TopRow *rows;
    size_t n_rows;
    TopSort sort;
    bool reverse;
    bool hide_idle;
} Top;

void top_done(Top *top);

/** Asks the managers anew and arranges the rows. A pool that does not answer has a problem, and is
 * asked again after some seconds. 0 or -ENOMEM, or why running pools cannot be looked for. */
int top_refresh(Top *top, uint64_t now_usec);

/** Makes the rows from the figures by sort, reverse and hide_idle. 0 or -ENOMEM. */
int top_arrange(Top *top);

/** Workers of all pools that run a request, and all of them. */
void top_count(const Top *top, size_t *ret_active, size_t *ret_all);

/* ---- as lines of text, without a line break; all texts are escaped. 0 or -ENOMEM. ---- */

int top_write_summary(Buffer *b, const Top *top);

/** pool NULL: the heads of the columns. */
int top_write_pool(Buffer *b, const TopPool *pool);

/** row NULL: likewise. */
int top_write_row(Buffer *b, const TopRow *row);

/** Everything once, for people or as a list of what "status --full" shows. */
int top_write_text(Buffer *b, const Top *top);
int top_write_json(Buffer *b, const Top *top);

/** The live view; an exit status. */
int top_run(Top *top);
