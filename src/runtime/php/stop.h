#pragma once

/*
 * What the manager asks of a worker that is busy for too long, by signals (link/message.h):
 *
 *   LINK_SIGNAL_STOP  the script ends with a fatal error at its next instruction: its output is
 *                     thrown away, the client gets 504, shutdown functions run
 *   LINK_SIGNAL_END   for what never comes to a next instruction: the client gets its answer at
 *                     once if that is still possible, and the worker ends with
 *                     EXIT_STATUS_ENDED, the programs that it waits for too
 */

#include "board/slot.h"
#include "runtime/php/php.h"

/** In the template, when PHP's core is there and before extensions are loaded. */
void stop_init(void);

/** In a worker, before it takes requests. 0 or -errno. */
int stop_worker_start(const RuntimeSpec *spec, BoardSlot *slot);

/** A request begins: what came for an earlier one is forgotten. */
void stop_begin(void);
