#pragma once

/*
 * How long connections have been waiting in the queue of a listener. The kernel does not tell their
 * age, but how many wait; with how many have been taken so far that makes a count of arrivals. The
 * connections are served in the order of arrival, so the one that arrived as number N waits since
 * the time at which the count passed N. Total functions: no clock, no system call.
 */

#include "base/macro.h"

#define QUEUE_SAMPLES 128

typedef struct QueueSample {
    uint64_t at_usec;
    uint64_t arrivals; /* taken + waiting */
} QueueSample;

typedef struct QueueClock {
    QueueSample samples[QUEUE_SAMPLES]; /* a ring, by time */
    unsigned first, n;
} QueueClock;

/** Notes a sample; taken: connections accepted so far by anybody. An empty queue forgets the past.
 * Samples are kept at least timeout_usec / 32 apart, so that the ring reaches back beyond it; with
 * timeout_usec 0 it reaches back to the oldest that waits, and is the coarser the longer he does.
 */
void queue_note(QueueClock *q, uint64_t taken, unsigned queued, uint64_t timeout_usec,
                uint64_t now_usec);

/** How many of those that wait have waited for longer than timeout_usec, as far as is known. */
unsigned queue_overdue(const QueueClock *q, uint64_t taken, unsigned queued, uint64_t timeout_usec,
                       uint64_t now_usec);

/** How long the oldest that waits has been waiting at least, as far as is known; 0: nobody waits,
 * or he came after the last sample. */
uint64_t queue_age_usec(const QueueClock *q, uint64_t taken, uint64_t now_usec);
