#include "runtime/serve_private.h"

#include "base/clock.h"
#include "runtime/ask.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The porter takes what is parked within this time, or is not waited for. */
#define PARK_LIMIT_USEC (5 * USEC_PER_SEC)
#define PARK_WAIT_MSEC  2
/* An incomplete head that is silent for so long keeps a worker from leaving no longer, when the
 * pool has no request_read_timeout. */
#define HEAD_LIMIT_USEC   (5 * USEC_PER_SEC)
#define LEAVING_WAIT_MSEC 100

/* After a crash of the manager its porter passes on what it has; it needs milliseconds. */
#define ORPHAN_LIMIT_USEC (1 * USEC_PER_SEC)
#define END_WAIT_MSEC     5

static bool manager_is_gone(const Serve *s)
{
    return getppid() != s->manager_pid;
}

static void unwatch(Serve *s, SourceKind kind)
{
    for (size_t i = 0; i < s->n_fixed; i++)
        if (s->fixed[i].kind == kind)
            epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->fixed[i].fd, NULL);
}

static void watch_handover(Serve *s)
{
    for (size_t i = 0; i < s->n_fixed; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &s->fixed[i]};

        if (s->fixed[i].kind == SOURCE_HANDOVER)
            epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->fixed[i].fd, &event);
    }
}

static void begin(Serve *s, ServePhase phase)
{
    s->phase = phase;
    if (s->leaving_since_usec > 0)
        return;
    s->leaving_since_usec = clock_monotonic_usec();
    unwatch(s, SOURCE_LISTENER);
    unwatch(s, SOURCE_HANDOVER);
}

void leave(Serve *s)
{
    if (s->phase != SERVE_STAYING)
        return;
    begin(s, s->held.park_fd >= 0 ? SERVE_PARKING : SERVE_CLOSING);
    s->owes_look = true;
}

void leave_settle(Serve *s)
{
    if (!s->owes_look)
        return;
    s->owes_look = false;
    serve_handover(s);
}

void leave_at_end(Serve *s)
{
    if (s->pool_ends)
        return;
    begin(s, SERVE_CLOSING);
    s->pool_ends = true;
    s->end_seen_usec = clock_monotonic_usec();
    watch_handover(s);
}

/* Gives what is at rest to the porter. */
static void park_all(Serve *s, uint64_t now_usec)
{
    s->park_full = false;
    for (size_t i = 0; i < HELD_MAX; i++) {
        Source *source = &s->held.places[i];
        int r = source->connection ? held_park(&s->held, source) : 0;

        if (r == 0 || r == -EBUSY)
            continue;
        s->park_full = true;
        if (r != -EAGAIN || manager_is_gone(s) ||
            now_usec - s->leaving_since_usec >= PARK_LIMIT_USEC)
            s->phase = SERVE_CLOSING;
        return;
    }
}

HeldLimits leave_limits(const Serve *s)
{
    HeldLimits limits = {.read_timeout_usec = s->spec->read_timeout_usec,
                         .first_byte_usec = s->spec->first_byte_timeout_usec};

    if (s->phase != SERVE_STAYING && limits.read_timeout_usec == 0)
        limits.read_timeout_usec = HEAD_LIMIT_USEC;
    if (s->phase == SERVE_CLOSING)
        limits.closing_since_usec = s->leaving_since_usec;
    return limits;
}

void leave_sweep(Serve *s, uint64_t now_usec)
{
    if (s->phase == SERVE_PARKING)
        park_all(s, now_usec);
    if (s->phase != SERVE_CLOSING)
        return;
    /* Bytes that have arrived count as a request: they are looked at before the connection is given
     * up. */
    for (size_t i = 0; i < HELD_MAX; i++)
        turn_held(s, &s->held.places[i]);
}

int leave_wait_msec(const Serve *s)
{
    if (s->phase == SERVE_PARKING && s->park_full)
        return PARK_WAIT_MSEC;
    return s->held.n > 0 ? LEAVING_WAIT_MSEC : END_WAIT_MSEC;
}

/* Whether nobody will get anything from the hand-over socket any more. At a stop the manager has
 * waited for the porter before it said so and closed our life line. After a crash the porter, if
 * there is one, still passes on what it has, and leaves then. That our parent is gone is no sign: a
 * dying process loses its descriptors first, and its children later, on a busy machine much. */
static bool handover_is_over(const Serve *s)
{
    struct pollfd p = {.fd = s->spec->handover_fd, .events = POLLIN};
    uint64_t waited_usec = clock_monotonic_usec() - s->end_seen_usec;

    if (s->handover_ended)
        return true;
    if (poll(&p, 1, 0) > 0)
        return false; /* it has its turn in the loop */
    return ask_told_of_end() || waited_usec >= ORPHAN_LIMIT_USEC;
}

bool leave_is_over(Serve *s)
{
    if (s->phase == SERVE_STAYING || s->held.n > 0)
        return false;
    return !s->pool_ends || handover_is_over(s);
}
