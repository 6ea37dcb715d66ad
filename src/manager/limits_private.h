#pragma once

/*
 * What manager/limits.c, limits_queue.c and leftover.c share. Private to the three.
 */

#include "manager/leftover.h"
#include "manager/manager.h"

typedef struct Limits {
    sd_event_source *source;
    /* When there is something to look at. USEC_INFINITY: not without another event. */
    uint64_t requests_usec, lifetimes_usec, queue_usec;
    /* What was there at the last look: other workers and other settings begin anew. */
    uint64_t seen_started;
    const Generation *seen_current;
    bool expiring; /* a worker of old age waits for its successor */

    bool sampling;      /* the pool is saturated, connections wait */
    unsigned n_ordered; /* connections that the porter shall take and has not yet */
    uint64_t ordered_usec;
    uint64_t taken_seen; /* connections of the porter at the last look */
    unsigned n_untold;   /* for the next record */
    uint64_t told_usec;

    Leftover leftover;
} Limits;

/** limits_queue.c: looks at the queue, lets the porter answer who has waited too long. Returns when
 * to look again. */
uint64_t limits_look_at_queue(Manager *m, uint64_t now_usec);
