#include "runtime/held.h"

#include "log/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

/* A head must be complete, and a lingering peer gone, within this time. */
#define HEAD_LIMIT_USEC   (60 * USEC_PER_SEC)
#define LINGER_LIMIT_USEC (5 * USEC_PER_SEC)
/* Both, for a worker that wants to leave. */
#define LEAVE_LIMIT_USEC (5 * USEC_PER_SEC)

void held_release(Held *h, Source *source)
{
    /* Closing the only descriptor of an open file takes it out of the epoll as well. */
    source->connection = connection_free(source->connection);
    h->n--;
}

static Source *free_place(Held *h)
{
    Source *oldest = NULL;

    for (size_t i = 0; i < HELD_MAX; i++) {
        Source *source = &h->places[i];

        if (!source->connection)
            return source;
        if (!oldest || connection_last_active_usec(source->connection) <
                           connection_last_active_usec(oldest->connection))
            oldest = source;
    }
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

bool held_is_timed(const Held *h)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        const Source *source = &h->places[i];

        if (source->connection &&
            (source->lingering_since_usec > 0 || !connection_is_idle(source->connection)))
            return true;
    }
    return false;
}

bool held_is_overdue(const Source *source, uint64_t leaving_since_usec, uint64_t now_usec)
{
    bool leaving = leaving_since_usec > 0;

    if (leaving && now_usec - leaving_since_usec >= LEAVE_LIMIT_USEC)
        return true;
    if (source->lingering_since_usec > 0)
        return now_usec - source->lingering_since_usec >= LINGER_LIMIT_USEC;
    /* A connection that has not carried a request yet is about to: only a kept one is closed
     * between requests. */
    if (connection_is_idle(source->connection))
        return leaving && connection_has_served(source->connection);
    return now_usec - connection_last_active_usec(source->connection) >= HEAD_LIMIT_USEC;
}
