#pragma once

/*
 * The manager's side of the porter: the process that holds connections which nobody serves, and
 * answers on the sockets of pm.status_listen. At most one per pool, started when the first
 * connection is parked or refused, or with the pool when it has such a socket; it outlives
 * generations and re-exec. The manager owns the two sockets between workers and porter and never
 * reads from them.
 */

#include "board/slot.h"
#include "manager/output.h"

#include <systemd/sd-event.h>

typedef struct Manager Manager;
typedef struct PoolSetup PoolSetup;

typedef struct Porter {
    int handover[2]; /* POKE and SERVE: [0] sends (manager, porter), [1] receives (workers) */
    int park[2];     /* PARK: [0] receives (porter), [1] sends (workers) */
    pid_t pid;       /* 0: none runs */
    pid_t
        former_pid; /* of one that another has taken over from and that is about to end; 0: none */
    int link_fd;    /* -1: none, or told to leave */
    int slot_fd;
    const volatile BoardSlot *slot; /* connections: held; requests: answered 503; accepted */
    Output out, err;
    sd_event_source *park_source; /* somebody parks, and no porter runs */
    sd_event_source *link_source;
    sd_event_source *time_source;    /* the end of a pause, or of its time to leave */
    sd_event_source *stopped_source; /* a signal has stopped it: when it is let go on */
    bool ready;
    bool left;                               /* told to leave: no other is started */
    uint64_t identity;                       /* of what it was started with, see porter_renew() */
    uint64_t shed_counted, accepted_counted; /* already in the sums of the manager */
    uint64_t started_usec, start_after_usec, pause_usec;
    uint64_t asked_second_usec; /* begin of the second in which n_asked counts its questions */
    unsigned n_asked;
} Porter;

/** Nothing is open. */
#define PORTER_NONE                                                                                \
    ((Porter){.handover = {-1, -1},                                                                \
              .park = {-1, -1},                                                                    \
              .link_fd = -1,                                                                       \
              .slot_fd = -1,                                                                       \
              .out = {.fd = -1},                                                                   \
              .err = {.fd = -1}})

/** Makes the two sockets and waits for the first connection that is parked; those that are there
 * already (after a re-exec) stay. 0 or -errno. */
int porter_set_up(Manager *m);
void porter_done(Manager *m);

/** Whether pid was the porter; notes its end and, unless it was told to leave, starts another when
 * it is needed. */
bool porter_on_exit(Manager *m, pid_t pid, int code, int status);

/**
 * Called at SIGCHLD: a porter that a signal has stopped (any process of the pool's user may, before
 * Linux 6.12) goes on after two seconds. It holds connections, so it is not replaced.
 */
void porter_look_for_stop(Manager *m);

/** Lets it take n connections from the listeners and answer 503; starts it if need be. */
void porter_shed(Manager *m, unsigned n);

/** Starts it where somebody may ask for the status, if none runs. */
void porter_look(Manager *m);

/** Its pings are answered 503 from now on. */
void porter_drain(Manager *m);

/** A generation has begun to serve, or another program file runs: a porter that runs with another
 * user, groups, listen.allowed_clients, log_level, paths of the status or program file gives its
 * connections to one that has those of now. */
void porter_renew(Manager *m);

/** Tells it to leave: what has bytes goes to the workers, the rest is closed. Ends it after a
 * second. */
void porter_leave(Manager *m);
bool porter_is_gone(const Manager *m);

/** Adds what its slot counts to the sums of the manager; how many connections it holds. */
unsigned porter_count(Manager *m);

/* ---- porter_process.c: for porter.c ---- */

/** Executes one, with the user of any generation that there is. 0 or -errno (logged; -ESRCH: there
 * is no generation). */
int porter_start(Manager *m);

/** A number that differs when it would be started with something else. */
uint64_t porter_identity(const Manager *m, const PoolSetup *s);

/** Whether there is a generation whose user it could have. */
bool porter_may_start(const Manager *m);

int porter_watch_link(Manager *m);
void porter_close_link(Porter *p);

/** Closes all that belongs to one process. */
void porter_forget(Porter *p);

/* ---- question.c ---- */

/** Whether one more question of it is answered: not when it asks far too often. */
bool porter_may_speak(Porter *p);

/** It asks for the state of the pool. */
void porter_answer(Manager *m);
