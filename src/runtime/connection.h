#pragma once

/*
 * One accepted FastCGI connection in a worker: socket, parser, the request being read or run,
 * output. The worker's loop (runtime/serve.c) owns it and its place in epoll; the language sees
 * only the Request (runtime/request.h).
 *
 * The socket is a blocking one; reading heads uses MSG_DONTWAIT, so that a half-sent head holds
 * nobody up, while the body and the output of a running request wait in the system call. Listening
 * sockets are non-blocking, accepted ones are not (accept4 without SOCK_NONBLOCK).
 */

#include "board/slot.h"
#include "runtime/request.h"

typedef struct Connection Connection;

/* What a worker's connections share: buffers for the one request that runs at a time, the worker's
 * slot. */
typedef struct ConnectionShared ConnectionShared;

ConnectionShared *connection_shared_new(BoardSlot *slot, unsigned max_connections,
                                        unsigned max_requests);
ConnectionShared *connection_shared_free(ConnectionShared *s);
DEFINE_CLEANUP(ConnectionShared, connection_shared_free)

/** How long a peer may be silent in the body of a request; 0: as long as it likes. */
void connection_shared_set_read_timeout(ConnectionShared *s, uint64_t timeout_usec);

/** How much PARAMS a request may have; 0: what fcgi/params.h says. One with more is answered 431.
 */
void connection_shared_limit_params(ConnectionShared *s, uint32_t bytes, uint32_t n);

/** What requests note of themselves is kept whole until their end, for records of them; headers:
 * those of their answers too. See request_facts(). */
void connection_shared_keep_notes(ConnectionShared *s, bool headers);

/** A connection was taken from a listener of the pool. The slot has it with the next
 * connection_new(). */
void connection_shared_count_accepted(ConnectionShared *s);

/** In the child of a fork that a script made: nothing of the worker's is touched any more, neither
 * connections nor slot. */
void connection_shared_disown(ConnectionShared *s);

typedef enum ConnectionOutcome {
    CONNECTION_WAIT,    /* come back when the socket is readable */
    CONNECTION_REQUEST, /* a head is complete: run connection_request(), then connection_end() */
    CONNECTION_LINGER,  /* everything is said; bytes are read and thrown away until the peer closes
                         */
    CONNECTION_CLOSED,  /* free it */
} ConnectionOutcome;

/** Takes the fd of an accepted connection. NULL: no memory (the fd is closed). */
Connection *connection_new(ConnectionShared *shared, int fd, uint64_t now_usec);

/** Closes the socket. Returns NULL; NULL is fine. */
Connection *connection_free(Connection *c);

int connection_fd(const Connection *c);

/** It has carried a request in another worker. */
void connection_mark_served(Connection *c);

/** Reads what is there without waiting and goes as far as the end of the head; answers GET_VALUES
 * and what needs no program. */
ConnectionOutcome connection_receive(Connection *c, uint64_t now_usec);

/** The peer was silent for too long in the head of a request: answers 408 when the request has
 * begun. CONNECTION_LINGER or CONNECTION_CLOSED. */
ConnectionOutcome connection_time_out(Connection *c);

/** One poll(2): whether the peer has closed the connection. Only unix sockets show it; false on
 * TCP, unless the peer has reset it. */
bool connection_is_gone(const Connection *c);

/** Instead of connection_request(): nobody waits for the answer. Counts it; the connection is to be
 * freed. */
void connection_abandon(Connection *c);

/** The request of CONNECTION_REQUEST. The scoreboard says RUNNING from here on. */
Request *connection_request(Connection *c, uint64_t now_usec);

/**
 * After the program: sends what is buffered and END_REQUEST unless request_finish() did. keep:
 * whether a kept connection may stay (false for the last request of a worker). When bytes of a next
 * request have arrived already the outcome may be CONNECTION_REQUEST.
 */
ConnectionOutcome connection_end(Connection *c, uint32_t app_status, bool keep, uint64_t now_usec);

/** True when no byte of a request is pending in our buffer, so that closing loses nothing that was
 * received. */
bool connection_is_idle(const Connection *c);

/** True when a request was run on it. */
bool connection_has_served(const Connection *c);

/** When the last byte came or went (CLOCK_MONOTONIC, from the caller's now). */
uint64_t connection_last_active_usec(const Connection *c);

/** The static text of what was wrong with the bytes, after CONNECTION_CLOSED by a protocol error,
 * or CONNECTION_LINGER behind the answer 431; else NULL. */
const char *connection_error(const Connection *c);
