#pragma once

/*
 * Taking a connection from a listening socket, if its peer may connect (listen.allowed_clients).
 */

#include "link/spec.h"

/**
 * accept4(2), which also tells the peer: no call more than without a list. A TCP peer outside of
 * the spec's allowed_clients is closed at once and complained of; unix peers are always allowed.
 *
 * Returns the fd, -EACCES when the peer was refused, or -errno.
 */
int accept_client(const RuntimeSpec *spec, int listen_fd);
