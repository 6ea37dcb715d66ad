#include "manager/manager.h"

/* The worker of pm.status_listen waits so long for another question; as PHP-FPM, whose own pool for
 * it is one of pm = ondemand. */
#define UNUSED_USEC (10 * USEC_PER_SEC)

static Worker *find_status_worker(const Manager *m)
{
    for (Worker *w = m->workers; w; w = w->next)
        if (w->for_status && w->generation == m->current && w->phase != WORKER_RETIRED && !w->dead)
            return w;
    return NULL;
}

static bool is_unused(Worker *w, uint64_t now_usec)
{
    BoardSlot slot;

    if (w->phase != WORKER_READY)
        return false;
    worker_read_slot(w, now_usec, &slot);
    return slot.state != WORKER_STATE_RUNNING && slot.state != WORKER_STATE_FINISHING &&
           MAX(slot.last_active_usec, w->started_usec) + UNUSED_USEC <= now_usec;
}

void scale_status(Manager *m, uint64_t now_usec)
{
    Worker *w = find_status_worker(m);

    listeners_watch_status(&m->listeners);
    if (w && is_unused(w, now_usec))
        worker_retire(w);
    else if (!w && now_usec >= m->respawn_after_usec &&
             listeners_queued_of(&m->listeners, LISTENER_STATUS, 1) > 0)
        workers_order_status(m->current);
}
