#include "log/log.h"
#include "porter/lodge.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

/* The kernel bounds the descriptors that are under way per user (RLIMIT_NOFILE of the sender,
 * ETOOMANYREFS), and may be short of memory; it wakes nobody when that is over. */
#define RETRY_USEC (10 * USEC_PER_MSEC)

static bool is_open(LodgeOutlet *o, uint64_t now_usec)
{
    if (o->retry_usec > 0 && now_usec >= o->retry_usec)
        o->retry_usec = 0;
    return o->fd >= 0 && !o->full && o->retry_usec == 0;
}

/* Sends a connection; it is in one place only then: our copy is closed. 0; -EAGAIN: try again
 * later; -EPIPE: nobody is there any more. */
static int outlet_send(Lodge *l, LodgeOutlet *o, LinkType type, int fd, uint64_t now_usec)
{
    LinkMessage m = {.type = type, .flags = rack_place(&l->rack, fd)->flags};
    int r = link_send(o->fd, &m, &fd, 1);

    if (r == -EPIPE || r == -ECONNRESET)
        return -EPIPE;
    if (r == -EAGAIN) {
        r = lodge_watch(l, o->source, o->fd, EPOLLOUT);
        o->full = r == 0;
        o->retry_usec = r < 0 ? now_usec + RETRY_USEC : 0;
        return -EAGAIN;
    }
    if (r == -ETOOMANYREFS || r == -ENOBUFS || r == -ENOMEM) {
        o->retry_usec = now_usec + RETRY_USEC;
        return -EAGAIN;
    }
    if (r < 0 && lodge_may_complain(l, now_usec))
        log_error("A connection cannot be passed on and is closed: %s", strerror(-r));
    lodge_drop(l, fd);
    return 0;
}

void outlet_serve(Lodge *l, uint64_t now_usec)
{
    int fd;

    while (is_open(&l->handover, now_usec) && (fd = rack_first(&l->rack, RACK_READY)) >= 0) {
        int r = outlet_send(l, &l->handover, LINK_SERVE, fd, now_usec);

        if (r == -EAGAIN)
            return;
        if (r < 0)
            lodge_drop(l, fd);
    }
}

int outlet_repark(Lodge *l, uint64_t now_usec)
{
    int fd, r = 0;

    for (RackList list = RACK_FRESH; list <= RACK_IDLE; list++)
        while (r == 0 && is_open(&l->repark, now_usec) && (fd = rack_first(&l->rack, list)) >= 0)
            r = outlet_send(l, &l->repark, LINK_PARK, fd, now_usec);
    return r == -EPIPE ? r : 0;
}
