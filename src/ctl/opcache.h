#pragma once

#include "ctl/ctl.h"
#include "status/snapshot.h"

/** Appends what the opcode cache of a pool holds. 0 or -ENOMEM. */
int opcache_write(Buffer *b, const StatusPool *pool, bool json);

/** fpmctl opcache reset, see command.c. */
int opcache_reset(const Ctl *ctl, int n, char **pools);
