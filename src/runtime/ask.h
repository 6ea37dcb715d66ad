#pragma once

/*
 * The life line of a worker: what the manager tells it, and what it may ask. One question at a
 * time; orders that arrive while an answer is awaited are kept.
 */

#include "base/macro.h"
#include "link/message.h"

/** The life line of this process; called once, before requests are served. draining: as if DRAIN
 * had come already. */
void ask_init(int life_line, bool draining);

/** Who gets the fd of LINK_REOPEN, and owns it then. */
void ask_on_reopen(void (*handler)(int fd));

/**
 * Asks for the state of the pool and waits at most a second. Returns a sealed memfd for
 * status_open(), the caller's, and in *ret_history_fd (may be NULL) one for history_open(), -1:
 * there is none; -ETIMEDOUT, -EPIPE when the manager is gone or has told us to leave; -errno.
 */
int ask_status(int *ret_history_fd);

/** Says that the generation should be replaced. Does not wait. 0 or -errno; -EPIPE in a process
 * that a script has forked. */
int ask_renew(void);

/** Says that the worker leaves on its own after what it does now. Does not wait. 0 or -errno. */
int ask_leaving(LinkLeaving why);

/** Takes what waits on the life line: orders, and answers that came too late. 0; -EPIPE when the
 * line has ended. */
int ask_read_orders(void);

/** LINK_LEAVE has been read. */
bool ask_told_to_leave(void);

/** It has been read with LINK_LEAVE_AT_END: the end of the line is a stop of the pool. */
bool ask_told_of_end(void);

/** The pool is about to leave: pings shall say so (LINK_DRAIN). */
bool ask_is_draining(void);
