#include "link/peer.h"

#include "base/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

typedef union PeerAddress {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} PeerAddress;

/* IPv4 as v4-mapped IPv6, as the list has it. False: no address of the internet. */
static bool peer_bytes(const PeerAddress *peer, uint8_t ret[static 16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    switch (peer->any.sa_family) {
    case AF_INET:
        memcpy(ret, mapped, sizeof(mapped));
        memcpy(ret + sizeof(mapped), &peer->v4.sin_addr, sizeof(peer->v4.sin_addr));
        return true;
    case AF_INET6:
        memcpy(ret, &peer->v6.sin6_addr, sizeof(peer->v6.sin6_addr));
        return true;
    default:
        return false;
    }
}

/* As people write it: a v4-mapped address is one of IPv4. */
static void print_bytes(const uint8_t bytes[static 16], char text[static INET6_ADDRSTRLEN])
{
    struct in6_addr v6;

    memcpy(&v6, bytes, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6))
        inet_ntop(AF_INET, bytes + 12, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, bytes, text, INET6_ADDRSTRLEN);
}

int peer_accept(int listen_fd, int flags, const ClientRange *allowed, size_t n,
                char ret_refused[static INET6_ADDRSTRLEN])
{
    PeerAddress peer = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof(peer);
    uint8_t bytes[16];
    int fd;

    if (n == 0) {
        fd = accept4(listen_fd, NULL, NULL, flags | SOCK_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    fd = accept4(listen_fd, &peer.any, &size, flags | SOCK_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (!peer_bytes(&peer, bytes))
        return fd;
    for (size_t i = 0; i < n; i++)
        if (client_in_range(&allowed[i], bytes))
            return fd;
    fd_close(fd);
    print_bytes(bytes, ret_refused);
    return -EACCES;
}
