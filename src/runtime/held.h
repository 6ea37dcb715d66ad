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
    SOURCE_HELD,
} SourceKind;

/* What an event of the worker's epoll points to. */
typedef struct Source {
    SourceKind kind;
    int fd;
    Connection *connection;        /* SOURCE_HELD; NULL: the place is free */
    uint64_t lingering_since_usec; /* 0: not lingering */
} Source;

typedef struct Held {
    int epoll_fd; /* borrowed */
    unsigned n;
    Source places[HELD_MAX];
} Held;

/** Takes the connection; it is closed when the epoll does not take it. */
void held_add(Held *h, Connection *connection, uint64_t lingering_since_usec);

/**
 * Whether the time of any held connection is limited, so that it must be looked at again.
 * Kept-alive ones between requests may stay for ever, and a wait without a timer is cheaper.
 */
bool held_is_timed(const Held *h);

/** Closes the connection of a place and frees the place. */
void held_release(Held *h, Source *source);

/**
 * Whether the time of a held connection is over: no answer is due on it, or it never became a
 * request. leaving_since_usec: when the worker was told to leave, 0: it was not; idle connections
 * are overdue then.
 */
bool held_is_overdue(const Source *source, uint64_t leaving_since_usec, uint64_t now_usec);
