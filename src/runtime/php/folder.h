#pragma once

/*
 * The directory in which the worker is. A script runs in its own; shutdown functions, destructors
 * and whatever else runs after it run where the worker was before, as under PHP-FPM.
 *
 * Changing it there and back costs two system calls, in which the processors contend for the
 * counters of two directories: a seventh of the processor time of a short request. So the worker
 * stays in a script's directory when nothing of the script can run any more, and the next script of
 * that directory finds it there. Another directory may be behind the same path at any time: after
 * FOLDER_TRUST_USEC the path counts again, and at once where PHP does not remember the script's
 * path either (realpath_cache_size = 0, realpath_cache_ttl = 0, open_basedir).
 */

#include "base/macro.h"

#define FOLDER_TRUST_USEC 100000

/** In the template, after PHP has started. */
void folder_init(void);

/** In a worker, before its first request: where it is now is its home. 0 or -errno. */
int folder_worker_start(void);

/** Before anything of a request looks for a file: goes home where a relative name counts, which is
 * that of the script, or where the request has settings of its own, which may be such names. Called
 * again when more of that is known. script may be NULL. */
void folder_settle(const char *script);

/** Before a script runs. Where its directory cannot be entered the worker is at home. */
void folder_enter(const char *script);

/** After the script, before PHP's shutdown of the request. */
void folder_leave(void);

/** When the worker is idle: it keeps no file system busy. */
void folder_go_home(void);
