#include "manager/manager.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/trim.h"
#include "log/log.h"
#include "manager/logfile.h"

#include <stdio.h>
#include <string.h>

/* Requests do not wake the manager, so the figures for people are fetched: often while something
 * happens, seldom otherwise. */
#define BEAT_MIN_USEC (1 * USEC_PER_SEC)
#define BEAT_MAX_USEC (10 * USEC_PER_SEC)

/* systemd(1): the next message has to come before that. */
#define EXTEND_USEC (10 * USEC_PER_SEC)

static void serving_status(Manager *m, char *text, size_t size)
{
    char earlier[64] = "";
    ScaleCounts c;

    scale_count(m, &c);
    if (c.earlier > 0)
        snprintf(earlier, sizeof(earlier), ", %u of an earlier generation finish%s", c.earlier,
                 c.earlier == 1 ? "es" : "");
    snprintf(text, size, "%s%s%u active, %u idle, %llu requests, %llu.%llu req/s%s",
             m->state == MANAGER_DRAINING ? "Draining: " : "", m->note, c.active, c.idle,
             (unsigned long long)m->requests, (unsigned long long)(m->requests_per_ksec / 1000),
             (unsigned long long)(m->requests_per_ksec % 1000 / 100), earlier);
}

void beat_status(Manager *m)
{
    char text[sizeof(m->status_text)];

    if (m->stop)
        stop_status(m, text, sizeof(text));
    else if (recover_is_retrying(m))
        recover_status(m, text, sizeof(text));
    else if (!m->current)
        snprintf(text, sizeof(text), "Starting the runtime");
    else
        serving_status(m, text, sizeof(text));
    if (strcmp(text, m->status_text) == 0)
        return;
    /* What PID 1 does not take now is sent with the next beat. */
    if (notifier_status(&m->notifier, "%s", text) == 0)
        memcpy(m->status_text, text, sizeof(text));
}

/* What we do has limits of its own (pm.start_timeout), which the unit's shall not cut shorter. One
 * that waits for its next try says itself how long. */
static void extend_timeout(Manager *m)
{
    if (m->coming && (m->state == MANAGER_STARTING || m->state == MANAGER_RELOADING))
        notifier_send(&m->notifier, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)EXTEND_USEC);
}

/* The pool has become quiet: what its start and its growth needed goes back. */
static void rest(void)
{
    _cleanup_fd_ int fd = trim_open();

    trim_code(fd);
    trim_heap();
    trim_stack();
}

static int on_beat(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;
    uint64_t now_usec = clock_monotonic_usec();
    uint64_t passed_usec = now_usec - m->beat_at_usec;
    uint64_t done, wait_usec;
    ScaleCounts c;

    m->scale_wanted = true;
    settle_later(m);
    reload_resend(m);
    control_wake(m);
    porter_count(m);
    extend_timeout(m);
    scale_count(m, &c);
    listeners_mend(&m->listeners);
    figures_note_queue(m, now_usec, &wait_usec);
    logfiles_look(m, now_usec);
    done = m->requests - m->requests_beat;
    if (passed_usec > 0)
        m->requests_per_ksec = done * 1000 * USEC_PER_SEC / passed_usec;
    m->beat_usec = done > 0 || c.active > 0 || m->state != MANAGER_READY
                       ? BEAT_MIN_USEC
                       : MIN(m->beat_usec * 2, BEAT_MAX_USEC);
    m->requests_beat = m->requests;
    m->beat_at_usec = now_usec;
    beat_status(m);
    log_flush();
    if (m->beat_usec == 2 * BEAT_MIN_USEC)
        rest();

    sd_event_source_set_time(source, now_usec + m->beat_usec);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void beat_soon(Manager *m)
{
    uint64_t at_usec, soon_usec = clock_monotonic_usec() + BEAT_MIN_USEC;

    m->beat_usec = BEAT_MIN_USEC;
    if (m->beat_source && sd_event_source_get_time(m->beat_source, &at_usec) >= 0 &&
        at_usec > soon_usec)
        sd_event_source_set_time(m->beat_source, soon_usec);
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;

    notifier_send(&m->notifier, "WATCHDOG=1");
    sd_event_source_set_time_relative(source, m->watchdog_usec / 3);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int beat_start(Manager *m)
{
    uint64_t now_usec = clock_monotonic_usec();
    int r;

    m->beat_usec = BEAT_MIN_USEC;
    m->beat_at_usec = now_usec;
    r = sd_event_add_time(m->event, &m->beat_source, CLOCK_MONOTONIC, now_usec + m->beat_usec, 0,
                          on_beat, m);
    if (r < 0)
        return r;
    sd_event_source_set_priority(m->beat_source, PRIORITY_TIMER);
    if (m->watchdog_usec == 0)
        return 0;
    /* A third of the limit: one late beat does not count. From the loop, so that it proves that the
     * loop turns. */
    r = sd_event_add_time(m->event, &m->watchdog_source, CLOCK_MONOTONIC,
                          now_usec + m->watchdog_usec / 3, 0, on_watchdog, m);
    if (r < 0)
        return r;
    sd_event_source_set_priority(m->watchdog_source, PRIORITY_WATCHDOG);
    return 0;
}
