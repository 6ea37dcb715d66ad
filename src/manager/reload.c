#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Start and reload are one thing: a generation is prepared beside the one that serves, if there is
 * one, and takes over. */

static void send_ready(Manager *m)
{
    m->status_text[0] = 0;
    m->ready_unsent = notifier_send(&m->notifier, "READY=1") < 0;
    if (m->ready_usec == 0)
        m->ready_usec = clock_monotonic_usec();
    beat_status(m);
}

void reload_resend(Manager *m)
{
    if (m->ready_unsent && (m->state == MANAGER_READY || m->state == MANAGER_DRAINING))
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
    m->reloading = true;
    m->reload_number++;
    /* In every outcome READY=1 follows. */
    if (m->ready_usec > 0)
        notifier_send(&m->notifier, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reloading",
                      (unsigned long long)clock_monotonic_usec());
    r = pool_setup_load(m, false, &setup, &reason);
    /* Our own sockets are what the file said. */
    if (r == 0 && !m->options.foreground)
        mismatch_report(m, setup->config);
    if (r == 0) {
        r = generation_start(m, setup, &m->coming);
        if (r < 0 && asprintf(&reason, "the runtime %s cannot be started: %s",
                              setup->config->runtime, strerror(-r)) < 0)
            reason = NULL;
    }
    if (r < 0)
        manager_event_because(m, POOL_EVENT_FAILED, reason ? reason : strerror(-r));
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

/* What is weaker than it was, or than it was asked for at the start. */
static void log_moot(unsigned bits)
{
    static const struct {
        unsigned bit;
        int priority;
        const char *text;
    } rows[] = {
        {BOARD_MOOT_LANDLOCK, LOG_NOTICE,
         "The kernel has no Landlock: workers are kept from each other by not being dumpable"},
        {BOARD_MOOT_PATHS, LOG_WARNING,
         "The kernel has no Landlock: sandbox.read, sandbox.write and sandbox.exec_paths restrict "
         "nothing, as sandbox.landlock = if-available allows"},
        {BOARD_MOOT_TCP, LOG_WARNING,
         "The kernel's Landlock is too old for ports (Linux 6.7): sandbox.tcp_connect restricts "
         "nothing, as sandbox.landlock = if-available allows"},
        {BOARD_MOOT_SCOPES, LOG_INFO,
         "The kernel's Landlock is too old for scopes (Linux 6.12): workers can signal each other "
         "and reach abstract sockets of other services"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (bits & rows[i].bit)
            log_text(rows[i].priority, LOG_MESSAGE_SANDBOX_REDUCED, "%s", rows[i].text);
}

static void reply_reloaded(Manager *m)
{
    char text[224];

    snprintf(text, sizeof(text), "reloaded, generation %u%s%s%s", m->current->number,
             m->mismatch_note[0] ? "; " : "", m->mismatch_note,
             m->mismatch_note[0] ? ": \"fpmctl apply\" makes it fit" : "");
    control_reply_reload(m, m->reload_number, 0, text);
}

void reload_take_over(Manager *m)
{
    Generation *g = m->coming, *old = m->current;
    bool first = m->ready_usec == 0;

    recover_served(m);
    g->timeout_source = sd_event_source_disable_unref(g->timeout_source);
    m->coming = NULL;
    m->current = g;
    g->state = GENERATION_CURRENT;
    snprintf(m->note, sizeof(m->note), "%s%s", m->mismatch_note, m->mismatch_note[0] ? "; " : "");
    log_set_max_priority(g->config->log_level);
    log_ready(m, g, first);
    log_moot(g->moot & ~(old ? old->moot : 0));
    if (old)
        generation_leave(old, true);
    porter_renew(m);
    send_ready(m);
    m->scale_wanted = m->poke_wanted = true;
    settle_later(m);
    if (!m->reloading)
        return;
    m->reloading = false;
    m->reloads += !first;
    reply_reloaded(m);
}

static void log_refused(LogMessage message, const char *what, const char *reason)
{
    LogRecord r;

    log_record_begin(&r, LOG_ERR, message);
    log_record_field(&r, "REASON", "%s", reason);
    log_record_send(&r, "%s: %s", what, reason);
}

/* What was being prepared goes. The exit status that the manager would have for it. */
static int drop_coming(Manager *m)
{
    int status = m->coming ? EXIT_STATUS_FAILURE : EXIT_STATUS_CONFIG;

    m->reloading = false;
    if (m->coming)
        generation_leave(m->coming, true);
    return status;
}

void reload_start_failed(Manager *m, const char *reason)
{
    /* It may be in the generation that goes. */
    _cleanup_free_ char *copy = strdup(reason);
    int status = drop_coming(m);

    reason = copy ? copy : "not enough memory";
    if (!recover_is_retrying(m)) {
        log_refused(LOG_MESSAGE_START_FAILED, "Pool cannot be started", reason);
        notifier_status(&m->notifier, "Cannot start: %s", reason);
    }
    control_reply_reload(m, m->reload_number, -EINVAL, reason);
    recover_start_failed(m, reason, status);
}

void reload_refused(Manager *m, const char *reason)
{
    _cleanup_free_ char *copy = strdup(reason);

    drop_coming(m);
    reason = copy ? copy : "not enough memory";
    m->reloads_refused++;
    log_refused(LOG_MESSAGE_RELOAD_REFUSED, "Reload refused, nothing changed", reason);
    snprintf(m->note, sizeof(m->note), "Reload refused (%.110s); ", reason);
    send_ready(m);
    control_reply_reload(m, m->reload_number, -EINVAL, reason);
}

void reload_not_replaced(Manager *m, const char *reason)
{
    log_refused(LOG_MESSAGE_RELOAD_REFUSED, "The template cannot be replaced, trying again",
                reason);
    snprintf(m->note, sizeof(m->note), "Template cannot be replaced (%.110s); ", reason);
    drop_coming(m);
    beat_status(m);
    settle_later(m);
}
