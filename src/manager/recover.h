#pragma once

/*
 * What follows when something has died. Part of manager/manager.h.
 */

#include "manager/manager.h"

/* ---- recover.c: what follows when something has died (pool/recovery.h) ---- */

/** After the obituary of a worker; code and status as of worker_on_exit(). */
void recover_on_worker_exit(Worker *w, int code, int status, bool crashed, bool was_registered);

/** A worker wants its generation to be replaced: its opcode cache is to begin anew. */
void recover_on_renew(Worker *w);

/** A path that the sandbox of the current generation allows is another file now, or is there at
 * last: a new generation follows, after some calm. path: for people. */
void recover_on_replaced(Manager *m, const char *path);

/** No worker may be ordered before this time. */
uint64_t recover_fork_after_usec(const Manager *m);

/** Replaces the template of the current generation, which has died; called until that is done. */
void recover_template(Manager *m);

/** The first generation could not be started: ends the manager, or waits for the next try. */
void recover_start_failed(Manager *m, const char *reason, int exit_status);

/** Whether this start is not the first one, so that a failure is told by recover.c alone: one
 * record for each try. */
bool recover_is_retrying(const Manager *m);

/** The STATUS line of a manager that waits or tries again. */
void recover_status(const Manager *m, char *text, size_t size);

/** A generation serves; what had failed before is forgotten. */
void recover_served(Manager *m);

/** Reads what an earlier manager of this start has left in the runtime directory. */
int recover_set_up(Manager *m);
void recover_done(Manager *m);
