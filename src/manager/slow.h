#pragma once

/*
 * Requests that run for longer than request_slowlog_timeout: each gets one journal record with its
 * call stack, and an entry in slowlog where the pool has that file.
 */

#include "board/slot.h"

typedef struct Worker Worker;

/**
 * Looks at the request of a worker; slot: as it was at now_usec. Returns when to look again,
 * USEC_INFINITY: never (the pool has no such limit).
 */
uint64_t slow_look(Worker *w, const BoardSlot *slot, uint64_t now_usec);
