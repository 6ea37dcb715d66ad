#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Start and reload are one thing: a generation is prepared beside the one that serves, if there is
 * one, and takes over. */

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
    notifier_send(&m->notifier, "READY=1");
    beat_status(m);
}

static void reload_again(Manager *m)
{
    if (m->reload_again) {
        m->reload_again = false;
        reload_begin(m);
    }
}

void reload_begin(Manager *m)
{
    _cleanup_free_ char *reason = NULL;
    PoolConfig *config = NULL;
    PoolIds ids = {0};
    int r;

    if (m->state == MANAGER_STOPPING) {
        control_reply_reload(m, -ESHUTDOWN, "the pool is stopping");
        return;
    }
    if (m->coming) {
        /* The file may have changed after it was read. */
        m->reload_again = true;
        return;
    }
    if (m->state == MANAGER_READY)
        set_state(m, MANAGER_RELOADING);

    r = manager_load_config(m, false, &config, &ids, &reason);
    if (r == 0) {
        r = generation_start(m, config, &ids, &m->coming);
        if (r < 0) {
            pool_config_free(config);
            pool_ids_done(&ids);
        }
    }
    if (r < 0)
        reload_refused(m, reason ? reason : strerror(-r));
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
                    pool_mode_to_string(g->limits.mode), g->n_workers, g->limits.max_children);
}

static void log_moot(const Manager *m)
{
    if (m->moot & BOARD_MOOT_LANDLOCK)
        log_text(
            LOG_NOTICE, LOG_MESSAGE_SANDBOX_REDUCED,
            "The kernel has no Landlock: workers are kept from each other by not being dumpable");
}

void reload_succeeded(Manager *m)
{
    Generation *g = m->coming, *old = m->current;
    bool first = m->state == MANAGER_STARTING;

    m->coming = NULL;
    m->current = g;
    g->state = GENERATION_CURRENT;
    m->note[0] = 0;
    log_set_max_priority(g->config->log_level);
    log_ready(m, g, first);
    if (first)
        log_moot(m);
    if (old)
        generation_leave(old);
    set_ready(m);
    scale(m);
    scale_poke(m);
    control_reply_reload(m, 0, "");
    reload_again(m);
}

void reload_refused(Manager *m, const char *reason)
{
    Generation *g = m->coming;
    bool first = m->state == MANAGER_STARTING;
    char text[LINK_TEXT_SIZE + 64];
    LogRecord r;

    /* The reason may live in the generation that is given up here. */
    snprintf(text, sizeof(text), "%s", reason);
    log_record_begin(&r, LOG_ERR, first ? LOG_MESSAGE_START_FAILED : LOG_MESSAGE_RELOAD_REFUSED);
    log_record_field(&r, "REASON", "%s", text);
    log_record_send(&r, "%s: %s",
                    first ? "Pool cannot be started" : "Reload refused, nothing changed", text);
    if (g)
        generation_leave(g);
    if (first) {
        notifier_send(&m->notifier, "STATUS=Cannot start: %s", text);
        manager_fail(m, g ? EXIT_STATUS_FAILURE : EXIT_STATUS_CONFIG);
        return;
    }
    if (m->state == MANAGER_STOPPING)
        return;
    snprintf(m->note, sizeof(m->note), "Reload refused (%.120s); ", text);
    set_ready(m);
    control_reply_reload(m, -EINVAL, text);
    reload_again(m);
}
