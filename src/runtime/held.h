#pragma once

/*
 * The connections that a worker holds because they are not ready for work: kept alive, silent, with
 * half a head, or lingering after their answer. They wait in the worker's epoll and cost nothing
 * but their memory; their number and their time are bounded.
 */

#include "runtime/connection.h"

/* One more replaces the one that has been silent for longest. */
#define HELD_MAX 128

typedef enum SourceKind {
    SOURCE_LISTENER,
    SOURCE_HANDOVER,
    SOURCE_LIFE_LINE,
    SOURCE_SIGNAL, /* SIGTERM or SIGQUIT */
    SOURCE_REST,   /* timer: nothing may have happened for a while */
    SOURCE_HELD,
} SourceKind;

/* What an event of the worker's epoll points to. */
typedef struct Source {
    SourceKind kind;
    int fd;
    Connection *connection;        /* SOURCE_HELD; NULL: the place is free */
    uint64_t lingering_since_usec; /* 0: not lingering */
    bool hung_up;                  /* its last event said that the peer has closed it */
} Source;

typedef struct Held {
    int epoll_fd; /* borrowed */
    int park_fd;  /* borrowed; -1: connections cannot be given away */
    unsigned n;
    Source places[HELD_MAX];
} Held;

/* Times of the held connections. */
typedef struct HeldLimits {
    uint64_t read_timeout_usec;  /* without a byte of an incomplete head; 0: none */
    uint64_t first_byte_usec;    /* without a request from the beginning; 0: none */
    uint64_t closing_since_usec; /* connections at rest are closed since then; 0: they may stay */
} HeldLimits;

/** Takes the connection; it is closed when the epoll does not take it. */
void held_add(Held *h, Connection *connection, uint64_t lingering_since_usec);

/** Whether the time of a held connection is limited. */
bool held_one_is_timed(const Source *source);

/**
 * Whether the time of any held connection is limited, so that it must be looked at again.
 * Kept-alive ones between requests may stay for ever, and a wait without a timer is cheaper.
 */
bool held_is_timed(const Held *h);

/** Closes the connection of a place and frees the place. */
void held_release(Held *h, Source *source);

/** Gives the connection of a place to the porter and frees the place. 0 or a negative errno of
 * park(). */
int held_park(Held *h, Source *source);

/** Whether the time of a held connection is over: no answer is due on it, or it never became a
 * request. */
bool held_is_overdue(const Source *source, const HeldLimits *limits, uint64_t now_usec);
