#pragma once

/*
 * Drop-ins of ours whose pool has no file any more.
 */

#include "ctl/pools.h"

/** Adds the pools that have such drop-ins and are not among files. 0 or -errno. */
int orphans_find(const Ctl *ctl, const PoolFiles *files, PoolFiles *orphans);
