#include "runtime/serve.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/trim.h"
#include "link/message.h"
#include "log/log.h"
#include "runtime/access.h"
#include "runtime/ask.h"
#include "runtime/memory.h"
#include "runtime/serve_private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* After so many other connections a held one that has bytes has its turn. */
#define HELD_TURN  4
#define SWEEP_MSEC 1000

/* Between two events of a socket that cannot be unwatched any more, since its descriptor is gone:
 * of a worker that leaves for that. */
#define DEAF_MSEC 10

/* A worker that had nothing to do for so long gives free memory back: php-fpm's keep what their
 * largest request needed. The next request takes it from the kernel again, some microseconds for
 * each 100 KB. */
#define REST_USEC (5 * USEC_PER_SEC)

/* Written by the handler: a flag would be seen only after the next event. Blocking the signals
 * instead is no way, programs that scripts start would inherit it. */
static int leave_fd = -1;

static void on_signal(int number)
{
    int error = errno;

    eventfd_write(leave_fd, 1);
    errno = error;
}

bool serve_handover(Serve *s)
{
    LinkMessage m;
    int fds[1];
    size_t n_fds = 0;
    int r = link_receive(s->spec->handover_fd, MSG_DONTWAIT, &m, fds, 1, &n_fds, NULL);

    if (r == 0) {
        /* Neither manager nor porter is there: the life line says so too. */
        s->handover_ended = true;
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->spec->handover_fd, NULL);
    }
    if (listener_is_lost(r))
        listener_lost(s, r);
    /* Several workers share this socket: another one may have taken the message. */
    if (r <= 0)
        return false;
    if (m.type == LINK_SERVE && n_fds == 1)
        turn_fresh(s, TAKE_FD(fds[0]), m.flags | LINK_CONNECTION_HANDED);
    if (n_fds == 1)
        fd_close(fds[0]);
    if (m.type == LINK_POKE)
        for (size_t i = 0; i < s->n_fixed && s->phase == SERVE_STAYING; i++)
            if (s->fixed[i].kind == SOURCE_LISTENER)
                listener_take(s, s->fixed[i].fd);
    return true;
}

static void on_life_line(Serve *s, const Source *source)
{
    int r = ask_read_orders();

    if (ask_told_to_leave())
        leave(s);
    else if (r < 0)
        leave_at_end(s);
    if (r < 0)
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

/* A timer of its own: a limit of epoll_wait() would be set and cleared for each request, which is
 * several microseconds of it where the processor goes to sleep in between. */
static void expect_rest(Serve *s, uint64_t usec)
{
    struct itimerspec in = {.it_value = {.tv_sec = (time_t)(usec / USEC_PER_SEC),
                                         .tv_nsec = (long)(usec % USEC_PER_SEC) * 1000}};

    s->rested = timerfd_settime(s->rest_fd, 0, &in, NULL) < 0;
}

static void rest(Serve *s)
{
    uint64_t n, idle_usec = clock_monotonic_usec() - s->slot->last_active_usec;

    if (read(s->rest_fd, &n, sizeof(n)) < 0 || s->rested || s->phase != SERVE_STAYING)
        return;
    if (idle_usec < REST_USEC) {
        expect_rest(s, REST_USEC - idle_usec);
        return;
    }
    if (s->engine->rest)
        s->engine->rest();
    trim_heap();
    trim_stack();
    s->rested = true;
    board_begin(s->slot);
    s->slot->resident_bytes = memory_resident_bytes();
    board_commit(s->slot);
}

static void dispatch(Serve *s, Source *source)
{
    switch (source->kind) {
    case SOURCE_LISTENER:
        if (s->phase == SERVE_STAYING)
            listener_take(s, source->fd);
        else
            poll(NULL, 0, DEAF_MSEC);
        break;
    case SOURCE_HANDOVER:
        if (s->phase == SERVE_STAYING || s->pool_ends)
            serve_handover(s);
        else
            poll(NULL, 0, DEAF_MSEC);
        break;
    case SOURCE_LIFE_LINE:
        on_life_line(s, source);
        break;
    case SOURCE_SIGNAL:
        leave(s);
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
        break;
    case SOURCE_REST:
        rest(s);
        break;
    case SOURCE_HELD:
        turn_held(s, source);
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

/* The process at the other end of the life line, as the kernel knows it. */
static int learn_manager(Serve *s)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(s->life_line, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    s->manager_pid = peer.pid;
    return 0;
}

static int watch_sources(Serve *s)
{
    size_t n_listeners = s->spec->n_listen_fds;
    int r;

    s->fixed = calloc(n_listeners + 4, sizeof(Source));
    if (!s->fixed)
        return -ENOMEM;
    s->epoll_fd = s->held.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0)
        return -errno;
    r = add_fixed(s, SOURCE_LIFE_LINE, s->life_line, EPOLLIN);
    if (r == 0)
        r = add_fixed(s, SOURCE_SIGNAL, leave_fd, EPOLLIN);
    if (r == 0)
        r = add_fixed(s, SOURCE_HANDOVER, s->spec->handover_fd, EPOLLIN | EPOLLEXCLUSIVE);
    if (r == 0)
        r = add_fixed(s, SOURCE_REST, s->rest_fd, EPOLLIN);
    for (size_t i = 0; r == 0 && i < n_listeners; i++)
        r = add_fixed(s, SOURCE_LISTENER, s->spec->listen_fds[i], EPOLLIN | EPOLLEXCLUSIVE);
    return r;
}

static int serve_set_up(Serve *s)
{
    struct sigaction action = {.sa_handler = on_signal};
    LinkMessage ready = {.type = LINK_READY};
    int r;

    leave_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (leave_fd < 0)
        return -errno;
    s->rest_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->rest_fd < 0)
        return -errno;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);

    s->shared = connection_shared_new(s->slot, HELD_MAX, 1);
    if (!s->shared)
        return -ENOMEM;
    connection_shared_set_read_timeout(s->shared, s->spec->read_timeout_usec);
    connection_shared_limit_params(s->shared, (uint32_t)s->spec->max_params_bytes,
                                   (uint32_t)s->spec->max_params);
    s->held.park_fd = s->spec->park_fd;
    memory_init();
    r = turn_init(s->shared);
    if (r == 0)
        r = learn_manager(s);
    if (r == 0)
        r = access_init(s->spec, s->manager_pid, s->shared);
    if (r == 0)
        r = watch_sources(s);
    if (r < 0)
        return r;

    board_begin(s->slot);
    s->slot->state = WORKER_STATE_IDLE;
    s->slot->last_active_usec = s->looked_usec = clock_monotonic_usec();
    s->slot->resident_bytes = memory_resident_bytes();
    board_commit(s->slot);
    expect_rest(s, REST_USEC);
    ready.flags = (uint32_t)s->slot->moot;
    return link_send(s->life_line, &ready, NULL, 0);
}

static int rank(const Source *source)
{
    static const int ranks[] = {
        [SOURCE_LIFE_LINE] = 0, [SOURCE_SIGNAL] = 0, [SOURCE_HANDOVER] = 1,
        [SOURCE_LISTENER] = 1,  [SOURCE_HELD] = 2,   [SOURCE_REST] = 3,
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
            source->hung_up = events[i].events & EPOLLHUP;
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

static void sweep_held(Serve *s, uint64_t now_usec)
{
    HeldLimits limits;

    leave_sweep(s, now_usec);
    limits = leave_limits(s);
    for (size_t i = 0; i < HELD_MAX; i++) {
        Source *source = &s->held.places[i];

        if (!source->connection || !held_is_overdue(source, &limits, now_usec))
            continue;
        /* What has arrived while others had their turn counts. */
        turn_held(s, source);
        if (!source->connection || !held_is_overdue(source, &limits, now_usec))
            continue;
        if (source->lingering_since_usec == 0 && !connection_is_idle(source->connection) &&
            connection_time_out(source->connection) == CONNECTION_LINGER)
            source->lingering_since_usec = now_usec;
        else
            held_release(&s->held, source);
    }
}

/* Looks at the held connections when one of them has become limited in time, then every second
 * while one is. */
static void watch_held(Serve *s, const Source *last)
{
    bool leaving = s->phase != SERVE_STAYING;
    uint64_t now_usec;

    if (s->held.n == 0)
        s->timed = false;
    else if (last && last->kind == SOURCE_HELD && last->connection && held_one_is_timed(last))
        s->timed = true;
    if (s->held.n == 0 || (!s->timed && !leaving))
        return;
    now_usec = clock_monotonic_usec();
    if (leaving || now_usec - s->swept_usec >= USEC_PER_SEC) {
        sweep_held(s, now_usec);
        s->swept_usec = now_usec;
        s->timed = held_is_timed(&s->held);
    }
}

static int wait_msec(const Serve *s)
{
    int msec = s->phase != SERVE_STAYING ? leave_wait_msec(s) : s->timed ? SWEEP_MSEC : -1;

    return access_is_pending() && (unsigned)msec > ACCESS_IDLE_MSEC ? ACCESS_IDLE_MSEC : msec;
}

static void serve_loop(Serve *s)
{
    while (!leave_is_over(s)) {
        struct epoll_event events[32];
        int n = epoll_wait(s->epoll_fd, events, ARRAY_SIZE(events), wait_msec(s));
        Source *source;

        if (n < 0 && errno != EINTR) { /* a script has closed the epoll */
            listener_lost(s, -errno);
            leave_sweep(s, clock_monotonic_usec());
            return;
        }
        source = choose(s, events, n);
        if (access_is_pending())
            access_look(n == 0);
        if (source) {
            if (s->rested && source->kind != SOURCE_REST)
                expect_rest(s, REST_USEC);
            dispatch(s, source);
        }
        leave_settle(s);
        watch_held(s, source);
    }
}

int serve(const RuntimeSpec *spec, const Engine *engine, BoardSlot *slot, int life_line,
          unsigned flags)
{
    static Serve s = {.epoll_fd = -1, .rest_fd = -1};
    int r;

    s.spec = spec;
    s.engine = engine;
    s.slot = slot;
    s.life_line = life_line;
    ask_init(life_line, flags & LINK_FORK_DRAINING);
    ask_on_reopen(access_reopen);
    r = serve_set_up(&s);
    if (r < 0)
        return r;
    serve_loop(&s);
    access_flush();

    board_begin(slot);
    slot->state = WORKER_STATE_DRAINING;
    board_commit(slot);
    connection_shared_free(s.shared);
    fd_close(s.epoll_fd);
    fd_close(s.rest_fd);
    free(s.fixed);
    return 0;
}
