#include "manager/manager.h"

#include "base/clock.h"
#include "log/log.h"

/* The two ways in which a pool leaves on its own: it has been idle for long, or it was drained. */

/* How long nobody but pings may have come, when who drains does not say. */
#define QUIET_DEFAULT_USEC (3 * USEC_PER_SEC)
/* Requests do not wake the manager: while it drains it looks this often. */
#define DRAIN_LOOK_USEC (200 * USEC_PER_MSEC)
/* systemd shuts a socket that starts its service 20 times within 2 s (systemd.socket(5),
 * TriggerLimitBurst=). */
#define UPTIME_MIN_USEC (1 * USEC_PER_SEC)

struct Leaving {
    sd_event_source *idle_source;
    uint64_t look_usec; /* when to look next whether the pool is idle; 0: now */
    uint64_t idle_usec; /* idle_exit when that was set */
    sd_event_source *drain_source;
    uint64_t quiet_usec;
    uint64_t quiet_since_usec;
    uint64_t served; /* requests but pings at the last look */
};

static struct Leaving *leaving(Manager *m)
{
    if (!m->leaving)
        m->leaving = calloc(1, sizeof(*m->leaving));
    if (!m->leaving)
        log_error("Not enough memory, ignoring: the pool will not leave on its own");
    return m->leaving;
}

void leaving_done(Manager *m)
{
    if (!m->leaving)
        return;
    sd_event_source_disable_unref(m->leaving->idle_source);
    sd_event_source_disable_unref(m->leaving->drain_source);
    free(m->leaving);
    m->leaving = NULL;
}

static int set_timer(Manager *m, sd_event_source **source, uint64_t usec,
                     sd_event_time_handler_t handler)
{
    int r;

    if (*source) {
        sd_event_source_set_time(*source, usec);
        return sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
    }
    r = sd_event_add_time(m->event, source, CLOCK_MONOTONIC, usec, USEC_PER_MSEC, handler, m);
    return r < 0 ? r : sd_event_source_set_priority(*source, PRIORITY_TIMER);
}

/* Somebody is at work, or about to be: read from the slots, which are up to date after this. */
static bool is_busy(Manager *m, uint64_t now_usec)
{
    bool busy = listeners_queued(&m->listeners, 0) > 0;

    for (Worker *w = m->workers; w; w = w->next) {
        BoardSlot slot;

        if (w->phase == WORKER_DEAD)
            continue;
        worker_read_slot(w, now_usec, &slot);
        busy |= w->phase < WORKER_READY || slot.state == WORKER_STATE_RUNNING ||
                slot.state == WORKER_STATE_FINISHING || slot.state == WORKER_STATE_READING;
    }
    return busy;
}

/* ---- idle ---- */

static int on_idle_time(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;

    m->leaving->look_usec = 0;
    leaving_look(m, clock_monotonic_usec());
    return 0;
}

static void look_again(Manager *m, uint64_t usec)
{
    struct Leaving *l = m->leaving;

    l->look_usec = usec;
    if (set_timer(m, &l->idle_source, usec, on_idle_time) < 0)
        log_error("Cannot set a timer, ignoring: the pool will not leave when it is idle");
}

static void leave_idle(Manager *m, uint64_t idle_usec)
{
    LogRecord r;

    log_record_begin(&r, LOG_INFO, LOG_MESSAGE_POOL_IDLE);
    log_record_field(&r, "IDLE_USEC", "%llu", (unsigned long long)idle_usec);
    log_record_send(&r,
                    "Nobody has asked for anything for %llu s (idle_exit): the pool leaves; the "
                    "next connection starts it again",
                    (unsigned long long)(idle_usec / USEC_PER_SEC));
    manager_event(m, POOL_EVENT_IDLE);
}

void leaving_look(Manager *m, uint64_t now_usec)
{
    uint64_t idle_usec = m->current ? m->current->config->idle_exit_usec : 0, since_usec, due_usec;
    struct Leaving *l;

    /* Without systemd nobody would start the pool again. */
    if (idle_usec == 0 || m->options.foreground ||
        manager_would(m, POOL_EVENT_IDLE) != POOL_ACTION_LEAVE)
        return;
    l = leaving(m);
    if (!l || (l->look_usec > now_usec && l->idle_usec == idle_usec))
        return;
    l->idle_usec = idle_usec;
    if (is_busy(m, now_usec)) {
        look_again(m, now_usec + idle_usec);
        return;
    }
    since_usec = MAX(m->last_active_usec, m->ready_usec);
    due_usec = MAX(since_usec + idle_usec, m->ready_usec + UPTIME_MIN_USEC);
    if (now_usec < due_usec)
        look_again(m, due_usec);
    else if (m->coming || m->reexec || m->reload_wanted || control_is_waited_for(m))
        look_again(m, now_usec + USEC_PER_SEC);
    else
        leave_idle(m, idle_usec);
}

/* ---- drain ---- */

static int on_drain_time(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;
    struct Leaving *l = m->leaving;
    uint64_t now_usec = clock_monotonic_usec();
    bool busy = is_busy(m, now_usec);

    if (m->state != MANAGER_DRAINING)
        return 0;
    if (busy || m->requests - m->pings != l->served) {
        l->served = m->requests - m->pings;
        l->quiet_since_usec = now_usec;
    }
    if (now_usec - l->quiet_since_usec >= l->quiet_usec && !m->coming && !m->reload_wanted) {
        manager_event_because(m, POOL_EVENT_QUIET, "drained");
        return 0;
    }
    set_timer(m, &l->drain_source, now_usec + DRAIN_LOOK_USEC, on_drain_time);
    return 0;
}

void leaving_drain(Manager *m, uint64_t quiet_usec)
{
    struct Leaving *l = leaving(m);

    if (!l)
        return;
    l->quiet_usec = quiet_usec ? quiet_usec : QUIET_DEFAULT_USEC;
    manager_event(m, POOL_EVENT_DRAIN);
}

void leaving_drain_begin(Manager *m, const char *reason)
{
    struct Leaving *l = m->leaving;
    uint64_t now_usec = clock_monotonic_usec();
    int r;

    log_text(LOG_NOTICE, LOG_MESSAGE_POOL_DRAINING,
             "The pool is being drained: pings answer 503, and it leaves when nobody else has "
             "asked for anything for %llu.%llu s",
             (unsigned long long)(l->quiet_usec / USEC_PER_SEC),
             (unsigned long long)(l->quiet_usec % USEC_PER_SEC / (100 * USEC_PER_MSEC)));
    for (Worker *w = m->workers; w; w = w->next)
        worker_drain(w);
    porter_drain(m);
    is_busy(m, now_usec);
    l->served = m->requests - m->pings;
    l->quiet_since_usec = now_usec;
    r = set_timer(m, &l->drain_source, now_usec + DRAIN_LOOK_USEC, on_drain_time);
    if (r < 0)
        log_error("Cannot set a timer, ignoring: the pool drains until it is stopped");
    beat_status(m);
    beat_soon(m);
}
