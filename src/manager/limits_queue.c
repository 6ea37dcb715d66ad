#include "manager/limits_private.h"

#include "log/log.h"

/* While the pool is saturated the queue is looked at so often. */
#define SAMPLE_USEC     (100 * USEC_PER_MSEC)
#define SAMPLE_MIN_USEC (10 * USEC_PER_MSEC)

/* The porter answers within milliseconds, unless it has to be started first; an order that it could
 * not carry out, because others took the connections, is forgotten. */
#define ORDER_USEC (1 * USEC_PER_SEC)

#define TELL_USEC  (1 * USEC_PER_SEC)

static const PoolConfig *queue_config(const Manager *m)
{
    bool serves = m->current && (m->state == MANAGER_READY || m->state == MANAGER_RELOADING ||
                                 m->state == MANAGER_DRAINING);

    return serves && m->current->config->queue_timeout_usec > 0 ? m->current->config : NULL;
}

bool limits_wants_watch(const Manager *m)
{
    return m->limits && queue_config(m) && !m->limits->sampling;
}

/* Every worker that the pool may have is busy. All slots are read, so that m->accepted is up to
 * date. */
static bool is_saturated(Manager *m, uint64_t now_usec)
{
    unsigned busy = 0;
    bool others = false;

    for (Worker *w = m->workers; w; w = w->next) {
        BoardSlot slot;

        if (w->pid <= 0 || w->phase == WORKER_DEAD)
            continue;
        worker_read_slot(w, now_usec, &slot);
        if (w->generation != m->current || !worker_phase_is_capacity(w->phase))
            continue;
        if (slot.state == WORKER_STATE_RUNNING || slot.state == WORKER_STATE_FINISHING)
            busy++;
        else
            others = true;
    }
    return !others && busy >= m->current->setup->limits.max_children;
}

static void tell(Manager *m, unsigned queued, uint64_t now_usec)
{
    Limits *l = m->limits;
    uint64_t timeout_usec = m->current->config->queue_timeout_usec;
    LogRecord r;

    if (l->n_untold == 0 || (l->told_usec > 0 && now_usec - l->told_usec < TELL_USEC))
        return;
    log_record_begin(&r, LOG_WARNING, LOG_MESSAGE_QUEUE_TIMEOUT);
    log_record_field(&r, "CONNECTIONS", "%u", l->n_untold);
    log_record_field(&r, "QUEUED", "%u", queued);
    log_record_field(&r, "LIMIT_USEC", "%llu", (unsigned long long)timeout_usec);
    log_record_send(&r,
                    "%u connections have waited longer than queue_timeout (%llu.%llu s) while all "
                    "%u workers were busy: they get 503",
                    l->n_untold, (unsigned long long)(timeout_usec / USEC_PER_SEC),
                    (unsigned long long)(timeout_usec % USEC_PER_SEC / (100 * USEC_PER_MSEC)),
                    m->current->setup->limits.max_children);
    l->n_untold = 0;
    l->told_usec = now_usec;
}

/* What the porter has taken is no longer on order, whether its client could still be answered or
 * not. Another porter begins to count anew. */
static void settle_orders(Manager *m, uint64_t now_usec)
{
    Limits *l = m->limits;
    uint64_t taken;

    porter_count(m);
    taken = m->porter.accepted_counted;
    if (taken > l->taken_seen)
        l->n_ordered -= (unsigned)MIN((uint64_t)l->n_ordered, taken - l->taken_seen);
    l->taken_seen = taken;
    if (now_usec - l->ordered_usec > ORDER_USEC)
        l->n_ordered = 0;
}

static void look_at_waiting(Manager *m, unsigned queued, uint64_t timeout_usec, uint64_t now_usec)
{
    Limits *l = m->limits;
    unsigned overdue;

    queue_note(&m->queue_clock, m->accepted, queued, timeout_usec, now_usec);
    overdue = queue_overdue(&m->queue_clock, m->accepted, queued, timeout_usec, now_usec);
    if (overdue <= l->n_ordered)
        return;
    overdue -= l->n_ordered;
    porter_shed(m, overdue);
    l->n_ordered += overdue;
    l->n_untold += overdue;
    l->ordered_usec = now_usec;
}

uint64_t limits_look_at_queue(Manager *m, uint64_t now_usec)
{
    Limits *l = m->limits;
    const PoolConfig *c = queue_config(m);
    uint64_t timeout_usec = c ? c->queue_timeout_usec : 0;
    bool was_sampling = l->sampling;
    unsigned queued;

    if (l->sampling && now_usec < l->queue_usec)
        return l->queue_usec;
    /* First what has been taken, then what waits: a connection that is taken in between is in
     * neither, and so it never looks older than it is. */
    l->sampling = c && is_saturated(m, now_usec);
    if (l->sampling || was_sampling)
        settle_orders(m, now_usec);
    queued = l->sampling ? listeners_queued(&m->listeners, 1) : 0;
    l->sampling = queued > 0;
    if (l->sampling)
        look_at_waiting(m, queued, timeout_usec, now_usec);
    else
        queue_note(&m->queue_clock, m->accepted, 0, 0, now_usec);
    /* The listeners are watched while nobody samples. */
    if (c && l->sampling != was_sampling)
        m->scale_wanted = true;
    if (c)
        tell(m, queued, now_usec);
    if (l->sampling) {
        uint64_t pause_usec = MIN(SAMPLE_USEC, timeout_usec / 8);

        return now_usec + MAX(pause_usec, SAMPLE_MIN_USEC);
    }
    return c && l->n_untold > 0 ? l->told_usec + TELL_USEC : USEC_INFINITY;
}
