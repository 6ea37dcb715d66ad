#pragma once

/*
 * Processes that a worker leaves behind when it is ended in a request: the programs that its script
 * waited for. The manager is the subreaper, so they become its children at that moment; before, it
 * cannot see them (ProtectProc=invisible hides the workers' folders in /proc).
 */

#include "base/macro.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

typedef struct Manager Manager;

typedef struct Leftover {
    pid_t *before; /* our children when the first worker was told to end */
    size_t n_before;
    pid_t session;     /* of the generation of the last one that was */
    unsigned n_rounds; /* looks since the last one has ended */
    sd_event_source *source;
} Leftover;

/** A worker is about to be ended: what is an orphan already is none of its doing. */
void leftover_expect(Manager *m, Leftover *l, pid_t worker);

/** It has ended: ends what is new since then, now and a few times more, since their own children
 * come after them. */
void leftover_end(Manager *m, Leftover *l);

void leftover_done(Leftover *l);

/** The children of this process, to be freed. 0 or -errno (-ENOENT: the kernel does not tell). */
int leftover_children(pid_t **ret, size_t *ret_n);
