#include "runtime/held.h"

#include "log/log.h"
#include "runtime/park.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

/* With all places taken, and no room in the socket to the porter. Its start takes a tenth of it. */
#define PARK_WAIT_MSEC 200
/* A lingering peer must be gone within this time. */
#define LINGER_LIMIT_USEC (5 * USEC_PER_SEC)
/* So long the first request may take to arrive on a connection that a leaving worker has. */
#define FRESH_LIMIT_USEC (5 * USEC_PER_SEC)

void held_release(Held *h, Source *source)
{
    /* Closing the only descriptor of an open file takes it out of the epoll as well. */
    source->connection = connection_free(source->connection);
    h->n--;
}

int held_park(Held *h, Source *source)
{
    int r = h->park_fd < 0 ? -EBADF : park(h->park_fd, source->connection);

    if (r < 0)
        return r;
    /* The porter has the same open file: closing our descriptor would not take it out. */
    epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    held_release(h, source);
    return 0;
}

static bool is_older(const Source *a, const Source *b)
{
    return !b ||
           connection_last_active_usec(a->connection) < connection_last_active_usec(b->connection);
}

/* Gives one away, which a porter that has fallen behind or is just being started takes a little
 * later. */
static int park_in_time(Held *h, Source *source)
{
    struct pollfd p = {.fd = h->park_fd, .events = POLLOUT};
    int r = held_park(h, source);

    if (r != -EAGAIN)
        return r;
    poll(&p, 1, PARK_WAIT_MSEC);
    return held_park(h, source);
}

static Source *free_place(Held *h)
{
    Source *oldest = NULL, *silent = NULL;

    for (size_t i = 0; i < HELD_MAX; i++) {
        Source *source = &h->places[i];

        if (!source->connection)
            return source;
        if (is_older(source, oldest))
            oldest = source;
        if (!connection_has_served(source->connection) && is_older(source, silent))
            silent = source;
    }
    if (park_in_time(h, oldest) == 0)
        return oldest;
    /* Who has never said anything goes before who is kept. */
    oldest = silent ? silent : oldest;
    held_release(h, oldest);
    return oldest;
}

void held_add(Held *h, Connection *connection, uint64_t lingering_since_usec)
{
    Source *source = free_place(h);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

    *source = (Source){.kind = SOURCE_HELD,
                       .fd = connection_fd(connection),
                       .connection = connection,
                       .lingering_since_usec = lingering_since_usec};
    h->n++;
    if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0) {
        log_error("Cannot hold a connection, closing it: %s", strerror(errno));
        held_release(h, source);
    }
}

bool held_one_is_timed(const Source *source)
{
    return source->lingering_since_usec > 0 || !connection_is_idle(source->connection) ||
           !connection_has_served(source->connection);
}

bool held_is_timed(const Held *h)
{
    for (size_t i = 0; i < HELD_MAX; i++)
        if (h->places[i].connection && held_one_is_timed(&h->places[i]))
            return true;
    return false;
}

bool held_is_overdue(const Source *source, const HeldLimits *limits, uint64_t now_usec)
{
    const Connection *c = source->connection;

    if (source->lingering_since_usec > 0)
        return now_usec - source->lingering_since_usec >= LINGER_LIMIT_USEC;
    if (connection_is_idle(c)) {
        if (limits->first_byte_usec > 0 && !connection_has_served(c) &&
            now_usec - connection_last_active_usec(c) >= limits->first_byte_usec)
            return true;
        if (limits->closing_since_usec == 0)
            return false;
        /* One that has not carried a request yet is about to. */
        return connection_has_served(c) ||
               now_usec - limits->closing_since_usec >= FRESH_LIMIT_USEC;
    }
    return limits->read_timeout_usec > 0 &&
           now_usec - connection_last_active_usec(c) >= limits->read_timeout_usec;
}
