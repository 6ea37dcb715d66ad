#pragma once

/*
 * One client of fpmd-load: a connection or none, and at most one request under way. Each request
 * ends in exactly one count of the tally.
 *
 * A kept connection that is closed without a byte of an answer is opened again once for the
 * request, as web servers do (counted); where the load is strict, that is a failure.
 */

#include "address.h"
#include "request.h"
#include "tally.h"

typedef struct ClientRules {
    RequestForm form;
    uint64_t timeout_usec;
    uint64_t pause_min_usec, pause_max_usec; /* between two requests of a client */
    unsigned abort_permille;                 /* of the requests: given up by us half-way */
    uint64_t seed;
    bool strict;
    int epoll_fd;
} ClientRules;

typedef struct Client {
    const ClientRules *rules;
    Tally *tally;
    const Address *address;
    uint64_t random; /* state of its generator */
    uint32_t number, n_requests;
    int fd;
    bool running;
    bool writing;  /* EPOLLOUT is asked for */
    bool reused;   /* this request is not the connection's first */
    bool reopened; /* for this request */
    bool answered; /* a byte of the answer has come */
    Buffer request;
    size_t sent, limit; /* no more than limit bytes of it are sent */
    char id[REQUEST_ID_SIZE];
    uint64_t started_usec;
    uint64_t abort_usec; /* when we give up; USEC_INFINITY: not on purpose */
    uint64_t due_usec;   /* of the next request */
    FcgiResponse response;
    uint64_t dropped; /* bytes of the answer that were only counted */
} Client;

void client_init(Client *c, const ClientRules *rules, Tally *tally, const Address *address,
                 unsigned number, uint64_t now_usec);
void client_done(Client *c);

/** Begins a request. 0 or -ENOMEM. */
int client_start(Client *c, uint64_t now_usec);

/** What time does: limits, and connections that found a full queue. Returns when to come again. */
uint64_t client_tick(Client *c, uint64_t now_usec);

void client_on_events(Client *c, uint32_t events);
