#pragma once

/*
 * The processes of a manager that crashed: its workers finish their requests, for as long as a
 * drain may take. We know them by their pidfds, so that no number that was used again is ever
 * signalled.
 */

#include "base/macro.h"

#include <systemd/sd-event.h>

#define ORPHANS_MAX 1024

typedef struct Orphan {
    int pidfd;
    sd_event_source *source;
} Orphan;

typedef struct Orphans {
    Orphan *items;
    size_t n;
    size_t n_alive;
    sd_event_source *limit_source;
    void (*on_gone)(void *userdata); /* the last one has ended */
    void *userdata;
} Orphans;

/** Adopts these processes; after limit_usec those that are left are ended. 0 or -errno. */
int orphans_adopt(Orphans *o, sd_event *event, const pid_t *pids, size_t n, uint64_t limit_usec,
                  void (*on_gone)(void *userdata), void *userdata);

/** Adopts those that an earlier program had, by their pidfds, which belong to o then. */
int orphans_restore(Orphans *o, sd_event *event, const int *pidfds, size_t n, uint64_t limit_usec,
                    void (*on_gone)(void *userdata), void *userdata);

/** When their time is over, CLOCK_MONOTONIC; 0: there are none. */
uint64_t orphans_until_usec(const Orphans *o);

/** Lets those that are left answer their clients with an HTTP status and end; those that are there
 * a second later are killed. How many. */
unsigned orphans_end(Orphans *o, int http_status);
/** Kills those that are left. How many. */
unsigned orphans_kill(Orphans *o);
void orphans_done(Orphans *o);
