#pragma once

/*
 * How the pool fared in the last hour, for the charts of the dashboard. The porter samples; whoever
 * shows a status page gets it read-only beside the snapshot. One memfd of HISTORY_SIZE bytes,
 * sealed (SHRINK, GROW, SEAL), which the manager makes for the porter and hands on with snapshots:
 * its one writer is the porter, as hostile as a worker, so that history_open() copies and bounds.
 * The manager itself never reads it.
 */

#include "status/snapshot.h"

#define HISTORY_VERSION  1
#define HISTORY_STEP_SEC 10
#define HISTORY_SAMPLES  360

typedef struct HistorySample {
    uint64_t time_sec;  /* CLOCK_REALTIME, the end of the step */
    uint64_t step_usec; /* how long it was */
    uint64_t requests,
        errors; /* answered in the step; of those with a status of 5xx or timed out */
    uint32_t active, idle, queued, total_max; /* at the end of the step; pm.max_children */
    uint32_t p50_usec, p95_usec, p99_usec;    /* of the requests answered in the step; 0: none */
    uint32_t reserved;
} HistorySample;

typedef struct History {
    uint32_t version;
    uint32_t n;        /* samples, at most HISTORY_SAMPLES */
    uint32_t next;     /* where the next one goes; the oldest when n == HISTORY_SAMPLES */
    uint32_t sequence; /* odd while the porter writes */
    HistorySample samples[HISTORY_SAMPLES];
} History;

#define HISTORY_SIZE sizeof(History)

/** Makes the memfd. The fd or -errno. */
int history_create(void);

/** Maps it for writing, in the porter. 0 or -errno. */
int history_attach(int fd, History **ret);

/** Adds what has happened between two snapshots. earlier: NULL for the first one, which adds
 * nothing; of another manager (counters that went back): nothing either. */
void history_add(History *h, const StatusPool *earlier, const StatusPool *now, uint64_t now_sec);

/** Copies and checks it: samples from the oldest to the newest in samples[0 … n). 0, -EBADMSG or
 * -errno. */
int history_open(int fd, History *ret);

/** A percentile (0 < p < 100) of what the buckets of two snapshots differ by, interpolated; 0:
 * there was nothing. */
uint32_t history_percentile(const uint64_t earlier[BOARD_LATENCY_BUCKETS],
                            const uint64_t now[BOARD_LATENCY_BUCKETS], unsigned p);
