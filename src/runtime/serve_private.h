#pragma once

/*
 * What serve.c, listener.c, turn.c and leave.c share: the worker's loop, one connection's turn in
 * it, and the ways in which the loop ends.
 */

#include "runtime/engine.h"
#include "runtime/held.h"

typedef enum ServePhase {
    SERVE_STAYING,
    SERVE_PARKING, /* told to leave, or on its own: connections at rest go to the porter */
    SERVE_CLOSING, /* they are closed */
} ServePhase;

typedef struct Serve {
    const RuntimeSpec *spec;
    const Engine *engine;
    BoardSlot *slot;
    int life_line;
    pid_t manager_pid;
    ConnectionShared *shared;
    int epoll_fd;
    Source *fixed;
    size_t n_fixed;
    Held held;
    bool timed; /* the time of a held connection is limited */
    uint64_t swept_usec;
    bool shortage_told;   /* that connections cannot be accepted */
    bool rested;          /* since the last request what it has left in memory went back */
    int rest_fd;          /* timer that runs until it has */
    unsigned passed_over; /* times that a held connection with bytes waited for others */

    /* turn.c */
    uint64_t requests;
    unsigned n_silent;         /* fresh connections without bytes, since one that had some */
    uint64_t ended_usec;       /* the last request ended at */
    uint64_t looked_usec;      /* when resident_bytes of the slot was set */
    uint64_t work_began_usec;  /* since then there was no pause */
    uint64_t look_credit_usec; /* earned for looking whether clients have gone */

    /* leave.c */
    ServePhase phase;
    uint64_t leaving_since_usec;
    bool park_full; /* the porter has not taken everything yet */
    bool pool_ends; /* see leave_at_end(); since … */
    uint64_t end_seen_usec;
    bool handover_ended; /* nobody else has it */
    bool owes_look;      /* into the hand-over socket */
} Serve;

/* ---- listener.c ---- */

/** Accepts a connection, if one is there still, and gives it its turn; leaves when there never will
 * be one. */
void listener_take(Serve *s, int listen_fd);

/** Whether an error says that the socket is not there any more, or is another file by now. */
bool listener_is_lost(int error);

/** One of the sockets or the epoll that connections come by is lost: leaves, telling it, or waits
 * for a moment. error: a negative errno. */
void listener_lost(Serve *s, int error);

/* ---- turn.c: a connection has its turn ---- */

/** Before anything is served: a script may fork, and its child must not touch what is the
 * worker's. 0 or -errno. */
int turn_init(ConnectionShared *shared);

/** Takes an accepted connection as far as its bytes allow, and holds it if need be; only holds it
 * where those at rest are parked. flags: LinkConnectionFlag. */
void turn_fresh(Serve *s, int fd, unsigned flags);

/** The same for a held one. */
void turn_held(Serve *s, Source *source);

/* ---- leave.c ---- */

/** LINK_LEAVE, a signal, or an own reason: what is at rest goes to the porter if that is possible.
 */
void leave(Serve *s);

/** The life line has ended, and nothing is to be parked: the pool stops (ask_told_of_end()), or its
 * manager has died. */
void leave_at_end(Serve *s);

/** After leave(): the kernel wakes one worker for a message of the hand-over socket. If it was this
 * one, nobody else looks, so it takes that message; what came with it goes to the porter again. */
void leave_settle(Serve *s);

/** Looks at what is still held. */
void leave_sweep(Serve *s, uint64_t now_usec);

/** Limits of held connections as things are. */
HeldLimits leave_limits(const Serve *s);

/** How long the loop of a leaving worker may wait. */
int leave_wait_msec(const Serve *s);

/** Nothing is left to be done. */
bool leave_is_over(Serve *s);

/* ---- serve.c ---- */

/** Takes one message from the hand-over socket and serves what it brings. False: there was none. */
bool serve_handover(Serve *s);
