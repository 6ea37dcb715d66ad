#pragma once

/*
 * What became of each request: counts, latencies, the failures one by one, and the JSON of all
 * that. No I/O but the output; times are CLOCK_MONOTONIC.
 */

#include "base/buffer.h"
#include "base/macro.h"

typedef enum Failure {
    FAILURE_REFUSED,  /* connect */
    FAILURE_CLOSED,   /* the connection ended without a byte of an answer */
    FAILURE_CUT,      /* it ended inside the answer */
    FAILURE_WRONG,    /* a whole answer that is not the one to this request */
    FAILURE_STATUS,   /* a whole answer whose HTTP status is not 200 */
    FAILURE_PROTOCOL, /* no FastCGI, or more than one answer */
    FAILURE_TIMEOUT,
    _FAILURE_MAX,
} Failure;

/* The last class of times of socket() and connect() is everything above. */
#define CONNECT_STEP_NSEC 20
#define CONNECTS_SIZE     50000

typedef struct Sample {
    uint64_t end_usec;
    uint32_t latency_usec;
} Sample;

typedef struct Tally {
    uint64_t begun, ok, failures[_FAILURE_MAX];
    uint64_t reopened;    /* repeated once on a fresh connection, as web servers do */
    uint64_t closed_idle; /* kept connections that the server closed between requests */
    uint64_t stray;       /* kept connections that got bytes between requests */
    uint64_t aborted;     /* by us, on purpose */
    uint64_t queue_full;  /* a unix socket's queue had no room: tried again */
    unsigned statuses[1000];
    uint32_t connects[CONNECTS_SIZE]; /* how many took so many times CONNECT_STEP_NSEC */
    uint64_t start_usec, end_usec;
    Sample *samples; /* of the requests that succeeded */
    size_t n_samples, room_samples;
    Buffer details; /* of the first failures, as JSON */
    unsigned n_details;
} Tally;

void tally_done(Tally *t);

void tally_ok(Tally *t, uint64_t started_usec, uint64_t now_usec);

/** How long a client spent in opening a connection. */
void tally_connected(Tally *t, uint64_t nsec);

/** got (n bytes, may be NULL) is what came instead of the answer; id may be NULL, status 0. */
void tally_failure(Tally *t, Failure failure, uint64_t now_usec, const char *id, unsigned status,
                   const char *got, size_t n);

uint64_t tally_failed(const Tally *t);

/** One line of JSON on stdout; with window_usec, the requests that ended in each such piece. */
void tally_print(Tally *t, uint64_t window_usec);

/** Writes "END LATENCY" in microseconds, a line per request that succeeded. 0 or -errno. */
int tally_write_samples(const Tally *t, const char *path);
