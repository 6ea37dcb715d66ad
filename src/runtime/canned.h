#pragma once

/*
 * Complete answers that are built beforehand, for the one request that runs: for a process that is
 * dying or that cannot go through the buffers any more. They can be sent from a signal handler, at
 * any instruction.
 *
 * Only a request of which no byte has gone out can be answered so: behind the first byte a web
 * server takes whatever follows for a part of the page. Who writes therefore takes the right to
 * speak (canned_speak()) before the first byte goes, and keeps it whatever becomes of the write.
 */

#include "base/macro.h"

/** Builds the answers, and remembers which process may send them. Called once in a worker. */
void canned_init(void);

/** A request begins: nothing of its answer has been sent. */
void canned_begin(int fd, unsigned request_id);

/** It has its answer, or wants none. */
void canned_end(void);

/** Before bytes of a connection go out. False: the running request has got a canned answer, and
 * nothing may follow it. True also while none runs. */
bool canned_speak(void);

/** Whether a request runs, and nothing of its answer has been sent. */
bool canned_is_possible(void);

/**
 * Answers the running request, whole, in one send without waiting; what the peer has sent and
 * nobody has read is thrown away, so that the end of the process does not take the answer back.
 * Async-signal-safe; keeps errno.
 *
 * 0; -EALREADY: bytes of its answer have gone out, it has ended, or none runs in this process;
 * -EINVAL: no such answer; -errno of the send.
 */
int canned_send(unsigned http_status);

/** The same for a request whose head is not complete: without conditions, the connection has to be
 * ended afterwards. */
int canned_send_to(int fd, unsigned request_id, unsigned http_status);
