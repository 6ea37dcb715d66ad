#pragma once

/*
 * The ways in which a pool ends. Part of manager/manager.h.
 */

#include "manager/manager.h"

/* ---- stop.c: the end of a pool ---- */

/** Lets everything that runs finish, then ends the process with exit_status. */
void stop_begin(Manager *m, int exit_status);

/** The next step, as far as it can be done now; from settle. */
void stop_step(Manager *m);

/** Answers the requests that run with 503 and ends their workers. why: for the record. */
void stop_end_requests(Manager *m, const char *why);

/** Nothing of the pool runs any more: ends what scripts left behind, and the loop. */
void stop_finish(Manager *m, const char *reason);

/** What the STATUS line says. */
void stop_status(const Manager *m, char *text, size_t size);

/** Whether pid was the process that asks systemd for our time. */
bool stop_on_exit(Manager *m, pid_t pid);
void stop_done(Manager *m);

/* ---- leaving.c: the ways in which a pool ends ---- */

/** Looks whether the pool has been idle long enough to leave; from settle. */
void leaving_look(Manager *m, uint64_t now_usec);

/** Pings answer 503 from now on; the pool leaves when nobody but pings has come for quiet_usec (0:
 * some seconds). */
void leaving_drain(Manager *m, uint64_t quiet_usec);

/** Does that: of the table. */
void leaving_drain_begin(Manager *m, const char *reason);
void leaving_done(Manager *m);
