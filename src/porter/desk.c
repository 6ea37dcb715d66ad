#include "base/fd.h"
#include "link/peer.h"
#include "log/log.h"
#include "porter/lodge.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

/* From the beginning of a question to the last byte of its answer. */
#define VISIT_LIMIT_USEC (5 * USEC_PER_SEC)

/* Visitors that are let in before others have their turn. */
#define ACCEPT_BATCH 16

/* Without descriptors or memory: the next try. */
#define RETRY_USEC (100 * USEC_PER_MSEC)

static int watch_listeners(Lodge *l, bool on)
{
    const RuntimeSpec *spec = l->spec;
    int r = 0;

    if (l->desk.watching == on)
        return 0;
    l->desk.watching = on;
    for (size_t i = 0; r == 0 && i < spec->n_status_fds; i++)
        if (on)
            r = lodge_watch(l, LODGE_STATUS, spec->status_fds[i], EPOLLIN);
        else
            epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, spec->status_fds[i], NULL);
    return r;
}

int desk_init(Lodge *l)
{
    int r = news_init(&l->desk.news, l->spec);

    if (r < 0 || l->spec->n_status_fds == 0)
        return r;
    /* For times in local time: the filter lets nobody read the file later. */
    tzset();
    return watch_listeners(l, true);
}

/* ---- visitors ---- */

/* NULL: it is nobody's, or fd is -1 for a free place: there is none. */
static Visitor **place_of(Lodge *l, int fd)
{
    for (size_t i = 0; i < DESK_VISITORS_MAX; i++) {
        const Visitor *v = l->desk.visitors[i];

        if ((v ? v->fd : -1) == fd)
            return &l->desk.visitors[i];
    }
    return NULL;
}

static void drop(Lodge *l, Visitor **place)
{
    Visitor *v = place ? *place : NULL;

    if (!v)
        return;
    l->desk.n_unsent -= v->out.size - v->n_sent;
    lodge_drop(l, v->fd);
    *place = visitor_free(v);
}

/* Who rests goes first, then who has been asking for longest. */
static Visitor **make_room(Lodge *l)
{
    Visitor **place = place_of(l, -1);
    int fd;

    if (place)
        return place;
    fd = rack_first(&l->rack, RACK_CALM);
    if (fd < 0)
        fd = rack_first(&l->rack, RACK_CALLING);
    place = place_of(l, fd);
    if (place)
        drop(l, place);
    return place;
}

static void let_in(Lodge *l, int fd, uint64_t now_usec)
{
    Visitor **place = make_room(l);
    int r = place ? rack_put(&l->rack, fd, RACK_CALM, 0, now_usec) : -ENOMEM;

    if (r == 0)
        r = lodge_watch(l, LODGE_CONNECTION, fd, EPOLLIN | EPOLLRDHUP);
    if (r == 0)
        *place = visitor_new(fd);
    if (r < 0 || !*place) {
        if (lodge_may_complain(l, now_usec))
            log_error("A connection for the status cannot be held and is closed: %s",
                      strerror(r < 0 ? -r : ENOMEM));
        lodge_drop(l, fd);
        return;
    }
    (*place)->watched = EPOLLIN | EPOLLRDHUP;
    /* Its question is mostly here already. */
    if (!visitor_advance(l, *place, now_usec))
        drop(l, place);
}

/* False: nobody waits there. */
static bool accept_one(Lodge *l, int listen_fd, uint64_t now_usec)
{
    char refused[INET6_ADDRSTRLEN];
    int fd = peer_accept(listen_fd, SOCK_NONBLOCK, l->spec->allowed_clients,
                         l->spec->n_allowed_clients, refused);

    if (fd == -EACCES && lodge_may_complain(l, now_usec))
        log_text(LOG_WARNING, LOG_MESSAGE_CLIENT_REFUSED,
                 "Connection disallowed: IP address '%s' has been dropped.", refused);
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
        l->desk.retry_usec = now_usec + RETRY_USEC;
        watch_listeners(l, false);
    }
    if (fd >= 0)
        let_in(l, fd, now_usec);
    return fd >= 0 || fd == -EACCES || fd == -ECONNABORTED;
}

void desk_accept(Lodge *l, uint64_t now_usec)
{
    for (size_t i = 0; i < l->spec->n_status_fds; i++)
        for (unsigned n = 0; n < ACCEPT_BATCH && l->desk.watching; n++)
            if (!accept_one(l, l->spec->status_fds[i], now_usec))
                break;
}

void desk_on_event(Lodge *l, int fd, uint32_t events, uint64_t now_usec)
{
    Visitor **place = place_of(l, fd);

    /* Nobody is there to read an answer. One that has closed only its half may wait for it. */
    if (place && (events & (EPOLLHUP | EPOLLERR) || !visitor_advance(l, *place, now_usec)))
        drop(l, place);
}

/* ---- news ---- */

static void tell_all(Lodge *l, bool silent, uint64_t now_usec)
{
    for (size_t i = 0; i < DESK_VISITORS_MAX; i++) {
        Visitor **place = &l->desk.visitors[i];

        if (*place && (*place)->wants_news && !visitor_tell(l, *place, silent, now_usec))
            drop(l, place);
    }
}

void desk_take_news(Lodge *l, int fd, uint64_t now_usec)
{
    news_take(&l->desk.news, fd, now_usec);
    tell_all(l, false, now_usec);
}

/* ---- time ---- */

void desk_look(Lodge *l, uint64_t now_usec)
{
    int fd;

    if (l->spec->n_status_fds == 0)
        return;
    if (l->desk.retry_usec > 0 && now_usec >= l->desk.retry_usec && !l->desk.leaving) {
        l->desk.retry_usec = 0;
        watch_listeners(l, true);
    }
    news_look(l, now_usec);
    if (news_is_silent(l, now_usec))
        tell_all(l, true, now_usec);
    while ((fd = rack_first(&l->rack, RACK_CALLING)) >= 0 &&
           now_usec - rack_place(&l->rack, fd)->since_usec >= VISIT_LIMIT_USEC)
        drop(l, place_of(l, fd));
}

uint64_t desk_next_usec(const Lodge *l, uint64_t now_usec)
{
    int fd = rack_first(&l->rack, RACK_CALLING);
    uint64_t next_usec = USEC_INFINITY;

    if (l->spec->n_status_fds == 0)
        return USEC_INFINITY;
    next_usec = news_next_usec(l, now_usec);
    if (l->desk.retry_usec > 0)
        next_usec = MIN(next_usec, l->desk.retry_usec);
    if (fd >= 0)
        next_usec = MIN(next_usec, rack_place(&l->rack, fd)->since_usec + VISIT_LIMIT_USEC);
    return next_usec;
}

/* ---- the end ---- */

void desk_leave(Lodge *l, uint64_t now_usec)
{
    if (l->desk.leaving)
        return;
    l->desk.leaving = true;
    l->desk.retry_usec = 0;
    watch_listeners(l, false);
    for (size_t i = 0; i < DESK_VISITORS_MAX; i++) {
        Visitor **place = &l->desk.visitors[i];

        /* A question that has arrived is answered. */
        if (*place && (!visitor_advance(l, *place, now_usec) ||
                       (visitor_is_calm(*place) && (*place)->has_asked)))
            drop(l, place);
    }
}

void desk_done(Lodge *l)
{
    for (size_t i = 0; i < DESK_VISITORS_MAX; i++)
        if (l->desk.visitors[i])
            drop(l, &l->desk.visitors[i]);
    for (size_t i = 0; i < l->spec->n_status_fds; i++)
        l->spec->status_fds[i] = fd_close(l->spec->status_fds[i]);
    news_done(&l->desk.news);
}
