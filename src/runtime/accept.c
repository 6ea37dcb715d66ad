#include "runtime/accept.h"

#include "link/peer.h"
#include "runtime/complain.h"

#include <errno.h>

int accept_client(const RuntimeSpec *spec, int listen_fd)
{
    char refused[INET6_ADDRSTRLEN];
    int fd = peer_accept(listen_fd, 0, spec->allowed_clients, spec->n_allowed_clients, refused);

    if (fd == -EACCES)
        complain_refused(refused);
    return fd;
}
