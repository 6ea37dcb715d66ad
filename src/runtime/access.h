#pragma once

/*
 * Records of requests (access.log): lines of a file, or records of the journal. One per process.
 *
 * Lines are gathered and written together: when the worker has nothing to do for a moment, when
 * there are many, when the first of them is some time old, and at the end of the process, be it a
 * violent one. Lines that the file does not take (it is full, or a pipe that nobody reads) are
 * dropped and counted; no request waits for them.
 */

#include "link/spec.h"
#include "runtime/connection.h"

/* A worker that waits for work writes after this time. */
#define ACCESS_IDLE_MSEC 100

/** Once in a worker; spec and shared are borrowed. Without access.format in the spec nothing is
 * recorded, and the other functions return at once. 0 or -errno. */
int access_init(const RuntimeSpec *spec, pid_t manager_pid, ConnectionShared *shared);

/** A program begins to work on a request. */
void access_begin(void);

/** It has ended; before connection_end(). */
void access_record(const Request *r, uint64_t now_usec);

/** Whether lines wait to be written. */
bool access_is_pending(void);

/** Lines wait, and the loop has turned: writes them when it was idle, or when they are old. */
void access_look(bool idle);

void access_flush(void);

/** In a process that dies. Async-signal-safe. */
void access_flush_dying(void);

/** In the child of a fork: the lines are those of its parent. */
void access_disown(void);

/** Lines that were dropped so far. */
uint64_t access_dropped(void);

/** The file is another one now. Takes fd. In a worker. */
void access_reopen(int fd);

/** The same for those who are forked later; in the template. */
void access_replace(const RuntimeSpec *spec, int fd);
