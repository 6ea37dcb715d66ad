#pragma once

/*
 * What a worker may ask its manager, over its own life line. One question at a time.
 */

#include "base/macro.h"

/** The life line of this process; called once, before requests are served. */
void ask_init(int life_line);

/**
 * Asks for the state of the pool and waits at most a second. Returns a sealed memfd for
 * status_open(), the caller's; -ETIMEDOUT, -EPIPE when the manager is gone or has told us to leave;
 * -errno.
 */
int ask_status(void);

/**
 * Throws away what waits on the life line: an answer that came too late. 0; -EPIPE when the line
 * has ended, which tells the worker to leave.
 */
int ask_discard(void);
