#pragma once

/*
 * The worker's side of link/mark.h: which request writes to stdout and stderr.
 */

#include "base/macro.h"

/** In a new worker: what will be its stdout and stderr. The key for the manager, or 0: nobody reads
 * them. */
uint64_t mark_start(int out, int err);

/** The running request may write to stdout or stderr from here on. Once per request. */
void mark_request(const char *id, const char *uri);

/** The request is over. */
void mark_end(void);
