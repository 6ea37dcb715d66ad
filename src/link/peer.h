#pragma once

/*
 * Taking a connection from a listening socket, if its peer may connect (listen.allowed_clients).
 */

#include "conf/config.h"

#include <netinet/in.h>

/**
 * accept4(2), which also tells the peer: no call more than without a list (n = 0). flags: of
 * accept4(2), besides SOCK_CLOEXEC. A TCP peer outside of all ranges is closed at once; unix peers
 * are always allowed.
 *
 * Returns the fd; -EACCES when the peer was refused, whose address is then in ret_refused; or
 * -errno.
 */
int peer_accept(int listen_fd, int flags, const ClientRange *allowed, size_t n,
                char ret_refused[static INET6_ADDRSTRLEN]);
