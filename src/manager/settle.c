#include "manager/manager.h"

#include "base/clock.h"
#include "log/log.h"

#include <string.h>

/*
 * Event callbacks note and never free, start or end anything that another callback may hold. This
 * step does, in an order in which each decision sees the outcome of the one before: the dead, the
 * coming generation, leaving generations, the stop, a dead template, a reload that was asked for,
 * scaling.
 */

static void settle_coming(Manager *m)
{
    Generation *g = m->coming;

    if (!g)
        return;
    if (g->reason[0])
        reload_refused(m, g->reason);
    else if (generation_is_complete(g))
        reload_succeeded(m);
}

static void settle_leaving(Manager *m)
{
    Generation *next;

    for (Generation *g = m->generations; g; g = next) {
        next = g->next;
        generation_bury(g);
    }
}

static void settle_stop(Manager *m)
{
    unsigned swept;

    if (m->state != MANAGER_STOPPING || m->generations || m->orphans.n_alive > 0 || m->stopped)
        return;
    m->stopped = true;
    /* What scripts left behind in the background belongs to the pool and ends with it. */
    swept = cgroup_sweep();
    if (swept > 0)
        log_notice("%u processes that scripts had left behind were ended", swept);
    log_text(LOG_INFO, LOG_MESSAGE_POOL_STOPPED, "Stopped after %llu requests",
             (unsigned long long)m->requests);
    sd_event_exit(m->event, 0);
}

static int on_settle(sd_event_source *source, void *userdata)
{
    Manager *m = userdata;

    workers_bury(m);
    settle_coming(m);
    settle_leaving(m);
    settle_stop(m);
    if (m->state == MANAGER_STOPPING)
        return 0;
    if (m->current && m->current->template_pid == 0 && !m->coming)
        reload_recover(m);
    if (m->reload_wanted && !m->coming)
        reload_begin(m);
    if (m->scale_wanted)
        scale(m);
    if (m->poke_wanted)
        scale_poke(m);
    m->scale_wanted = m->poke_wanted = false;
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
