#include "porter/lodge.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define EVENTS_MAX 64
/* Parked connections that are taken before others have their turn. */
#define PARK_BATCH 64

int lodge_watch(Lodge *l, LodgeSource source, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)source << 32 | (uint32_t)fd};

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void lodge_unwatch_and_close(Lodge *l, int fd)
{
    if (fd < 0)
        return;
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    fd_close(fd);
}

void lodge_drop(Lodge *l, int fd)
{
    rack_drop(&l->rack, fd);
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    /* The worker that parked it may have set SO_LINGER since then. */
    link_close_received(fd);
}

bool lodge_may_complain(Lodge *l, uint64_t now_usec)
{
    if (l->complained_usec > 0 && now_usec - l->complained_usec < USEC_PER_SEC) {
        l->n_unsaid++;
        return false;
    }
    if (l->n_unsaid > 0)
        log_notice("%llu more records like the last ones were left out",
                   (unsigned long long)l->n_unsaid);
    l->n_unsaid = 0;
    l->complained_usec = now_usec;
    return true;
}

int lodge_init(Lodge *l, const RuntimeSpec *spec, BoardSlot *slot, unsigned capacity)
{
    int r;

    *l = (Lodge){
        .spec = spec,
        .slot = slot,
        .link_fd = spec->link_fd,
        .park_fd = spec->park_fd,
        .handover = {.fd = spec->handover_fd, .source = LODGE_HANDOVER},
        .repark = {.fd = spec->repark_fd, .source = LODGE_REPARK},
        .capacity = capacity,
        .deadline_usec = USEC_INFINITY,
    };
    rack_init(&l->rack);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0)
        return -errno;
    r = lodge_watch(l, LODGE_LINK, l->link_fd, EPOLLIN);
    if (r == 0)
        r = lodge_watch(l, LODGE_PARK, l->park_fd, EPOLLIN);
    if (r == 0)
        r = desk_init(l);
    if (r < 0)
        return r;
    board_begin(slot);
    slot->state = WORKER_STATE_IDLE;
    board_commit(slot);
    return 0;
}

void lodge_done(Lodge *l)
{
    desk_done(l);
    for (RackList list = RACK_NONE + 1; list < _RACK_LIST_MAX; list++)
        while (rack_first(&l->rack, list) >= 0)
            lodge_drop(l, rack_first(&l->rack, list));
    rack_done(&l->rack);
    l->link_fd = fd_close(l->link_fd);
    l->park_fd = fd_close(l->park_fd);
    l->handover.fd = fd_close(l->handover.fd);
    l->repark.fd = fd_close(l->repark.fd);
    l->epoll_fd = fd_close(l->epoll_fd);
}

static void lodge_read_link(Lodge *l, uint64_t now_usec)
{
    LinkMessage m;
    size_t n_fds = 0;
    int fd = -1, r = link_receive(l->link_fd, MSG_DONTWAIT, &m, &fd, 1, &n_fds, NULL);

    if (r == -EAGAIN)
        return;
    if (r == 0 || (r == 1 && m.type == LINK_LEAVE)) {
        if (r == 0) {
            lodge_unwatch_and_close(l, l->link_fd);
            l->link_fd = -1;
        }
        if (r == 1 && m.flags & LINK_LEAVE_SUCCEEDED)
            leave_move(l, now_usec);
        else
            leave_begin(l, now_usec);
    } else if (r == 1 && m.type == LINK_SHED)
        shed_take(l, m.count, m.flags, now_usec);
    else if (r == 1 && m.type == LINK_STATUS && n_fds == 1)
        desk_take_news(l, TAKE_FD(fd), now_usec);
    else if (r == 1 && m.type == LINK_DRAIN)
        l->desk.draining = true;
    else
        log_error("Ignoring a message of the manager: %s", r < 0 ? strerror(-r) : "unknown type");
    fd_close(fd);
}

static void lodge_on_connection(Lodge *l, int fd, uint32_t events, uint64_t now_usec)
{
    switch ((RackList)rack_place(&l->rack, fd)->list) {
    case RACK_FRESH:
    case RACK_IDLE:
        park_on_event(l, fd, events, now_usec);
        break;
    case RACK_LINGERING:
        shed_on_event(l, fd, events);
        break;
    case RACK_CALLING:
    case RACK_CALM:
        desk_on_event(l, fd, events, now_usec);
        break;
    default: /* closed or passed on since the event was noted */
        break;
    }
}

/* Connections first: what they do concerns nobody but themselves, while the others may close some
 * and let in new ones of the same number. */
static void lodge_dispatch(Lodge *l, const struct epoll_event *events, int n, uint64_t now_usec)
{
    bool link = false, park = false, status = false;

    for (int i = 0; i < n; i++) {
        int fd = (int)(uint32_t)events[i].data.u64;

        switch ((LodgeSource)(events[i].data.u64 >> 32)) {
        case LODGE_CONNECTION:
            lodge_on_connection(l, fd, events[i].events, now_usec);
            break;
        case LODGE_LINK:
            link = true;
            break;
        case LODGE_PARK:
            park = true;
            break;
        case LODGE_HANDOVER:
            l->handover.full = false;
            epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
            break;
        case LODGE_REPARK:
            l->repark.full = false;
            epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
            break;
        case LODGE_STATUS:
            status = true;
            break;
        }
    }
    outlet_serve(l, now_usec);
    if (park && l->park_fd >= 0)
        park_take(l, PARK_BATCH, now_usec);
    if (status)
        desk_accept(l, now_usec);
    if (link && l->link_fd >= 0)
        lodge_read_link(l, now_usec);
}

static void lodge_publish(Lodge *l)
{
    uint32_t n = park_count(l) + rack_count(&l->rack, RACK_READY);

    if (l->slot->connections == n && l->slot->accepted == l->n_accepted)
        return;
    board_begin(l->slot);
    l->slot->connections = n;
    l->slot->requests = l->n_shed;
    l->slot->accepted = l->n_accepted;
    board_commit(l->slot);
}

/* Milliseconds for epoll_wait(2), rounded up. */
static int lodge_wait_msec(const Lodge *l, uint64_t now_usec)
{
    uint64_t next_usec = MIN(l->deadline_usec, shed_next_usec(l));

    next_usec = MIN(next_usec, desk_next_usec(l, now_usec));
    next_usec = MIN(next_usec, park_next_usec(l));
    if (l->handover.retry_usec > 0)
        next_usec = MIN(next_usec, l->handover.retry_usec);
    if (l->repark.retry_usec > 0)
        next_usec = MIN(next_usec, l->repark.retry_usec);
    if (next_usec == USEC_INFINITY)
        return -1;
    if (next_usec <= now_usec)
        return 0;
    return (int)MIN((next_usec - now_usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC, UINT64_C(60000));
}

void lodge_run(Lodge *l)
{
    while (l->phase != LODGE_CLOSED) {
        struct epoll_event events[EVENTS_MAX];
        int n =
            epoll_wait(l->epoll_fd, events, EVENTS_MAX, lodge_wait_msec(l, clock_monotonic_usec()));
        uint64_t now_usec = clock_monotonic_usec();

        lodge_dispatch(l, events, n, now_usec);
        shed_look(l, now_usec);
        park_look(l, now_usec);
        desk_look(l, now_usec);
        leave_look(l, now_usec);
        lodge_publish(l);
    }
}
