#pragma once

/*
 * The generations of a pool besides the current one, whose workers still finish their requests or
 * are not ready yet.
 */

#include "base/buffer.h"
#include "status/snapshot.h"

/** Appends the member "other_generations", with a comma before it. 0 or -ENOMEM. */
int generations_write_json(Buffer *b, const StatusPool *pool, const StatusWorker *workers);

/** Appends a line for each, nothing when there is none. 0 or -ENOMEM. */
int generations_write_text(Buffer *b, const StatusPool *pool, const StatusWorker *workers);
