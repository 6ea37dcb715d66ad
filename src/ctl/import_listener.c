#include "base/fd.h"
#include "ctl/import.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TIMEOUT_MSEC 500 /* for hosts that are not here */

/* Connects without waiting for longer than that; whether somebody listens. */
static bool can_connect(int fd, const void *address, socklen_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof(int);
    int error = 0;

    if (connect(fd, address, n) == 0 || errno == EAGAIN) /* EAGAIN: the queue is full */
        return true;
    if (errno != EINPROGRESS || poll(&p, 1, TIMEOUT_MSEC) != 1)
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static void read_name(pid_t pid, char *ret, size_t size)
{
    _cleanup_free_ char *text = NULL;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    ret[0] = 0;
    if (fd_read_file(path, 65536, &text, NULL) == 0)
        snprintf(ret, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* The unit of a process: the last part of its cgroup that looks like one. */
static void find_unit(pid_t pid, char *ret, size_t size)
{
    _cleanup_free_ char *text = NULL;
    char path[64], *state = NULL;

    ret[0] = 0;
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    if (fd_read_file(path, 65536, &text, NULL) < 0)
        return;
    for (char *part = strtok_r(text, "/\n", &state); part; part = strtok_r(NULL, "/\n", &state)) {
        size_t n = strlen(part);

        if ((n > 8 && strcmp(part + n - 8, ".service") == 0) ||
            (n > 6 && strcmp(part + n - 6, ".scope") == 0))
            snprintf(ret, size, "%s", part);
    }
}

static Listener find_unix(const char *path)
{
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t size = sizeof(peer);
    Listener l = {0};

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        return l;
    strcpy(address.sun_path, path);
    l.is_there = can_connect(fd, &address, sizeof(address));
    /* Of a listener: who has called listen(2). */
    if (!l.is_there || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
        return l;
    l.pid = peer.pid;
    read_name(l.pid, l.program, sizeof(l.program));
    if (l.pid != 1)
        find_unit(l.pid, l.unit, sizeof(l.unit));
    return l;
}

static bool tcp_listens(int family, const char *host, uint16_t port)
{
    _cleanup_fd_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (fd < 0 || inet_pton(family, host,
                            family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr) != 1)
        return false;
    return family == AF_INET ? can_connect(fd, &in, sizeof(in))
                             : can_connect(fd, &in6, sizeof(in6));
}

static bool is_any(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ||
           strcmp(host, "localhost") == 0;
}

Listener import_find_listener(const ListenAddress *a)
{
    Listener l = {0};

    if (a->kind == LISTEN_UNIX)
        return find_unix(a->path);
    if (a->host && !is_any(a->host))
        l.is_there =
            tcp_listens(AF_INET, a->host, a->port) || tcp_listens(AF_INET6, a->host, a->port);
    else
        l.is_there =
            tcp_listens(AF_INET, "127.0.0.1", a->port) || tcp_listens(AF_INET6, "::1", a->port);
    return l;
}
