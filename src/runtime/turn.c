#include "runtime/serve_private.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "log/log.h"
#include "runtime/access.h"
#include "runtime/ask.h"
#include "runtime/complain.h"
#include "runtime/memory.h"
#include "runtime/park.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

/* A fresh connection is waited for this long before it is given away or held: the web server writes
 * at once. After SILENT_ROW that were silent only each SILENT_ROWth is, until one is not: thousands
 * of those that say nothing shall not keep the workers from the next request. */
#define SILENT_ROW      8
#define FRESH_WAIT_MSEC 2

/* Between two looks at the memory that the worker takes. */
#define MEMORY_LOOK_USEC (1 * USEC_PER_SEC)

/*
 * Whether the client has gone is looked at only when the worker comes from uninterrupted work, so
 * that the request may have waited in a queue: between the last request and this one at most a
 * sixteenth of the time that the work has taken so far, within these bounds. Each look has to be
 * earned by work, so that short requests do not pay for it; one that finds nobody has saved more
 * than it took.
 */
#define GAP_SHARE       16
#define GAP_MIN_USEC    200
#define GAP_MAX_USEC    (5 * USEC_PER_MSEC)
#define LOOK_PRICE_USEC 250
#define LOOK_CREDIT_MAX (100 * LOOK_PRICE_USEC)

static ConnectionShared *shared_by_forks;
static bool is_fork;

static void on_fork_child(void)
{
    is_fork = true;
    access_disown();
    connection_shared_disown(shared_by_forks);
}

int turn_init(ConnectionShared *shared)
{
    shared_by_forks = shared;
    return -pthread_atfork(NULL, NULL, on_fork_child);
}

/* The successor shall be there when this request ends. */
static void announce(Serve *s, LinkLeaving why)
{
    if (s->phase == SERVE_STAYING)
        ask_leaving(why);
}

/* The limit is looked at after each request; without one it is only shown. */
static void look_at_memory(Serve *s)
{
    bool limited = s->phase == SERVE_STAYING && s->spec->max_memory_bytes > 0;
    bool due = s->ended_usec - s->looked_usec >= MEMORY_LOOK_USEC;
    uint64_t bytes;

    if (!limited && !due)
        return;
    bytes = memory_resident_bytes();
    if (due) {
        s->looked_usec = s->ended_usec;
        board_begin(s->slot);
        s->slot->resident_bytes = bytes;
        board_commit(s->slot);
    }
    if (limited && bytes > s->spec->max_memory_bytes) {
        announce(s, LINK_LEAVING_MEMORY);
        leave(s);
    }
}

static void publish_dropped(Serve *s)
{
    uint64_t n = log_dropped() + access_dropped();

    if (n == s->slot->records_dropped)
        return;
    board_begin(s->slot);
    s->slot->records_dropped = n;
    board_commit(s->slot);
}

/* *now_usec is when the request begins, and then when it has ended: the clock is read once per
 * request. */
static ConnectionOutcome run_request(Serve *s, Connection *connection, uint64_t *now_usec)
{
    uint64_t begin_usec = *now_usec;
    Request *request = connection_request(connection, begin_usec);
    bool last = s->spec->max_requests > 0 && s->requests + 1 >= s->spec->max_requests;
    ConnectionOutcome outcome;
    uint32_t app_status;
    int status;

    if (last)
        announce(s, LINK_LEAVING_REQUESTS);
    access_begin();
    status = s->engine->run(request);
    if (is_fork)
        _exit(status < 0 ? EXIT_STATUS_FAILURE : status & 0xff);
    app_status = status < 0 ? 255 : (uint32_t)status;
    s->requests++;
    if (status < 0 && !last) /* it is said once */
        announce(s, LINK_LEAVING_LANGUAGE);
    if (last || status < 0 || ask_told_to_leave())
        leave(s);
    request_answer(request, app_status);
    *now_usec = s->ended_usec = clock_monotonic_usec();
    access_record(request, *now_usec);
    s->look_credit_usec =
        MIN(s->look_credit_usec + s->ended_usec - begin_usec, (uint64_t)LOOK_CREDIT_MAX);
    outcome = connection_end(connection, app_status, s->phase != SERVE_CLOSING, *now_usec);
    look_at_memory(s);
    publish_dropped(s);
    return outcome;
}

/* held: the event that woke us told already. */
static bool is_gone(Serve *s, const Connection *connection, const Source *held)
{
    if (held)
        return held->hung_up;
    if (s->look_credit_usec < LOOK_PRICE_USEC)
        return false;
    if (connection_is_gone(connection))
        return true;
    s->look_credit_usec -= LOOK_PRICE_USEC;
    return false;
}

/* For the first request of a turn. */
static bool is_abandoned(Serve *s, const Connection *connection, const Source *held,
                         uint64_t now_usec)
{
    uint64_t gap_usec =
        MAX((s->ended_usec - s->work_began_usec) / GAP_SHARE, (uint64_t)GAP_MIN_USEC);

    gap_usec = MIN(gap_usec, (uint64_t)GAP_MAX_USEC);
    if (now_usec - s->ended_usec > gap_usec) {
        s->work_began_usec = now_usec;
        return false;
    }
    if (!is_gone(s, connection, held))
        return false;
    s->ended_usec = now_usec; /* the work goes on */
    return true;
}

/* Goes as far as the bytes that are there allow. held: where the connection is held, or NULL. */
static ConnectionOutcome advance(Serve *s, Connection *connection, const Source *held,
                                 uint64_t now_usec)
{
    const char *error = connection_error(connection);
    ConnectionOutcome outcome = connection_receive(connection, now_usec);

    if (outcome == CONNECTION_REQUEST && is_abandoned(s, connection, held, now_usec)) {
        connection_abandon(connection);
        return CONNECTION_CLOSED;
    }
    while (outcome == CONNECTION_REQUEST)
        outcome = run_request(s, connection, &now_usec);
    if (!error && connection_error(connection))
        complain_broken(connection_error(connection));
    return outcome;
}

/* The request of a connection that is silent from its beginning must not wait behind those that
 * this worker runs meanwhile, nor end with it: the porter waits for it. */
static bool give_away(Serve *s, Connection *connection)
{
    if (s->phase != SERVE_STAYING || s->held.park_fd < 0 || connection_has_served(connection) ||
        park(s->held.park_fd, connection) < 0)
        return false;
    connection_free(connection);
    return true;
}

/* One that was served and is kept waits too. */
static bool is_silent(const Connection *connection, ConnectionOutcome outcome)
{
    return outcome == CONNECTION_WAIT && connection_is_idle(connection) &&
           !connection_has_served(connection);
}

void turn_fresh(Serve *s, int fd, unsigned flags)
{
    uint64_t now_usec = clock_monotonic_usec();
    Connection *connection = connection_new(s->shared, fd, now_usec);
    ConnectionOutcome outcome;

    if (!connection) {
        log_error("Not enough memory for a connection, closing it");
        return;
    }
    if (flags & LINK_CONNECTION_SERVED)
        connection_mark_served(connection);
    if (s->phase == SERVE_PARKING) {
        held_add(&s->held, connection, 0);
        return;
    }
    outcome = advance(s, connection, NULL, now_usec);
    if (outcome == CONNECTION_WAIT && connection_is_idle(connection)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        bool crowd = s->n_silent >= SILENT_ROW && s->n_silent % SILENT_ROW != 0;
        int wait_msec = crowd ? 0 : FRESH_WAIT_MSEC;

        if (s->phase == SERVE_STAYING && poll(&p, 1, wait_msec) > 0)
            outcome = advance(s, connection, NULL, clock_monotonic_usec());
    }
    if (!(flags & LINK_CONNECTION_HANDED))
        s->n_silent = is_silent(connection, outcome) ? s->n_silent + 1 : 0;
    /* What comes from the porter stays: it may be leaving. */
    if (outcome == CONNECTION_WAIT && !(flags & LINK_CONNECTION_HANDED) && give_away(s, connection))
        return;
    if (outcome == CONNECTION_WAIT || outcome == CONNECTION_LINGER) {
        s->timed |= outcome == CONNECTION_LINGER || !connection_is_idle(connection) ||
                    !connection_has_served(connection);
        held_add(&s->held, connection, outcome == CONNECTION_LINGER ? clock_monotonic_usec() : 0);
    } else
        connection_free(connection);
}

void turn_held(Serve *s, Source *source)
{
    ConnectionOutcome outcome;

    if (!source->connection) /* released by an earlier event of the same round */
        return;
    outcome = advance(s, source->connection, source, clock_monotonic_usec());
    source->hung_up = false;
    if (outcome == CONNECTION_CLOSED)
        held_release(&s->held, source);
    else if (outcome == CONNECTION_LINGER && source->lingering_since_usec == 0)
        source->lingering_since_usec = clock_monotonic_usec();
}
