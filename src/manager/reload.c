#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Start and reload are one thing: a generation is prepared beside the one that serves, if there is
 * one, and takes over. */

/* Between two tries to replace a template that died, and how long one must live to be a good one.
 */
#define RECOVER_MIN_USEC    (1 * USEC_PER_SEC)
#define RECOVER_MAX_USEC    (30 * USEC_PER_SEC)
#define RECOVER_PROVED_USEC (60 * USEC_PER_SEC)

static void set_state(Manager *m, ManagerState state)
{
    m->state = state;
    if (state == MANAGER_RELOADING)
        notifier_send(&m->notifier, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reloading",
                      (unsigned long long)clock_monotonic_usec());
}

static void set_ready(Manager *m)
{
    m->state = MANAGER_READY;
    m->status_text[0] = 0;
    m->ready_unsent = notifier_send(&m->notifier, "READY=1") < 0;
    beat_status(m);
}

void reload_resend(Manager *m)
{
    if (m->ready_unsent && m->state == MANAGER_READY)
        m->ready_unsent = notifier_send(&m->notifier, "READY=1") < 0;
}

unsigned reload_ask(Manager *m)
{
    /* One that is under way has read the file already. */
    m->reload_wanted = true;
    settle_later(m);
    return m->reload_number + 1;
}

void reload_begin(Manager *m)
{
    _cleanup_(pool_setup_unrefp) PoolSetup *setup = NULL;
    _cleanup_free_ char *reason = NULL;
    int r;

    m->reload_wanted = false;
    m->reload_number++;
    if (m->state == MANAGER_READY)
        set_state(m, MANAGER_RELOADING);
    r = pool_setup_load(m, false, &setup, &reason);
    /* Our own sockets are what the file said. */
    if (r == 0 && !m->options.foreground)
        mismatch_report(m, setup->config);
    if (r == 0)
        r = generation_start(m, setup, &m->coming);
    if (r < 0)
        reload_refused(m, reason ? reason : strerror(-r));
}

void reload_recover(Manager *m)
{
    uint64_t now_usec = clock_monotonic_usec();
    int r;

    if (now_usec < m->recover_after_usec)
        return; /* the beat comes back to it */
    /* A template that dies again and again is started at growing distances. */
    if (now_usec - m->current->started_usec > RECOVER_PROVED_USEC)
        m->recover_pause_usec = 0;
    m->recover_pause_usec = m->recover_pause_usec ? m->recover_pause_usec * 2 : RECOVER_MIN_USEC;
    m->recover_pause_usec = MIN(m->recover_pause_usec, RECOVER_MAX_USEC);
    m->recover_after_usec = now_usec + m->recover_pause_usec;
    r = generation_start(m, m->current->setup, &m->coming);
    if (r < 0)
        log_error("Another template cannot be started, trying again: %s", strerror(-r));
}

static void log_ready(Manager *m, const Generation *g, bool first)
{
    LogRecord r;

    log_record_begin(&r, LOG_INFO, first ? LOG_MESSAGE_POOL_READY : LOG_MESSAGE_POOL_RELOADED);
    log_record_field(&r, "GENERATION", "%u", g->number);
    log_record_field(&r, "TEMPLATE_PID", "%d", (int)g->template_pid);
    log_record_field(&r, "RUNTIME", "%s", g->config->runtime);
    log_record_send(&r, "%s: %s, pm = %s, %u of at most %u workers",
                    first ? "Ready to handle connections" : "New generation serves", g->version,
                    pool_mode_to_string(g->setup->limits.mode), g->n_workers,
                    g->setup->limits.max_children);
}

static void log_moot(const Manager *m)
{
    if (m->moot & BOARD_MOOT_LANDLOCK)
        log_text(
            LOG_NOTICE, LOG_MESSAGE_SANDBOX_REDUCED,
            "The kernel has no Landlock: workers are kept from each other by not being dumpable");
}

static void reply_reloaded(Manager *m)
{
    char text[160] = "";

    if (m->mismatch_note[0])
        snprintf(text, sizeof(text), "reloaded; %s: \"fpmctl apply\" makes it fit",
                 m->mismatch_note);
    control_reply_reload(m, m->reload_number, 0, text);
}

void reload_succeeded(Manager *m)
{
    Generation *g = m->coming, *old = m->current;
    bool first = m->state == MANAGER_STARTING;

    g->timeout_source = sd_event_source_disable_unref(g->timeout_source);
    m->coming = NULL;
    m->current = g;
    g->state = GENERATION_CURRENT;
    snprintf(m->note, sizeof(m->note), "%s%s", m->mismatch_note, m->mismatch_note[0] ? "; " : "");
    log_set_max_priority(g->config->log_level);
    log_ready(m, g, first);
    if (first)
        log_moot(m);
    if (old)
        generation_leave(old);
    set_ready(m);
    m->scale_wanted = m->poke_wanted = true;
    settle_later(m);
    reply_reloaded(m);
}

void reload_refused(Manager *m, const char *reason)
{
    Generation *g = m->coming;
    bool first = m->state == MANAGER_STARTING;
    LogRecord r;

    log_record_begin(&r, LOG_ERR, first ? LOG_MESSAGE_START_FAILED : LOG_MESSAGE_RELOAD_REFUSED);
    log_record_field(&r, "REASON", "%s", reason);
    log_record_send(&r, "%s: %s",
                    first ? "Pool cannot be started"
                    : m->state == MANAGER_RELOADING
                        ? "Reload refused, nothing changed"
                        : "The template cannot be replaced, trying again",
                    reason);
    if (g)
        generation_leave(g);
    if (first) {
        notifier_send(&m->notifier, "STATUS=Cannot start: %s", reason);
        manager_fail(m, g ? EXIT_STATUS_FAILURE : EXIT_STATUS_CONFIG);
        return;
    }
    snprintf(m->note, sizeof(m->note), "%s (%.110s); ",
             m->state == MANAGER_RELOADING ? "Reload refused" : "Template cannot be replaced",
             reason);
    set_ready(m);
    control_reply_reload(m, m->reload_number, -EINVAL, reason);
}
