#include "manager/manager.h"

#include "base/clock.h"
#include "log/log.h"

#include <errno.h>
#include <string.h>

/* Between two records that workers are missing. */
#define MISSING_DISTANCE_USEC (60 * USEC_PER_SEC)

/* READING is no work: a worker that holds half a head takes other connections meanwhile. */
static bool is_active(const BoardSlot *slot)
{
    return slot->state == WORKER_STATE_RUNNING || slot->state == WORKER_STATE_FINISHING;
}

/* Connections waited at the last look and wait now, and no request has begun in between. */
static bool queue_is_stalled(Manager *m, unsigned queued, uint64_t now_usec)
{
    if (queued == 0 || !m->queue_was_waiting || m->requests != m->queue_requests) {
        m->queue_was_waiting = queued > 0;
        m->queue_requests = m->requests;
        m->queue_seen_usec = now_usec;
        return false;
    }
    return now_usec - m->queue_seen_usec >= POLICY_QUEUE_LOOK_USEC / 2;
}

static void sample_workers(Manager *m, uint64_t now_usec, PolicySample *s)
{
    uint64_t timeout_usec = m->current->setup->limits.idle_timeout_usec;
    unsigned n_leaving = 0;

    s->next_unused_usec = USEC_INFINITY;
    for (Worker *w = m->workers; w; w = w->next) {
        BoardSlot slot;
        uint64_t unused_usec;

        if (w->generation != m->current)
            continue;
        if (!worker_phase_is_capacity(w->phase)) {
            /* Those that say so and stay get no successors without end. */
            s->active += ++n_leaving > m->current->setup->limits.max_children;
            continue;
        }
        if (w->phase != WORKER_READY) {
            s->starting++;
            continue;
        }
        worker_read_slot(w, now_usec, &slot);
        if (is_active(&slot)) {
            s->active++;
            continue;
        }
        s->idle++;
        unused_usec = MAX(slot.last_active_usec, w->started_usec) + timeout_usec;
        if (unused_usec <= now_usec)
            s->idle_unused++;
        else
            s->next_unused_usec = MIN(s->next_unused_usec, unused_usec);
    }
    s->queued = listeners_queued(&m->listeners, 1 + 2 * (s->starting + s->idle));
    s->stalled = queue_is_stalled(m, s->queued, now_usec);
    m->queued_max = MAX(m->queued_max, s->queued);
    m->active_max = MAX(m->active_max, s->active);
}

/* The latest registered go first: the kernel wakes the earliest, so these are the coldest. */
static void retire_unused(Manager *m, unsigned n, uint64_t now_usec)
{
    Worker *before;

    for (Worker *w = m->workers_last; w && n > 0; w = before) {
        BoardSlot slot;

        before = w->prev;
        if (w->generation != m->current || w->phase != WORKER_READY)
            continue;
        worker_read_slot(w, now_usec, &slot);
        if (is_active(&slot))
            continue;
        worker_retire(w, true);
        n--;
    }
}

static void note_limit(Manager *m, bool at_limit, const PolicySample *s)
{
    LogRecord r;

    if (at_limit && !m->limit_episode) {
        m->limit_reached++;
        log_record_begin(&r, LOG_WARNING, LOG_MESSAGE_CHILDREN_LIMIT);
        log_record_field(&r, "MAX_CHILDREN", "%u", m->current->setup->limits.max_children);
        log_record_field(&r, "QUEUED", "%u", s->queued);
        log_record_send(&r,
                        "Limit of pm.max_children (%u) reached while %u connections wait; consider "
                        "raising it",
                        m->current->setup->limits.max_children, s->queued);
    }
    m->limit_episode = at_limit;
}

/* What is short stays so for a while, and is looked at each second. */
static void note_missing(Manager *m, uint64_t now_usec)
{
    const Generation *g = m->current;
    LogRecord r;

    if (m->missing_told_usec > 0 && now_usec - m->missing_told_usec < MISSING_DISTANCE_USEC)
        return;
    m->missing_told_usec = now_usec;
    log_record_begin(&r, LOG_ERR, LOG_MESSAGE_WORKERS_MISSING);
    log_record_field(&r, "GENERATION", "%u", g->number);
    log_record_send(&r, "More workers cannot be started: %s; %u of generation %u go on",
                    g->order_error < 0 ? strerror(-g->order_error) : "their template is gone",
                    g->n_workers, g->number);
}

static int on_scale_time(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;

    m->scale_wanted = true;
    settle_later(m);
    return 0;
}

static void look_again_at(Manager *m, uint64_t usec)
{
    int r = 0;

    if (usec == USEC_INFINITY) {
        if (m->scale_source)
            sd_event_source_set_enabled(m->scale_source, SD_EVENT_OFF);
        return;
    }
    if (!m->scale_source) {
        r = sd_event_add_time(m->event, &m->scale_source, CLOCK_MONOTONIC, usec, USEC_PER_MSEC,
                              on_scale_time, m);
        if (r >= 0)
            sd_event_source_set_priority(m->scale_source, PRIORITY_TIMER);
    } else {
        sd_event_source_set_time(m->scale_source, usec);
        r = sd_event_source_set_enabled(m->scale_source, SD_EVENT_ONESHOT);
    }
    if (r < 0)
        log_error("Cannot set a timer, ignoring: %d", r);
}

void scale(Manager *m)
{
    uint64_t now_usec = clock_monotonic_usec();
    PolicySample s = {0};
    PolicyDecision d;

    if (!m->current || m->stop)
        return;
    sample_workers(m, now_usec, &s);
    d = policy_decide(&m->current->setup->limits, &s, now_usec);
    note_limit(m, d.at_limit, &s);
    if (d.spawn > 0) {
        if (m->current->link_fd < 0)
            ; /* its template has died: another is coming */
        else if (now_usec < recover_fork_after_usec(m))
            d.look_again_usec = recover_fork_after_usec(m);
        else if (workers_order(m->current, d.spawn) < d.spawn) {
            note_missing(m, now_usec);
            m->respawn_after_usec = now_usec + USEC_PER_SEC;
            d.look_again_usec = m->respawn_after_usec;
        }
    }
    retire_unused(m, d.retire, now_usec);
    if (d.retire > 0)
        scale_poke(m);
    look_again_at(m, d.look_again_usec);
    listeners_watch(&m->listeners, d.watch || limits_wants_watch(m));
}

void scale_poke(Manager *m)
{
    LinkMessage poke = {.type = LINK_POKE};

    if (!m->current || m->current->n_workers == 0 || listeners_queued(&m->listeners, 1) == 0)
        return;
    /* Full: enough of them are on the way. */
    link_send(m->porter.handover[0], &poke, NULL, 0);
}

void scale_count(Manager *m, ScaleCounts *ret)
{
    uint64_t now_usec = clock_monotonic_usec();
    ScaleCounts c = {0};

    for (Worker *w = m->workers; w; w = w->next) {
        BoardSlot slot;

        if (w->phase == WORKER_DEAD)
            continue;
        if (!worker_phase_is_capacity(w->phase)) {
            c.draining++;
            c.earlier += w->generation->state == GENERATION_LEAVING;
            worker_read_slot(w, now_usec, &slot);
        } else if (w->phase != WORKER_READY)
            c.starting++;
        else {
            worker_read_slot(w, now_usec, &slot);
            if (is_active(&slot))
                c.active++;
            else
                c.idle++;
        }
    }
    m->active_max = MAX(m->active_max, c.active);
    *ret = c;
}
