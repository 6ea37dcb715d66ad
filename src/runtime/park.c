#include "runtime/park.h"

#include "link/message.h"

#include <errno.h>

int park(int park_fd, const Connection *connection)
{
    LinkMessage m = {.type = LINK_PARK};
    int fd = connection_fd(connection), r;

    if (!connection_is_idle(connection))
        return -EBUSY;
    if (connection_has_served(connection))
        m.flags = LINK_CONNECTION_SERVED;
    r = link_send(park_fd, &m, &fd, 1);
    /* Too many descriptors of this user wait in sockets: the porter takes them out. */
    if (r == -ETOOMANYREFS || r == -ENOBUFS || r == -ENOMEM)
        return -EAGAIN;
    return r;
}
