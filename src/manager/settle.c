#include "manager/manager.h"
#include "manager/replaced.h"

#include "base/clock.h"

/*
 * Event callbacks note and never free, start or end anything that another callback may hold. This
 * step does, in an order in which each decision sees the outcome of the one before: the dead, the
 * coming generation, leaving generations, the stop, what was asked for (another program file, a
 * reload), a dead template, a porter, limits of time, scaling, the idle exit.
 */

static void settle_coming(Manager *m)
{
    Generation *g = m->coming;

    if (!g)
        return;
    if (g->reason[0])
        manager_event_because(m, m->reloading ? POOL_EVENT_FAILED : POOL_EVENT_NOT_REPLACED,
                              g->reason);
    else if (generation_is_complete(g))
        manager_event(m, POOL_EVENT_SERVES);
}

static void settle_leaving(Manager *m)
{
    Generation *next;

    for (Generation *g = m->generations; g; g = next) {
        next = g->next;
        generation_bury(g);
    }
}

/* One thing at a time: nothing of this while a generation is being prepared or another program
 * takes over. */
static void settle_next(Manager *m)
{
    if (!m->coming && m->reexec)
        reexec_step(m);
    if (!m->coming && !m->reexec && m->reexec_wanted)
        manager_event(m, POOL_EVENT_REEXEC);
    /* A reload is also the time at which a program file that has been replaced takes over; that one
     * reloads then. One that cannot is not due again. */
    if (!m->coming && !m->reexec && m->reload_wanted && reexec_is_due(m) &&
        manager_would(m, POOL_EVENT_REEXEC) == POOL_ACTION_REEXEC)
        reexec_ask(m, true);
    if (!m->coming && !m->reexec && m->reload_wanted)
        manager_event(m, POOL_EVENT_RELOAD);
    if (!m->coming && !m->reexec && m->current)
        manager_event(m, POOL_EVENT_CHECK);
}

static int on_settle(sd_event_source *source, void *userdata)
{
    Manager *m = userdata;
    uint64_t now_usec;

    workers_bury(m);
    /* The loop runs on to its end after that; nothing begins any more. */
    if (m->state != MANAGER_STOPPING && m->state != MANAGER_GONE)
        settle_coming(m);
    settle_leaving(m);
    if (m->state == MANAGER_STOPPING)
        stop_step(m);
    if (m->state == MANAGER_STOPPING || m->state == MANAGER_GONE)
        return 0;
    settle_next(m);
    replaced_look(m);
    porter_look(m);
    now_usec = clock_monotonic_usec();
    limits_look(m, now_usec);
    if (m->scale_wanted)
        scale(m);
    if (m->poke_wanted)
        scale_poke(m);
    m->scale_wanted = m->poke_wanted = false;
    leaving_look(m, now_usec);
    return 0;
}

void settle_later(Manager *m)
{
    sd_event_source_set_enabled(m->settle_source, SD_EVENT_ONESHOT);
}

int settle_start(Manager *m)
{
    int r = sd_event_add_defer(m->event, &m->settle_source, on_settle, m);

    if (r < 0)
        return r;
    sd_event_source_set_priority(m->settle_source, PRIORITY_SETTLE);
    return sd_event_source_set_enabled(m->settle_source, SD_EVENT_OFF);
}
