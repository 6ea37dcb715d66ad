#pragma once

/*
 * How many workers a pool has: the one place that decides. A total function from limits, a sample
 * and the time to a decision; no state of its own, no clock, no system call.
 *
 * Growth is asked for by a connection that found nobody idle; shrinking goes by the low-water mark
 * of idle workers.
 */

#include "conf/config.h"

typedef struct PolicyLimits {
    PoolMode mode;
    unsigned max_children;
    unsigned start_servers;
    unsigned min_spare;
    unsigned max_spare;
    unsigned max_spawn_rate; /* workers that may be starting at the same time */
    uint64_t idle_timeout_usec;
} PolicyLimits;

/* What the pool is like now. Only workers of the current generation count. */
typedef struct PolicySample {
    unsigned starting; /* forked or ordered, not registered */
    unsigned idle;
    unsigned active;
    unsigned idle_unused; /* idle and without any request for idle_timeout_usec: the low-water mark
                             of idle workers */
    unsigned queued;      /* connections waiting in the listeners' queues */
    bool
        stalled; /* nothing has moved in the queue for a while: the idle ones do not take from it */
    uint64_t next_unused_usec; /* when the next idle worker becomes unused; USEC_INFINITY: none */
} PolicySample;

typedef struct PolicyDecision {
    unsigned spawn;
    unsigned retire;          /* that many unused idle workers, latest registered first */
    bool watch;               /* watch the listeners for a connection that finds nobody idle */
    bool at_limit;            /* connections wait and max_children forbids growth */
    uint64_t look_again_usec; /* when to sample again without an event; USEC_INFINITY: not */
} PolicyDecision;

/* While connections wait and growth is possible, the queue is looked at so often. */
#define POLICY_QUEUE_LOOK_USEC (10 * USEC_PER_MSEC)

/** The limits of a checked configuration. */
PolicyLimits policy_limits(const PoolConfig *c);

/** How many workers to start with. */
unsigned policy_initial(const PolicyLimits *l, unsigned queued);

PolicyDecision policy_decide(const PolicyLimits *l, const PolicySample *s, uint64_t now_usec);
