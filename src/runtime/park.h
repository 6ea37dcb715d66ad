#pragma once

/*
 * Giving a connection that is at rest to the porter, which keeps it until bytes come and passes it
 * on to any worker. The manager starts the porter when the first one is sent.
 */

#include "runtime/connection.h"

/**
 * Sends the socket; the caller frees the connection then, which closes only its own descriptor.
 *
 * 0; -EBUSY: it is not at rest; -EAGAIN: later; another -errno: there is no porter any more, nor
 * will there be one.
 */
int park(int park_fd, const Connection *connection);
