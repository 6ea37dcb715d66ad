#include "base/fd.h"
#include "fcgi/wire.h"
#include "link/peer.h"
#include "log/log.h"
#include "porter/lodge.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/*
 * A connection that is refused is answered, told that nothing more comes (shutdown(2) of our
 * half), and held without being read until its peer closes. Closing a socket that has unread bytes
 * resets the connection, and a web server that is still sending a body then reports an error of its
 * own instead of the answer. FCGI_OVERLOADED, which the protocol has for this, becomes a 502.
 */
#define LINGER_LIMIT_USEC (30 * USEC_PER_SEC)
#define LINGERING_MAX     4096

#define REQUEST_ID_FIRST  1 /* of a client that has not said its own yet */

static unsigned peek_request_id(int fd)
{
    uint8_t header[FCGI_HEADER_SIZE];
    ssize_t n = recv(fd, header, sizeof(header), MSG_PEEK | MSG_DONTWAIT);
    unsigned id;

    if (n != sizeof(header) || header[0] != FCGI_VERSION || header[1] != FCGI_BEGIN_REQUEST)
        return REQUEST_ID_FIRST;
    id = (unsigned)header[2] << 8 | header[3];
    return id ? id : REQUEST_ID_FIRST;
}

/* The whole answer; its size. */
static size_t build_answer(uint8_t *p, size_t size, unsigned request_id, unsigned retry_after)
{
    char again[32] = "", *text = (char *)p + FCGI_HEADER_SIZE;
    size_t n;

    if (retry_after > 0)
        snprintf(again, sizeof(again), "Retry-After: %u\r\n", retry_after);
    n = (size_t)snprintf(text, size - FCGI_HEADER_SIZE,
                         "Status: 503 Service Unavailable\r\n"
                         "Content-Type: text/plain\r\n"
                         "%s\r\n"
                         "The server is busy. Please try again later.\n",
                         again);
    fcgi_put_header(p, FCGI_STDOUT, request_id, n, 0);
    n += FCGI_HEADER_SIZE;
    fcgi_put_header(p + n, FCGI_STDOUT, request_id, 0, 0);
    n += FCGI_HEADER_SIZE;
    fcgi_put_end_request(p + n, request_id, 0, FCGI_REQUEST_COMPLETE);
    return n + FCGI_END_REQUEST_SIZE;
}

static bool answer(int fd, unsigned retry_after)
{
    uint8_t data[512];
    size_t n = build_answer(data, sizeof(data), peek_request_id(fd), retry_after);

    return send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n &&
           shutdown(fd, SHUT_WR) == 0;
}

static void shed_one(Lodge *l, int fd, unsigned retry_after, uint64_t now_usec)
{
    if (!answer(fd, retry_after)) {
        fd_close(fd);
        return;
    }
    l->n_shed++;
    if (rack_count(&l->rack, RACK_LINGERING) >= LINGERING_MAX)
        lodge_drop(l, rack_first(&l->rack, RACK_LINGERING));
    if (!park_make_room(l, now_usec) || rack_put(&l->rack, fd, RACK_LINGERING, 0, now_usec) < 0 ||
        lodge_watch(l, LODGE_CONNECTION, fd, EPOLLRDHUP) < 0)
        lodge_drop(l, fd);
}

/* From each listener in turn, since it is not known in which of them connections wait too long. */
void shed_take(Lodge *l, unsigned n, unsigned retry_after, uint64_t now_usec)
{
    const RuntimeSpec *spec = l->spec;
    size_t n_empty = 0;

    if (l->phase != LODGE_OPEN)
        return;
    for (size_t i = 0; n > 0 && n_empty < spec->n_listen_fds; i = (i + 1) % spec->n_listen_fds) {
        char refused[INET6_ADDRSTRLEN];
        int fd = peer_accept(spec->listen_fds[i], SOCK_NONBLOCK, spec->allowed_clients,
                             spec->n_allowed_clients, refused);

        /* Without descriptors (EMFILE) they go on waiting for a worker. */
        if (fd < 0 && fd != -EACCES && fd != -ECONNABORTED) {
            n_empty++;
            continue;
        }
        n_empty = 0;
        n--;
        l->n_accepted++;
        if (fd >= 0)
            shed_one(l, fd, retry_after, now_usec);
        else if (fd == -EACCES && lodge_may_complain(l, now_usec))
            log_text(LOG_WARNING, LOG_MESSAGE_CLIENT_REFUSED,
                     "Connection disallowed: IP address '%s' has been dropped.", refused);
    }
}

void shed_on_event(Lodge *l, int fd, uint32_t events)
{
    /* All that the peer will ever send is here, so this cannot run after a body. TCP throws it away
     * unread, and a peer that closed only its half gets the answer without a reset. */
    recv(fd, NULL, INT_MAX, MSG_TRUNC | MSG_DONTWAIT);
    lodge_drop(l, fd);
}

uint64_t shed_next_usec(const Lodge *l)
{
    int fd = rack_first(&l->rack, RACK_LINGERING);

    return fd < 0 ? USEC_INFINITY : rack_place(&l->rack, fd)->since_usec + LINGER_LIMIT_USEC;
}

void shed_look(Lodge *l, uint64_t now_usec)
{
    while (shed_next_usec(l) <= now_usec)
        lodge_drop(l, rack_first(&l->rack, RACK_LINGERING));
}
