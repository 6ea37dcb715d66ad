#pragma once

/*
 * OPcache's lock of its shared memory without a system call per request.
 *
 * A request that uses the memory holds a lock of one byte of a file for reading (fcntl(2)), so that
 * whoever wants to begin the cache anew sees whether somebody still uses it. Two calls per request,
 * in which all workers meet in one list of the kernel: a sixth of the processor time of a short
 * request. Here that lock is a mark in memory of the generation's workers, and each worker holds a
 * lock of the kernel on a byte of its own of the same file as long as it lives, so that the kernel
 * says whose marks count and which are of the dead. All other locks of OPcache stay the kernel's.
 *
 * Marks are as safe as the memory that they guard, which every worker of the generation can write.
 * A worker in which foreign code closes a descriptor of that file has lost the lock of its life
 * (fcntl(2)): from then on a restart in place does not wait for that worker.
 */

#include "base/macro.h"

#include <stdint.h>

/** In the template, after OPcache has started: fd is OPcache's number for its lock, code any
 * address in its library, shared whether workers share its memory. 0 or -errno: OPcache's locks are
 * then as they always were. */
int cache_lock_init(int fd, uintptr_t code, bool shared);

/** In a worker, before its first request. */
void cache_lock_worker_start(void);

/** What OPcache calls for fcntl(2) then. */
int cache_lock_fcntl(int fd, int command, ...);
