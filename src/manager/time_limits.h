#pragma once

/*
 * Limits of time. Part of manager/manager.h.
 */

#include "manager/manager.h"

/* ---- limits.c: limits of time of requests, workers and the queue ---- */

int limits_start(Manager *m);

/** Looks at all workers and the queue, acts on what has run out, and sets the timer for the next
 * look. Cheap when the pool has no such limits. */
void limits_look(Manager *m, uint64_t now_usec);
void limits_done(Manager *m);

/** Whether a connection that finds nobody idle has to wake the manager, though no worker can be
 * added: queue_timeout begins to count. */
bool limits_wants_watch(const Manager *m);

/** Of each worker that has ended, before it is freed: processes that one which was ended for its
 * time left behind end too. */
void limits_on_worker_exit(Worker *w, int code, int status);
