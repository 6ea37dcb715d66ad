#include "base/fd.h"
#include "log/log.h"
#include "porter/lodge.h"

#include <sys/socket.h>

/* How long those that have bytes wait for room, and those that were answered for their peers. The
 * manager ends us a little later. */
#define CLOSING_LIMIT_USEC (1 * USEC_PER_SEC)
/* More than the park socket has room for. */
#define PARKED_MAX 4096
/* How long the next porter may take to make room for what is moved. */
#define MOVING_LIMIT_USEC (5 * USEC_PER_SEC)

static void close_outlet(Lodge *l, LodgeOutlet *o)
{
    if (o->full)
        lodge_unwatch_and_close(l, o->fd);
    else
        fd_close(o->fd);
    *o = (LodgeOutlet){.fd = -1, .source = o->source};
}

static void close_park(Lodge *l)
{
    lodge_unwatch_and_close(l, l->park_fd);
    l->park_fd = -1;
}

void leave_begin(Lodge *l, uint64_t now_usec)
{
    if (l->phase >= LODGE_CLOSING)
        return;
    l->phase = LODGE_CLOSING;
    l->deadline_usec = now_usec + CLOSING_LIMIT_USEC;
    desk_leave(l, now_usec);
    close_outlet(l, &l->repark);
    /* What workers have parked so far is ours to deal with; nobody reads it after us. */
    if (l->park_fd >= 0) {
        /* From here on workers keep what they would have parked. */
        shutdown(l->park_fd, SHUT_RD);
        park_take(l, PARKED_MAX, now_usec);
    }
    close_park(l);
    park_clear(l, now_usec);
    outlet_serve(l, now_usec);
}

void leave_move(Lodge *l, uint64_t now_usec)
{
    if (l->phase != LODGE_OPEN || l->repark.fd < 0)
        return;
    l->phase = LODGE_MOVING;
    l->deadline_usec = now_usec + MOVING_LIMIT_USEC;
    close_park(l);
    /* The manager speaks to the next one from now on. */
    lodge_unwatch_and_close(l, l->link_fd);
    l->link_fd = -1;
    desk_leave(l, now_usec);
}

/* Our end of the hand-over socket is closed as early as possible: orphans of a dead manager wait
 * for that, see docs/architecture.md. */
static void finish(Lodge *l, uint64_t deadline_usec)
{
    unsigned lost = rack_count(&l->rack, RACK_READY);

    if (lost > 0)
        log_warning("%u connections with a request are closed: no worker has taken them", lost);
    while (rack_first(&l->rack, RACK_READY) >= 0)
        lodge_drop(l, rack_first(&l->rack, RACK_READY));
    close_outlet(l, &l->handover);
    close_outlet(l, &l->repark);
    l->phase = LODGE_LINGERING;
    l->deadline_usec = deadline_usec;
}

void leave_look(Lodge *l, uint64_t now_usec)
{
    bool late = now_usec >= l->deadline_usec;

    if (l->phase == LODGE_MOVING) {
        if (outlet_repark(l, now_usec) < 0 || late)
            leave_begin(l, now_usec);
        else if (park_count(l) + rack_count(&l->rack, RACK_READY) == 0)
            finish(l, USEC_INFINITY);
    }
    if (l->phase == LODGE_CLOSING && (late || rack_count(&l->rack, RACK_READY) == 0))
        finish(l, l->deadline_usec);
    if (l->phase == LODGE_LINGERING &&
        (late || rack_count(&l->rack, RACK_LINGERING) + rack_count(&l->rack, RACK_CALLING) == 0))
        l->phase = LODGE_CLOSED;
}
