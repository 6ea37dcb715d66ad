#pragma once

/*
 * A bounded queue of byte records, oldest first.
 */

#include "base/macro.h"

typedef struct Ring {
    char *data;
    size_t room;
    size_t start, end; /* the records are data[start … end), each behind its length */
} Ring;

/** 0 or -ENOMEM. */
int ring_init(Ring *ring, size_t room);
void ring_done(Ring *ring);

/** Appends a record. 0, or -ENOBUFS when there is no room for it. */
int ring_push(Ring *ring, const void *record, size_t n);

/** The oldest record, valid until the next call with this ring; NULL when there is none. */
const void *ring_first(const Ring *ring, size_t *ret_n);

/** Removes the oldest record. */
void ring_pop(Ring *ring);

static inline bool ring_is_empty(const Ring *ring)
{
    return ring->start == ring->end;
}

static inline void ring_clear(Ring *ring)
{
    ring->start = ring->end = 0;
}
