#pragma once

/*
 * Where the tools connect to: a path is a unix socket, host:port is TCP with a numeric address
 * ([::1]:9000 for IPv6).
 */

#include "base/macro.h"

#include <sys/socket.h>

typedef struct Address {
    struct sockaddr_storage address;
    socklen_t size;
} Address;

/** 0 or -EINVAL. */
int address_parse(const char *text, Address *ret);

/** Starts a connection. Returns the fd (close-on-exec; non-blocking if asked for) or -errno; TCP
 * may still be in progress then. */
int address_connect(const Address *a, bool nonblock);
