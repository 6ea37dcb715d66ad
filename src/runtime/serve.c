#include "runtime/serve.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "link/message.h"
#include "log/log.h"
#include "runtime/accept.h"
#include "runtime/ask.h"
#include "runtime/complain.h"
#include "runtime/connection.h"
#include "runtime/held.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A fresh connection is waited for this long before it is held: the web server writes at once. */
#define FRESH_WAIT_MSEC 2
/* After so many other connections a held one that has bytes has its turn. */
#define HELD_TURN         4
#define LEAVING_WAIT_MSEC 100
#define SWEEP_MSEC        1000

typedef struct Serve {
    const RuntimeSpec *spec;
    const Engine *engine;
    BoardSlot *slot;
    bool for_status; /* on the listeners of pm.status_listen only */
    ConnectionShared *shared;
    int epoll_fd;
    Source *fixed;
    size_t n_fixed;
    Held held;
    bool timed; /* the time of a held connection is limited */
    uint64_t swept_usec;
    unsigned passed_over; /* times that a held connection with bytes waited for others */
    uint64_t requests;
    uint64_t leaving_since_usec;
    bool leaving;
} Serve;

/* Written by the handler: a flag would be seen only after the next event. Blocking the signals
 * instead is no way, programs that scripts start would inherit it. */
static int leave_fd = -1;

/* A script may fork, by FFI for example; its child shares our sockets and our slot. */
static ConnectionShared *shared_by_forks;
static bool is_fork;

static void on_fork_child(void)
{
    is_fork = true;
    connection_shared_disown(shared_by_forks);
}

static void on_signal(int number)
{
    int error = errno;

    eventfd_write(leave_fd, 1);
    errno = error;
}

/* ---- requests ---- */

static void leave(Serve *s)
{
    if (s->leaving)
        return;
    s->leaving = true;
    s->leaving_since_usec = clock_monotonic_usec();
    for (size_t i = 0; i < s->n_fixed; i++)
        if (s->fixed[i].kind != SOURCE_LIFE_LINE && s->fixed[i].kind != SOURCE_SIGNAL)
            epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->fixed[i].fd, NULL);
}

/* *now_usec is when the request begins, and then when it has ended: the clock is read once per
 * request. */
static ConnectionOutcome run_request(Serve *s, Connection *connection, uint64_t *now_usec)
{
    Request *request = connection_request(connection, *now_usec);
    int status = s->engine->run(request);

    if (is_fork)
        _exit(status < 0 ? EXIT_STATUS_FAILURE : status & 0xff);
    s->requests++;
    if (status < 0 || (s->spec->max_requests > 0 && s->requests >= s->spec->max_requests))
        leave(s);
    *now_usec = clock_monotonic_usec();
    return connection_end(connection, status < 0 ? 255 : (uint32_t)status, !s->leaving, *now_usec);
}

/* Goes as far as the bytes that are there allow. */
static ConnectionOutcome advance(Serve *s, Connection *connection, uint64_t now_usec)
{
    ConnectionOutcome outcome = connection_receive(connection, now_usec);

    while (outcome == CONNECTION_REQUEST)
        outcome = run_request(s, connection, &now_usec);
    if (outcome == CONNECTION_CLOSED && connection_error(connection))
        complain_broken(connection_error(connection));
    return outcome;
}

static void serve_fresh(Serve *s, int fd)
{
    uint64_t now_usec = clock_monotonic_usec();
    Connection *connection = connection_new(s->shared, fd, now_usec);
    ConnectionOutcome outcome;

    if (!connection) {
        log_error("Not enough memory for a connection, closing it");
        return;
    }
    if (s->for_status)
        connection_mark_status(connection);
    outcome = advance(s, connection, now_usec);
    if (outcome == CONNECTION_WAIT && connection_is_idle(connection)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (!s->leaving && poll(&p, 1, FRESH_WAIT_MSEC) > 0)
            outcome = advance(s, connection, clock_monotonic_usec());
    }
    if (outcome == CONNECTION_WAIT || outcome == CONNECTION_LINGER) {
        s->timed |= outcome == CONNECTION_LINGER || !connection_is_idle(connection);
        held_add(&s->held, connection, outcome == CONNECTION_LINGER ? clock_monotonic_usec() : 0);
    } else
        connection_free(connection);
}

static void on_held(Serve *s, Source *source)
{
    ConnectionOutcome outcome;

    if (!source->connection) /* released by an earlier event of the same round */
        return;
    outcome = advance(s, source->connection, clock_monotonic_usec());
    if (outcome == CONNECTION_CLOSED)
        held_release(&s->held, source);
    else if (outcome == CONNECTION_LINGER && source->lingering_since_usec == 0)
        source->lingering_since_usec = clock_monotonic_usec();
}

static void on_listener(Serve *s, int listen_fd)
{
    int fd = accept_client(s->spec, listen_fd);

    if (fd >= 0) {
        serve_fresh(s, fd);
        return;
    }
    /* EAGAIN: another worker was faster. The rest of accept(2)'s list concerns one connection,
     * which is gone. */
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
        log_error("Cannot accept a connection: %s", strerror(-fd));
        poll(NULL, 0, 100);
    }
}

static void on_handover(Serve *s, int fd)
{
    LinkMessage m;
    int fds[1];
    size_t n_fds = 0;

    /* Several workers share this socket: another one may have taken the message. */
    if (link_receive(fd, MSG_DONTWAIT, &m, fds, 1, &n_fds, NULL) <= 0)
        return;
    for (size_t i = 0; i < n_fds; i++)
        serve_fresh(s, fds[i]);
    if (m.type == LINK_POKE)
        for (size_t i = 0; i < s->n_fixed && !s->leaving; i++)
            if (s->fixed[i].kind == SOURCE_LISTENER)
                on_listener(s, s->fixed[i].fd);
}

static void sweep_held(Serve *s, uint64_t now_usec)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        Source *source = &s->held.places[i];

        /* Bytes that have arrived count as a request: they are looked at before the connection is
         * given up. */
        if (source->connection && s->leaving)
            on_held(s, source);
        if (source->connection && held_is_overdue(source, s->leaving_since_usec, now_usec))
            held_release(&s->held, source);
    }
}

static void on_end(Serve *s, const Source *source)
{
    leave(s);
    epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

static void dispatch(Serve *s, Source *source)
{
    switch (source->kind) {
    case SOURCE_LISTENER:
        if (!s->leaving)
            on_listener(s, source->fd);
        break;
    case SOURCE_HANDOVER:
        if (!s->leaving)
            on_handover(s, source->fd);
        break;
    case SOURCE_LIFE_LINE:
        /* Not at its end: an answer that came after we had given it up. */
        if (ask_discard() < 0)
            on_end(s, source);
        break;
    case SOURCE_SIGNAL:
        on_end(s, source);
        break;
    case SOURCE_HELD:
        on_held(s, source);
        break;
    }
}

static int add_fixed(Serve *s, SourceKind kind, int fd, uint32_t events)
{
    Source *source = &s->fixed[s->n_fixed++];
    struct epoll_event event = {.events = events, .data.ptr = source};

    *source = (Source){.kind = kind, .fd = fd};
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int serve_set_up(Serve *s, int life_line)
{
    struct sigaction action = {.sa_handler = on_signal};
    LinkMessage ready = {.type = LINK_READY};
    const int *listeners = s->for_status ? s->spec->status_fds : s->spec->listen_fds;
    size_t n_listeners = s->for_status ? s->spec->n_status_fds : s->spec->n_listen_fds;
    int r;

    leave_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (leave_fd < 0)
        return -errno;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);

    s->fixed = calloc(n_listeners + 3, sizeof(Source));
    s->shared = connection_shared_new(s->slot, HELD_MAX, 1);
    if (!s->fixed || !s->shared)
        return -ENOMEM;
    shared_by_forks = s->shared;
    r = -pthread_atfork(NULL, NULL, on_fork_child);
    if (r < 0)
        return r;
    s->epoll_fd = s->held.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0)
        return -errno;
    r = add_fixed(s, SOURCE_LIFE_LINE, life_line, EPOLLIN);
    if (r == 0)
        r = add_fixed(s, SOURCE_SIGNAL, leave_fd, EPOLLIN);
    /* Who waits there wants a worker of the pool's listeners. */
    if (r == 0 && !s->for_status)
        r = add_fixed(s, SOURCE_HANDOVER, s->spec->handover_fd, EPOLLIN | EPOLLEXCLUSIVE);
    for (size_t i = 0; r == 0 && i < n_listeners; i++)
        r = add_fixed(s, SOURCE_LISTENER, listeners[i], EPOLLIN | EPOLLEXCLUSIVE);
    if (r < 0)
        return r;

    board_begin(s->slot);
    s->slot->state = WORKER_STATE_IDLE;
    s->slot->last_active_usec = clock_monotonic_usec();
    board_commit(s->slot);
    ready.flags = (uint32_t)s->slot->moot;
    return link_send(life_line, &ready, NULL, 0);
}

static int rank(const Source *source)
{
    static const int ranks[] = {
        [SOURCE_LIFE_LINE] = 0, [SOURCE_SIGNAL] = 0, [SOURCE_HANDOVER] = 1,
        [SOURCE_LISTENER] = 1,  [SOURCE_HELD] = 2,
    };

    return ranks[source->kind];
}

/*
 * Which of the events is dealt with; the others come again with the next epoll_wait().
 *
 * The life line goes first: nobody is served by a generation that was told to leave. Then the
 * listeners: the kernel woke nobody else for that connection, and it must not wait behind a long
 * request of a held connection while other workers are idle. But every few times a held one has its
 * turn, since a queue that is never empty must not starve it.
 */
static Source *choose(Serve *s, const struct epoll_event *events, int n)
{
    Source *best = NULL, *held = NULL;

    for (int i = 0; i < n; i++) {
        Source *source = events[i].data.ptr;

        if (source->kind == SOURCE_HELD) {
            if (!source->connection)
                continue;
            if (!held || connection_last_active_usec(source->connection) <
                             connection_last_active_usec(held->connection))
                held = source;
        } else if (!best || rank(source) < rank(best))
            best = source;
    }
    if (!best || (held && rank(best) > 0 && ++s->passed_over >= HELD_TURN)) {
        s->passed_over = 0;
        return held;
    }
    return best;
}

/* Looks at the held connections when one of them has become limited in time, then every second
 * while one is. */
static void watch_held(Serve *s, const Source *last)
{
    uint64_t now_usec;

    if (s->held.n == 0)
        s->timed = false;
    else if (last && last->kind == SOURCE_HELD && last->connection &&
             (last->lingering_since_usec > 0 || !connection_is_idle(last->connection)))
        s->timed = true;
    if (!s->timed && !s->leaving)
        return;
    now_usec = clock_monotonic_usec();
    if (s->leaving || now_usec - s->swept_usec >= USEC_PER_SEC) {
        sweep_held(s, now_usec);
        s->swept_usec = now_usec;
        s->timed = held_is_timed(&s->held);
    }
}

static void serve_loop(Serve *s)
{
    while (!s->leaving || s->held.n > 0) {
        struct epoll_event events[32];
        int limit_msec = s->leaving ? LEAVING_WAIT_MSEC : s->timed ? SWEEP_MSEC : -1;
        int n = epoll_wait(s->epoll_fd, events, ARRAY_SIZE(events), limit_msec);
        Source *source = choose(s, events, n);

        if (source)
            dispatch(s, source);
        watch_held(s, source);
    }
}

int serve(const RuntimeSpec *spec, const Engine *engine, BoardSlot *slot, int life_line,
          bool for_status)
{
    static Serve s = {.epoll_fd = -1};
    int r;

    s.spec = spec;
    s.engine = engine;
    s.slot = slot;
    s.for_status = for_status;
    ask_init(life_line);
    r = serve_set_up(&s, life_line);
    if (r < 0)
        return r;
    serve_loop(&s);

    board_begin(slot);
    slot->state = WORKER_STATE_DRAINING;
    board_commit(slot);
    connection_shared_free(s.shared);
    fd_close(s.epoll_fd);
    free(s.fixed);
    return 0;
}
