#include "address.h"

#include "base/fd.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/un.h>

static int parse_tcp(const char *text, Address *ret)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(text, ':');
    struct addrinfo *found = NULL;
    char host[128];
    size_t n;

    if (!colon)
        return -EINVAL;
    n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, n);
    host[n] = 0;
    if (getaddrinfo(n ? host : "127.0.0.1", colon + 1, &hints, &found) != 0)
        return -EINVAL;
    memcpy(&ret->address, found->ai_addr, found->ai_addrlen);
    ret->size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int address_parse(const char *text, Address *ret)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&ret->address;

    *ret = (Address){0};
    if (!strchr(text, '/'))
        return parse_tcp(text, ret);
    if (strlen(text) >= sizeof(un->sun_path))
        return -EINVAL;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, text, strlen(text));
    ret->size = sizeof(*un);
    return 0;
}

int address_connect(const Address *a, bool nonblock)
{
    _cleanup_fd_ int fd = socket(a->address.ss_family,
                                 SOCK_STREAM | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0), 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&a->address, a->size) < 0 && errno != EINPROGRESS)
        return -errno;
    return TAKE_FD(fd);
}
