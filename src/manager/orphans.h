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

/** Adopts these processes; after limit_usec those that are left are killed. 0 or -errno. */
int orphans_adopt(Orphans *o, sd_event *event, const pid_t *pids, size_t n, uint64_t limit_usec,
                  void (*on_gone)(void *userdata), void *userdata);

/** Ends those that are left. How many. */
unsigned orphans_kill(Orphans *o);
void orphans_done(Orphans *o);
