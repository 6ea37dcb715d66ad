#pragma once

/*
 * Snapshot → text. One table of fields; every format is a loop over it.
 */

#include "base/buffer.h"
#include "status/snapshot.h"

typedef enum StatusFormat {
    STATUS_TEXT,
    STATUS_JSON,
    _STATUS_FORMAT_MAX,
} StatusFormat;

/** Appends the rendering; workers are listed when full. Texts are escaped for the format. 0 or
 * -ENOMEM. */
int status_render(Buffer *b, StatusFormat format, const StatusPool *pool,
                  const StatusWorker *workers, bool full);
