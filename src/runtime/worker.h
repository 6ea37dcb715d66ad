#pragma once

/*
 * One worker: the set-up between fork and the first request, each step with its own exit status.
 */

#include "runtime/engine.h"
#include "sandbox/sandbox.h"

/* What the manager made for one worker; the worker owns them. */
typedef struct WorkerFds {
    int slot;
    int life_line;
    int out;
    int err;
} WorkerFds;

typedef enum WorkerRole {
    WORKER_REQUESTS, /* on the listeners of the pool */
    WORKER_STATUS,   /* on those of pm.status_listen */
} WorkerRole;

/** Sets up, serves, exits. */
_noreturn_ void worker_run(const RuntimeSpec *spec, const Engine *engine,
                           const SeccompFilter *filter, const WorkerFds *fds, WorkerRole role);
