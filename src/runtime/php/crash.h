#pragma once

/*
 * The end by a fatal signal (SIGSEGV, SIGABRT, …). In a worker: the client gets a 500 when no byte
 * of its answer was sent, the scoreboard gets a backtrace, and the signal then does what it always
 * does, so that the manager sees the true one. A forbidden system call (SIGSYS of the filter, see
 * sandbox/seccomp.h) is such an end, with the call in the scoreboard: hostile code can keep that
 * from there, and live on, but not make the call. In the template, while PHP starts: what PHP has
 * said so far is not lost.
 *
 * A signal that somebody handles already (a sanitizer) is left to him.
 */

#include "board/slot.h"
#include "link/spec.h"

/** In a worker, before it takes requests. 0 or -errno. */
int crash_worker_start(BoardSlot *slot);

/** Around the start of PHP in the template. */
int crash_template_start(const RuntimeSpec *spec);
void crash_template_started(void);

/** Whether this is the process that the handlers were installed for, and not a child that a script
 * has forked. */
bool crash_is_own_process(void);

/** Leaves the backtrace in the scoreboard. Async-signal-safe. */
void crash_leave_trace(void);
