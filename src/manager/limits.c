#include "manager/limits_private.h"

#include "base/clock.h"
#include "log/log.h"
#include "manager/slow.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* How long an old worker waits at most for the next look whether its successor serves. */
#define EXPIRY_LOOK_USEC (1 * USEC_PER_SEC)

static bool is_alive(const Worker *w)
{
    return w->phase != WORKER_DEAD && w->phase != WORKER_ENDING;
}

/* ---- request_terminate_timeout ---- */

static void tell_stopped(const Worker *w, const BoardSlot *slot, bool ended, uint64_t now_usec)
{
    const PoolConfig *c = w->generation->config;
    uint64_t ran_usec = now_usec - MAX(slot->request_started_usec, w->started_usec);
    const char *script = slot->script[0] ? slot->script : "a request without a script";
    LogRecord r;

    log_record_begin(&r, LOG_WARNING, LOG_MESSAGE_WORKER_STOPPED);
    log_record_field(&r, "WORKER_PID", "%d", (int)w->pid);
    log_record_field(&r, "WORKER_SLOT", "%u", w->slot_number);
    log_record_field(&r, "GENERATION", "%u", w->generation->number);
    log_record_field(&r, "SCRIPT", "%s", slot->script);
    log_record_field(&r, "REQUEST_METHOD", "%s", slot->method);
    log_record_field(&r, "REQUEST_URI", "%s", slot->uri);
    if (slot->request_id[0])
        log_record_field(&r, "REQUEST_ID", "%s", slot->request_id);
    log_record_field(&r, "DURATION_USEC", "%llu", (unsigned long long)ran_usec);
    log_record_field(&r, "STEP", "%s", ended ? "end" : "stop");
    if (ended)
        log_record_send(&r,
                        "Worker %d: %s has not stopped within request_terminate_grace "
                        "(%llu s): the worker is ended",
                        (int)w->pid, script,
                        (unsigned long long)(c->request_terminate_grace_usec / USEC_PER_SEC));
    else
        log_record_send(&r,
                        "Worker %d: %s has run for %llu.%llu s (request_terminate_timeout is %llu "
                        "s): it is told to stop",
                        (int)w->pid, script, (unsigned long long)(ran_usec / USEC_PER_SEC),
                        (unsigned long long)(ran_usec % USEC_PER_SEC / (100 * USEC_PER_MSEC)),
                        (unsigned long long)(c->request_terminate_timeout_usec / USEC_PER_SEC));
}

static void request_stop(Worker *w, const BoardSlot *slot, uint64_t now_usec)
{
    tell_stopped(w, slot, false, now_usec);
    w->stop_asked_usec = now_usec;
    w->stop_asked_request_usec = slot->request_started_usec;
    /* It looks itself whether that request still runs when the signal arrives. */
    link_signal(w->pid, LINK_SIGNAL_STOP, 504);
}

static void request_end(Worker *w, const BoardSlot *slot, uint64_t now_usec)
{
    tell_stopped(w, slot, true, now_usec);
    leftover_expect(w->manager, &w->manager->limits->leftover, w->pid);
    worker_end(w, 504);
}

/* One that was told to stop: true while its request runs on, then with the time at which it is to
 * be ended. What a worker says of a request that it has begun since is its word; it gets the time
 * of any request again. */
static bool request_goes_on(Worker *w, const BoardSlot *slot, uint64_t now_usec, uint64_t *ret)
{
    const PoolConfig *c = w->generation->config;
    bool busy = slot->state == WORKER_STATE_RUNNING || slot->state == WORKER_STATE_FINISHING;

    if (w->stop_asked_usec == 0)
        return false;
    if (!busy || slot->request_started_usec != w->stop_asked_request_usec) {
        w->stop_asked_usec = 0;
        return false;
    }
    *ret = w->stop_asked_usec + c->request_terminate_grace_usec;
    if (now_usec >= *ret) {
        request_end(w, slot, now_usec);
        *ret = USEC_INFINITY;
    }
    return true;
}

/* Returns when to look again: when its time will be over, of one without a request that of the
 * earliest that it may begin. */
static uint64_t look_at_end(Worker *w, const BoardSlot *slot, uint64_t now_usec)
{
    const PoolConfig *c = w->generation->config;
    uint64_t timeout_usec = c->request_terminate_timeout_usec, next_usec, started_usec;

    if (timeout_usec == 0)
        return USEC_INFINITY;
    if (request_goes_on(w, slot, now_usec, &next_usec))
        return next_usec == USEC_INFINITY ? next_usec : MIN(next_usec, now_usec + timeout_usec);
    if (slot->state != WORKER_STATE_RUNNING &&
        !(slot->state == WORKER_STATE_FINISHING && c->request_terminate_timeout_track_finished))
        return now_usec + timeout_usec;
    started_usec = MAX(slot->request_started_usec, w->started_usec);
    if (now_usec - started_usec < timeout_usec)
        return started_usec + timeout_usec;
    request_stop(w, slot, now_usec);
    /* It may end at once, and the next one begin. */
    return now_usec + MIN(c->request_terminate_grace_usec, timeout_usec);
}

/* Acts on the request of one worker; when to look again. */
static uint64_t look_at_request(Worker *w, uint64_t now_usec)
{
    const PoolConfig *c = w->generation->config;
    uint64_t end_usec = c->request_terminate_timeout_usec, slow_usec = c->slowlog_timeout_usec;
    BoardSlot slot;

    if ((end_usec == 0 && slow_usec == 0) || !is_alive(w))
        return USEC_INFINITY;
    if (w->pid <= 0)
        return now_usec +
               MIN(end_usec > 0 ? end_usec : slow_usec, slow_usec > 0 ? slow_usec : end_usec);
    worker_read_slot(w, now_usec, &slot);
    slow_usec = slow_look(w, &slot, now_usec);
    end_usec = look_at_end(w, &slot, now_usec);
    return MIN(slow_usec, end_usec);
}

static uint64_t look_at_requests(Manager *m, uint64_t now_usec)
{
    uint64_t next_usec = USEC_INFINITY;

    for (Worker *w = m->workers; w; w = w->next) {
        uint64_t usec = look_at_request(w, now_usec);

        next_usec = MIN(next_usec, usec);
    }
    return next_usec;
}

void limits_on_worker_exit(Worker *w, int code, int status)
{
    Manager *m = w->manager;

    if (w->stop_asked_usec == 0 || w->end_asked_usec == 0)
        return;
    m->workers_ended++;
    leftover_end(m, &m->limits->leftover);
}

/* ---- pm.max_lifetime ---- */

/* Workers that were started together shall not end together: some a tenth earlier. */
static uint64_t lifetime_end(const Worker *w, uint64_t lifetime_usec)
{
    uint64_t hash = ((uint64_t)w->pid << 32 ^ w->slot_number) * UINT64_C(0x9e3779b97f4a7c15);

    hash ^= hash >> 29;
    return w->started_usec + lifetime_usec - hash % (lifetime_usec / 10 + 1);
}

/* Its successor serves, if the pool wants one. */
static bool may_leave(const Manager *m, uint64_t now_usec)
{
    if (m->current->link_fd < 0 || now_usec < recover_fork_after_usec(m))
        return false;
    for (const Worker *w = m->workers; w; w = w->next)
        if (w->generation == m->current &&
            (w->phase == WORKER_ORDERED || w->phase == WORKER_SETTING_UP))
            return false;
    return true;
}

/* One after the other: first a successor is ordered (worker_expire() makes scale() do that), and
 * when it serves the old one leaves, with what it holds in the hands of the porter. */
static uint64_t look_at_lifetimes(Manager *m, uint64_t now_usec)
{
    uint64_t lifetime_usec = m->current ? m->current->config->pm_max_lifetime_usec : 0;
    uint64_t next_usec = USEC_INFINITY;
    Worker *expired = NULL, *due = NULL;

    m->limits->expiring = false;
    if (lifetime_usec == 0)
        return USEC_INFINITY;
    for (Worker *w = m->workers; w; w = w->next) {
        if (w->generation != m->current)
            continue;
        if (w->phase == WORKER_EXPIRED)
            expired = w;
        if (w->phase < WORKER_READY)
            next_usec = MIN(next_usec, now_usec + lifetime_usec - lifetime_usec / 10);
        if (w->phase != WORKER_READY)
            continue;
        if (w->retire_at_usec == 0)
            w->retire_at_usec = lifetime_end(w, lifetime_usec);
        if (w->retire_at_usec > now_usec)
            next_usec = MIN(next_usec, w->retire_at_usec);
        else if (!due || w->retire_at_usec < due->retire_at_usec)
            due = w;
    }
    if (expired && may_leave(m, now_usec)) {
        worker_retire(expired, true);
        expired = NULL;
    }
    if (!expired && due) {
        worker_expire(due);
        expired = due;
    }
    m->limits->expiring = expired;
    return expired ? now_usec + EXPIRY_LOOK_USEC : next_usec;
}

/* ---- when to look ---- */

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;

    /* While the pool stops, nothing but requests has a limit. */
    if (m->state == MANAGER_STOPPING)
        limits_look(m, clock_monotonic_usec());
    else
        settle_later(m);
    return 0;
}

static void look_again_at(Manager *m, uint64_t usec)
{
    Limits *l = m->limits;
    int r;

    if (usec == USEC_INFINITY) {
        if (l->source)
            sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
        return;
    }
    if (l->source) {
        sd_event_source_set_time(l->source, usec);
        r = sd_event_source_set_enabled(l->source, SD_EVENT_ONESHOT);
    } else {
        r = sd_event_add_time(m->event, &l->source, CLOCK_MONOTONIC, usec, USEC_PER_MSEC, on_limit,
                              m);
        if (r >= 0)
            sd_event_source_set_priority(l->source, PRIORITY_TIMER);
    }
    if (r < 0)
        log_error("Cannot set a timer for limits of time, ignoring: %s", strerror(-r));
}

void limits_look(Manager *m, uint64_t now_usec)
{
    Limits *l = m->limits;
    bool serves = m->state != MANAGER_STOPPING && m->state != MANAGER_GONE;
    uint64_t next_usec;

    /* Other workers, other settings: what was known of the future does not hold. */
    if (l->seen_started != m->workers_started || l->seen_current != m->current) {
        l->seen_started = m->workers_started;
        l->seen_current = m->current;
        l->requests_usec = l->lifetimes_usec = 0;
    }
    if (now_usec >= l->requests_usec)
        l->requests_usec = look_at_requests(m, now_usec);
    if (!serves)
        l->lifetimes_usec = USEC_INFINITY;
    else if (now_usec >= l->lifetimes_usec || l->expiring)
        l->lifetimes_usec = look_at_lifetimes(m, now_usec);
    l->queue_usec = serves ? limits_look_at_queue(m, now_usec) : USEC_INFINITY;
    next_usec = MIN(l->requests_usec, l->lifetimes_usec);
    look_again_at(m, MIN(next_usec, l->queue_usec));
}

int limits_start(Manager *m)
{
    m->limits = calloc(1, sizeof(*m->limits));
    return m->limits ? 0 : -ENOMEM;
}

void limits_done(Manager *m)
{
    if (!m->limits)
        return;
    sd_event_source_disable_unref(m->limits->source);
    leftover_done(&m->limits->leftover);
    free(TAKE_PTR(m->limits));
}
