#pragma once

/*
 * Where the porter keeps connections: lists, each in the order in which its members came into
 * it, and a table by descriptor number, which is dense. No system call but for memory; descriptors
 * are only numbers here.
 */

#include "base/macro.h"

typedef enum RackList {
    RACK_NONE,      /* not here */
    RACK_FRESH,     /* has never carried a request, and waits for its first byte */
    RACK_IDLE,      /* has, and waits for bytes */
    RACK_READY,     /* has bytes, waits for room in the hand-over socket */
    RACK_LINGERING, /* was answered, waits for its peer to close */
    RACK_CALLING,   /* of a visitor of the status (porter/desk.h) who asks or gets an answer */
    RACK_CALM,      /* of one who does neither */
    _RACK_LIST_MAX,
} RackList;

typedef struct RackPlace {
    uint64_t since_usec; /* in its list */
    int prev, next;      /* in its list; -1: none */
    uint8_t list;        /* RackList */
    uint8_t flags;       /* LinkConnectionFlag */
} RackPlace;

typedef struct Rack {
    RackPlace *places; /* by descriptor */
    size_t n_places;
    struct {
        int first, last; /* -1: none */
        unsigned n;
    } lists[_RACK_LIST_MAX];
} Rack;

void rack_init(Rack *r);
void rack_done(Rack *r);

/** Puts a descriptor at the end of a list, taking it out of the one where it is. 0 or -ENOMEM: then
 * nothing has changed, which happens only to a descriptor that is new. */
int rack_put(Rack *r, int fd, RackList list, unsigned flags, uint64_t now_usec);

/** Takes it out. */
void rack_drop(Rack *r, int fd);

/** The place of a descriptor; of one that is not here one in RACK_NONE. */
const RackPlace *rack_place(const Rack *r, int fd);

/** The one that has been longest in a list; -1: the list is empty. */
int rack_first(const Rack *r, RackList list);
unsigned rack_count(const Rack *r, RackList list);
