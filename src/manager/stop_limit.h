#pragma once

/*
 * How long systemd lets the service take for its end, TimeoutStopSec=: only the message bus tells,
 * so a child process without capabilities asks there, and is ended when that takes too long.
 */

#include "base/macro.h"

#include <sys/types.h>

/** Starts the child. Its pid, which the caller waits for, and the end of a pipe from which
 * stop_limit_read() reads; or -errno. */
pid_t stop_limit_ask(int *ret_fd);

/** The answer. 0; -EAGAIN; -ENODATA when systemd did not say; USEC_INFINITY: there is no limit. */
int stop_limit_read(int fd, uint64_t *ret_usec);
