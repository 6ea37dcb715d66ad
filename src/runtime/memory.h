#pragma once

/*
 * The resident memory of this process, for pm.max_memory: what /proc/PID/statm calls resident, that
 * is VmRSS of /proc/PID/status. Pages that are shared with others count as a whole: those that the
 * template has touched before the fork, libraries, and what of OPcache's memory this worker has
 * used. A limit has to leave room for them.
 */

#include "base/macro.h"

/** Prepares this process; called once in a worker, after the fork. */
void memory_init(void);

/** One system call. Where there is no /proc (below another root): the peak so far, which never
 * falls. 0: unknown. */
uint64_t memory_resident_bytes(void);
