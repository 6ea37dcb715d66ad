#include "base/fd.h"
#include "log/log.h"
#include "porter/lodge.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* A connected stream socket, as far as that can be told; what is not connected hangs up at once. */
static bool is_connection(int fd)
{
    int type = 0, listens = 1;
    socklen_t size = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
        return false;
    size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && !listens;
}

/* A worker that wants to harm could have our close(2) wait for the peer. */
static bool take_linger_off(int fd)
{
    const struct linger off = {0};

    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off)) == 0;
}

static void move_to_ready(Lodge *l, int fd, uint64_t now_usec)
{
    /* Explicitly: the socket lives on in a worker, and our epoll would go on watching it. */
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    rack_put(&l->rack, fd, RACK_READY, rack_place(&l->rack, fd)->flags, now_usec);
}

/* > 0: it has bytes; 0: its peer has closed, or it is broken; -EAGAIN: neither. */
static int look(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return -EAGAIN;
    return n > 0;
}

unsigned park_count(const Lodge *l)
{
    return rack_count(&l->rack, RACK_FRESH) + rack_count(&l->rack, RACK_IDLE);
}

/* Those that never said anything go before those that a web server keeps for its next request. */
static int longest_silent(const Lodge *l)
{
    int fd = rack_first(&l->rack, RACK_FRESH);

    return fd >= 0 ? fd : rack_first(&l->rack, RACK_IDLE);
}

uint64_t park_next_usec(const Lodge *l)
{
    int fd = l->spec->first_byte_timeout_usec > 0 ? rack_first(&l->rack, RACK_FRESH) : -1;

    return fd < 0 ? USEC_INFINITY
                  : rack_place(&l->rack, fd)->since_usec + l->spec->first_byte_timeout_usec;
}

void park_look(Lodge *l, uint64_t now_usec)
{
    while (park_next_usec(l) <= now_usec) {
        int fd = rack_first(&l->rack, RACK_FRESH);

        if (look(fd) > 0)
            move_to_ready(l, fd, now_usec);
        else
            lodge_drop(l, fd);
    }
    outlet_serve(l, now_usec);
}

/* Whoever has been silent for longest goes. One that has bytes after all is passed on. */
bool park_make_room(Lodge *l, uint64_t now_usec)
{
    unsigned n = 0;
    int fd;

    /* Visitors of the status have room of their own. */
    for (RackList list = RACK_NONE + 1; list <= RACK_LINGERING; list++)
        n += rack_count(&l->rack, list);
    if (n < l->capacity)
        return true;
    while ((fd = longest_silent(l)) >= 0 && look(fd) > 0) {
        move_to_ready(l, fd, now_usec);
        outlet_serve(l, now_usec);
        if (rack_place(&l->rack, fd)->list == RACK_NONE)
            return true;
    }
    if (fd < 0)
        fd = rack_first(&l->rack, RACK_LINGERING);
    if (fd < 0)
        return false;
    lodge_drop(l, fd);
    if (lodge_may_complain(l, now_usec))
        log_warning("%u connections are held, as many as the porter can: the one that has been "
                    "idle for longest is closed",
                    n);
    return true;
}

static void park_hold(Lodge *l, int fd, unsigned flags, uint64_t now_usec)
{
    int r;

    if (!is_connection(fd) || !take_linger_off(fd)) {
        if (lodge_may_complain(l, now_usec))
            log_warning("A worker has parked what is no connection; it is closed");
        link_close_received(fd);
        return;
    }
    if (!park_make_room(l, now_usec)) {
        if (lodge_may_complain(l, now_usec))
            log_warning("A connection is closed: all %u that are held wait for a worker",
                        l->capacity);
        fd_close(fd);
        return;
    }
    r = rack_put(&l->rack, fd, flags & LINK_CONNECTION_SERVED ? RACK_IDLE : RACK_FRESH, flags,
                 now_usec);
    if (r == 0)
        r = lodge_watch(l, LODGE_CONNECTION, fd, EPOLLIN | EPOLLRDHUP);
    if (r < 0) {
        if (lodge_may_complain(l, now_usec))
            log_error("A connection cannot be held and is closed: %s", strerror(-r));
        rack_drop(&l->rack, fd);
        fd_close(fd);
    }
}

void park_take(Lodge *l, unsigned max, uint64_t now_usec)
{
    for (unsigned i = 0; i < max; i++) {
        LinkMessage m;
        size_t n = 0;
        int fd = -1;
        int r = link_receive(l->park_fd, MSG_DONTWAIT, &m, &fd, 1, &n, NULL);

        if (r == -EAGAIN)
            return;
        if (r == 1 && m.type == LINK_PARK && n == 1) {
            park_hold(l, fd, m.flags & LINK_CONNECTION_SERVED, now_usec);
            continue;
        }
        if (r == 0 || (r < 0 && r != -EBADMSG)) {
            /* Nobody can park any more. */
            lodge_unwatch_and_close(l, l->park_fd);
            l->park_fd = -1;
            return;
        }
        if (r == 1 && n == 1)
            link_close_received(fd);
        if (lodge_may_complain(l, now_usec))
            log_warning("A worker has sent a senseless message to the porter, ignoring");
    }
}

void park_on_event(Lodge *l, int fd, uint32_t events, uint64_t now_usec)
{
    /* After a peer has closed its half, or all of it, there may be bytes that want an answer. */
    int r = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? look(fd) : 1;

    if (r > 0)
        move_to_ready(l, fd, now_usec);
    else if (r == 0)
        lodge_drop(l, fd);
}

void park_clear(Lodge *l, uint64_t now_usec)
{
    int fd;

    while ((fd = longest_silent(l)) >= 0) {
        int bytes = look(fd);

        /* One that has never carried a request is about to: a worker waits for that, and only kept
         * ones are closed between requests. */
        if (bytes > 0 || (bytes < 0 && !(rack_place(&l->rack, fd)->flags & LINK_CONNECTION_SERVED)))
            move_to_ready(l, fd, now_usec);
        else
            lodge_drop(l, fd);
    }
}
