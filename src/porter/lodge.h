#pragma once

/*
 * The porter of a pool: holds connections that nobody serves, until they have bytes for a worker,
 * says 503 to those that have waited too long, and answers who asks for the status on a socket of
 * its own (porter/desk.h). This header is the shared private state of porter/.
 *
 * It trusts the manager. What workers park is gossip: checked, and closed when it is not what it
 * should be. Of their requests it looks at eight bytes (MSG_PEEK) and parses nothing.
 */

#include "board/slot.h"
#include "link/message.h"
#include "link/spec.h"
#include "porter/desk.h"
#include "porter/rack.h"

typedef enum LodgePhase {
    LODGE_OPEN,
    LODGE_MOVING,    /* another porter has begun: everything goes to it */
    LODGE_CLOSING,   /* what has bytes goes to the workers, the rest has been closed */
    LODGE_LINGERING, /* nothing goes to anybody any more; those that were answered are left */
    LODGE_CLOSED,
} LodgePhase;

/* What an event of the epoll is about, in the upper half of its data; below is the descriptor. */
typedef enum LodgeSource {
    LODGE_CONNECTION,
    LODGE_LINK,
    LODGE_PARK,
    LODGE_HANDOVER, /* it has room again */
    LODGE_REPARK,   /* so has this */
    LODGE_STATUS,   /* a socket of pm.status_listen */
} LodgeSource;

/* A socket that takes connections: only watched while it is full. */
typedef struct LodgeOutlet {
    int fd; /* -1: closed */
    LodgeSource source;
    bool full;
    uint64_t retry_usec; /* full for a reason that nobody wakes us for; 0: not */
} LodgeOutlet;

struct Lodge {
    const RuntimeSpec *spec;
    BoardSlot *slot;
    int epoll_fd, link_fd, park_fd;
    LodgeOutlet handover; /* to any worker */
    LodgeOutlet repark;   /* to the next porter */
    Rack rack;
    unsigned capacity; /* connections at most */
    LodgePhase phase;
    uint64_t deadline_usec; /* of the phase; USEC_INFINITY: none */
    uint64_t n_shed, n_accepted;
    uint64_t n_unsaid; /* complaints since the last one that was logged */
    uint64_t complained_usec;
    Desk desk;
};

/* ---- lodge.c ---- */

/** Takes over the descriptors of the spec; slot is written by us alone. 0 or -errno. */
int lodge_init(Lodge *l, const RuntimeSpec *spec, BoardSlot *slot, unsigned capacity);
void lodge_done(Lodge *l);

/** Serves until it has been told to leave and has left. */
void lodge_run(Lodge *l);

/** Watches a descriptor for EPOLL… events. 0 or -errno. */
int lodge_watch(Lodge *l, LodgeSource source, int fd, uint32_t events);

/** Stops that, and closes the descriptor. It may be open elsewhere: closing alone would leave it
 * watched. Negative: nothing. */
void lodge_unwatch_and_close(Lodge *l, int fd);

/** Closes a connection. */
void lodge_drop(Lodge *l, int fd);

/** True when a complaint may be logged: once a second. Else it is counted. */
bool lodge_may_complain(Lodge *l, uint64_t now_usec);

/* ---- park.c: connections that come from workers ---- */

/** Takes at most max of those that wait in the park socket. */
void park_take(Lodge *l, unsigned max, uint64_t now_usec);

/** Something has happened to an idle connection. */
void park_on_event(Lodge *l, int fd, uint32_t events, uint64_t now_usec);

/** How many wait for bytes. */
unsigned park_count(const Lodge *l);

/** Closes those that have been silent from their beginning for too long. */
void park_look(Lodge *l, uint64_t now_usec);

/** When park_look() is due; USEC_INFINITY: never. */
uint64_t park_next_usec(const Lodge *l);

/** Makes room for one more connection. False: there is none. */
bool park_make_room(Lodge *l, uint64_t now_usec);

/** Moves those that have bytes to the ready ones and closes the others. */
void park_clear(Lodge *l, uint64_t now_usec);

/* ---- outlet.c: connections that go to others ---- */

/** Sends on what is ready, as far as there is room. */
void outlet_serve(Lodge *l, uint64_t now_usec);

/** Sends the idle ones to the next porter, as far as there is room. 0; -EPIPE: it has gone. */
int outlet_repark(Lodge *l, uint64_t now_usec);

/* ---- shed.c: connections that are refused ---- */

/** Takes up to n connections from the listeners and answers 503. retry_after: seconds, 0: not said.
 */
void shed_take(Lodge *l, unsigned n, unsigned retry_after, uint64_t now_usec);

/** Something has happened to one that was answered. */
void shed_on_event(Lodge *l, int fd, uint32_t events);

/** Closes those that have lingered for long enough. */
void shed_look(Lodge *l, uint64_t now_usec);

/** When shed_look() is due; USEC_INFINITY: never. */
uint64_t shed_next_usec(const Lodge *l);

/* ---- leave.c: the end ---- */

/** The pool ends, or its manager has. */
void leave_begin(Lodge *l, uint64_t now_usec);

/** Another porter takes over. */
void leave_move(Lodge *l, uint64_t now_usec);

/** The next step of either, if it is due. */
void leave_look(Lodge *l, uint64_t now_usec);
