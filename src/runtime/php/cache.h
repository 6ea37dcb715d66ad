#pragma once

/*
 * sandbox.opcache = private. OPcache keeps compiled scripts, and the code of its JIT compiler, in
 * memory that a template and its workers share and can write: who takes one worker over runs code
 * in all of them. Here the template makes that memory its own after PHP has started, preloaded
 * scripts included, and fork(2) gives each worker a copy that costs what the worker changes.
 * OPcache itself does not notice. Each worker compiles for itself what was not preloaded.
 *
 * A worker alone uses its cache, so OPcache restarts it in place when it is full.
 *
 * Memory that other extensions share, such as APCu's, stays shared.
 */

#include "base/macro.h"

/** In the template, after PHP has started. 0: also where there is no OPcache; -errno with a
 * sentence in *ret_reason (static): the template must not go on. */
int cache_make_private(const char **ret_reason);

/** In the template, after that: from here on OPcache's lock costs no system call (cache_lock.h). 0
 * or -errno: its locks are as they always were. */
int cache_watch_lock(void);

/** In each worker, before it is confined: where the memory is private, the lock is one that no
 * other worker can hold. 0 or -errno. */
int cache_worker_start(void);

bool cache_is_private(void);
