#pragma once

/*
 * One worker: the set-up between fork and the first request, each step with its own exit status.
 */

#include "runtime/engine.h"
#include "sandbox/seccomp.h"

/* What the manager made for one worker; the worker owns them. */
typedef struct WorkerFds {
    int slot;
    int life_line;
    int out;
    int err;
} WorkerFds;

/** Sets up, serves, exits. filter: NULL: none (sandbox.seccomp = off). flags: LinkForkFlag of the
 * order. */
_noreturn_ void worker_run(const RuntimeSpec *spec, const Engine *engine,
                           const SeccompFilter *filter, const WorkerFds *fds, unsigned flags);
