#include "manager/manager.h"

#include "log/log.h"

/* The worker of pm.status_listen waits so long for another question; as PHP-FPM, whose own pool for
 * it is one of pm = ondemand. */
#define UNUSED_USEC (10 * USEC_PER_SEC)

/* An answer takes milliseconds, and each wait for who asked ends after half of this time
 * (runtime/connection.c): one that does not get on for so long hangs. */
#define STUCK_USEC (10 * USEC_PER_SEC)

#define LEAVE_USEC (1 * USEC_PER_SEC)

static Worker *find_status_worker(const Manager *m)
{
    for (Worker *w = m->workers; w; w = w->next)
        if (w->for_status && w->generation == m->current && worker_phase_is_capacity(w->phase))
            return w;
    return NULL;
}

bool scale_status_is_open(const Manager *m)
{
    return find_status_worker(m);
}

static bool is_busy(const BoardSlot *slot)
{
    return slot->state == WORKER_STATE_RUNNING || slot->state == WORKER_STATE_FINISHING;
}

static bool is_unused(const Worker *w, const BoardSlot *slot, uint64_t now_usec)
{
    return w->phase == WORKER_READY && !is_busy(slot) &&
           MAX(slot->last_active_usec, w->started_usec) + UNUSED_USEC <= now_usec;
}

/* By our own clock: what its slot says of times is its word. A connection that waits while it does
 * nothing counts as well, since one that is stopped or has lost its way looks idle. */
static bool is_stuck(Worker *w, const BoardSlot *slot, bool waiting, uint64_t now_usec)
{
    if ((w->phase == WORKER_READY && !is_busy(slot) && !waiting) || w->progress_usec == 0 ||
        slot->requests != w->progress_requests) {
        w->progress_usec = now_usec;
        w->progress_requests = slot->requests;
    }
    return now_usec - w->progress_usec >= STUCK_USEC;
}

static int on_leave_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    worker_end(userdata, 503);
    return 0;
}

void scale_status_retired(Worker *w)
{
    int r = sd_event_add_time_relative(w->manager->event, &w->end_source, CLOCK_MONOTONIC,
                                       LEAVE_USEC, 0, on_leave_limit, w);

    if (r < 0)
        worker_end(w, 503);
}

static void replace_stuck(Worker *w)
{
    log_warning("Worker %d, which answers on pm.status_listen, has not got on for %llu s and is "
                "replaced",
                (int)w->pid, (unsigned long long)(STUCK_USEC / USEC_PER_SEC));
    /* The next look, when it is buried, orders another. */
    worker_end(w, 503);
}

void scale_status(Manager *m, uint64_t now_usec)
{
    Worker *w = find_status_worker(m);
    bool waiting;
    BoardSlot slot;

    listeners_watch_status(&m->listeners);
    waiting = listeners_queued_of(&m->listeners, LISTENER_STATUS, 1) > 0;
    if (!w) {
        if (waiting && now_usec >= recover_fork_after_usec(m)) {
            workers_order_status(m->current);
            beat_soon(m);
        }
        return;
    }
    worker_read_slot(w, now_usec, &slot);
    if (is_stuck(w, &slot, waiting, now_usec))
        replace_stuck(w);
    else if (is_unused(w, &slot, now_usec))
        worker_retire(w, false);
}
