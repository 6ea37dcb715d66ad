#include "manager/attempts.h"

#include "base/clock.h"
#include "log/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* A worker's word is enough for a new generation, but not for one after the other. */
#define RENEW_DISTANCE_USEC (10 * USEC_PER_SEC)

/* Whoever replaces one file may replace others. */
#define REPLACED_CALM_USEC (300 * USEC_PER_MSEC)

/* When the process of another one cannot be had. */
#define REPLACE_RETRY_USEC (5 * USEC_PER_SEC)

/* A pause of this length is worth a record. */
#define PAUSE_TOLD_USEC (1 * USEC_PER_SEC)

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
    settle_later(userdata);
    return 0;
}

/* Of several times the earliest: each look finds out what else is to come. */
static void look_at(Manager *m, uint64_t usec)
{
    Attempts *a = m->attempts;
    int enabled = SD_EVENT_OFF, r;
    uint64_t at_usec;

    if (!a->look_source) {
        r = sd_event_add_time(m->event, &a->look_source, CLOCK_MONOTONIC, usec, USEC_PER_MSEC,
                              on_look, m);
        if (r >= 0)
            sd_event_source_set_priority(a->look_source, PRIORITY_TIMER);
        else
            log_error("Cannot set a timer, ignoring: %s", strerror(-r));
        return;
    }
    sd_event_source_get_enabled(a->look_source, &enabled);
    if (enabled != SD_EVENT_OFF && sd_event_source_get_time(a->look_source, &at_usec) >= 0 &&
        at_usec <= usec)
        return;
    sd_event_source_set_time(a->look_source, usec);
    sd_event_source_set_enabled(a->look_source, SD_EVENT_ONESHOT);
}

/* ---- generations ---- */

static void tell_crashes(const Generation *g)
{
    const PoolConfig *c = g->config;
    LogRecord r;

    log_record_begin(&r, LOG_WARNING, LOG_MESSAGE_EMERGENCY_RESTART);
    log_record_field(&r, "GENERATION", "%u", g->number);
    log_record_field(&r, "THRESHOLD", "%u", c->emergency_restart_threshold);
    log_record_field(&r, "INTERVAL_USEC", "%llu",
                     (unsigned long long)c->emergency_restart_interval_usec);
    log_record_send(&r,
                    "%u workers have crashed within %llu s (emergency_restart_threshold): a new "
                    "generation begins, in place of generation %u",
                    c->emergency_restart_threshold,
                    (unsigned long long)(c->emergency_restart_interval_usec / USEC_PER_SEC),
                    g->number);
}

static void tell_replacing(Manager *m)
{
    const Attempts *a = m->attempts;
    const struct {
        LogMessage why;
        const char *text, *detail;
    } rows[] = {
        {LOG_MESSAGE_CACHE_RENEWED, "OPcache wants to begin anew", ""},
        {LOG_MESSAGE_PATH_REPLACED, "A path that the sandbox allows was replaced or has appeared",
         a->replace_name},
        {LOG_MESSAGE_GENERATION_RETIRED, "A worker has died by a signal",
         "sandbox.retire_on_crash"},
    };
    LogRecord r;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].why != a->replace_why)
            continue;
        log_record_begin(&r, LOG_NOTICE, a->replace_why);
        log_record_field(&r, "GENERATION", "%u", m->current->number);
        log_record_send(&r, "%s%s%s%s: a new generation begins, in place of generation %u",
                        rows[i].text, rows[i].detail[0] ? " (" : "", rows[i].detail,
                        rows[i].detail[0] ? ")" : "", m->current->number);
        return;
    }
    tell_crashes(m->current);
}

/* The file does not count: what runs is known to be good, but for its memory. */
static bool begin_generation(Manager *m)
{
    int r = generation_start(m, m->current->setup, &m->coming);
    char reason[128];

    if (r >= 0)
        return true;
    snprintf(reason, sizeof(reason), "the runtime %s cannot be started: %s",
             m->current->config->runtime, strerror(-r));
    reload_not_replaced(m, reason);
    return false;
}

static void replace_generation(Manager *m, uint64_t now_usec)
{
    Attempts *a = m->attempts;

    if (now_usec < a->replace_after_usec) {
        look_at(m, a->replace_after_usec);
        return;
    }
    if (!begin_generation(m)) {
        a->replace_after_usec = now_usec + REPLACE_RETRY_USEC;
        return;
    }
    tell_replacing(m);
    if (a->replace_why == LOG_MESSAGE_EMERGENCY_RESTART)
        m->emergency_restarts++;
    else
        a->renewed_usec = now_usec;
    a->replace_number = 0;
}

static void replace_template(Manager *m, uint64_t now_usec)
{
    Attempts *a = m->attempts;

    /* Once for each death: of the present template, or of one that was to replace it. */
    if (a->noted_number != m->last_number) {
        RecoveryLimits limits = recovery_limits(m->current->config, false);

        a->noted_number = m->last_number;
        a->template_after_usec =
            recovery_decide(&m->recovery, &limits, MISHAP_TEMPLATE, now_usec).until_usec;
    }
    if (now_usec < a->template_after_usec)
        look_at(m, a->template_after_usec);
    else
        begin_generation(m);
}

void recover_template(Manager *m)
{
    uint64_t now_usec = clock_monotonic_usec();

    if (!m->current || m->coming)
        return;
    if (m->current->template_pid == 0)
        replace_template(m, now_usec);
    else if (m->attempts->replace_number == m->current->number)
        replace_generation(m, now_usec);
}

void recover_on_replaced(Manager *m, const char *path)
{
    Attempts *a = m->attempts;
    uint64_t now_usec = clock_monotonic_usec();
    unsigned number;

    /* One that is on its way may have looked before. */
    number = m->coming ? m->coming->number : m->current ? m->current->number : 0;
    if (number == 0 || a->replace_number == number)
        return;
    a->replace_number = number;
    a->replace_why = LOG_MESSAGE_PATH_REPLACED;
    a->replace_after_usec = now_usec + REPLACED_CALM_USEC;
    if (a->renewed_usec > 0)
        a->replace_after_usec = MAX(a->replace_after_usec, a->renewed_usec + RENEW_DISTANCE_USEC);
    snprintf(a->replace_name, sizeof(a->replace_name), "%s", path);
    settle_later(m);
}

void recover_on_renew(Worker *w)
{
    Manager *m = w->manager;
    Attempts *a = m->attempts;
    uint64_t now_usec = clock_monotonic_usec();

    if (w->generation != m->current || a->replace_number == m->current->number)
        return;
    a->replace_number = m->current->number;
    a->replace_why = LOG_MESSAGE_CACHE_RENEWED;
    a->replace_after_usec = a->renewed_usec > 0 ? a->renewed_usec + RENEW_DISTANCE_USEC : now_usec;
    settle_later(m);
}

/* Whoever took the worker over may have changed what it shares with its siblings. */
static void on_harm(Manager *m, uint64_t now_usec)
{
    Attempts *a = m->attempts;

    if (a->replace_number == m->current->number && a->replace_after_usec <= now_usec)
        return;
    a->replace_number = m->current->number;
    a->replace_why = LOG_MESSAGE_GENERATION_RETIRED;
    a->replace_after_usec =
        a->renewed_usec > 0 ? MAX(now_usec, a->renewed_usec + RENEW_DISTANCE_USEC) : now_usec;
    settle_later(m);
}

/* ---- workers ---- */

/* Whether one that was ordered after the last that died unborn has begun a request since. */
static bool has_served_since(Manager *m, uint64_t usec, uint64_t now_usec)
{
    for (Worker *w = m->workers; w; w = w->next) {
        BoardSlot slot;

        if (w->phase == WORKER_DEAD || w->pid <= 0 || w->generation != m->current ||
            w->started_usec < usec)
            continue;
        worker_read_slot(w, now_usec, &slot);
        if (slot.requests > 0)
            return true;
    }
    return false;
}

static void on_unborn(Manager *m, const RecoveryLimits *limits, uint64_t now_usec)
{
    Recovery *r = &m->recovery;
    unsigned before = r->n_in_row[MISHAP_UNBORN];
    RecoveryDecision d;
    LogRecord record;

    if (before > 0 && has_served_since(m, r->last_usec[MISHAP_UNBORN], now_usec))
        recovery_went_well(r, MISHAP_UNBORN);
    d = recovery_decide(r, limits, MISHAP_UNBORN, now_usec);
    m->respawn_after_usec = MAX(m->respawn_after_usec, d.until_usec);
    if (d.n_tries == before || d.until_usec - now_usec < PAUSE_TOLD_USEC)
        return;
    log_record_begin(&record, LOG_WARNING, LOG_MESSAGE_POOL_WAITING);
    log_record_field(&record, "ATTEMPT", "%u", d.n_tries);
    log_record_field(&record, "PAUSE_USEC", "%llu", (unsigned long long)(d.until_usec - now_usec));
    log_record_send(&record,
                    "Workers die before their first request: the next ones are ordered in %llu s "
                    "(attempt %u)",
                    (unsigned long long)((d.until_usec - now_usec) / USEC_PER_SEC), d.n_tries + 1);
}

static void on_fault(Manager *m, const RecoveryLimits *limits, uint64_t now_usec)
{
    Attempts *a = m->attempts;

    if (recovery_decide(&m->recovery, limits, MISHAP_FAULT, now_usec).remedy != REMEDY_GENERATION)
        return;
    a->replace_number = m->current->number;
    a->replace_why = LOG_MESSAGE_EMERGENCY_RESTART;
    a->replace_after_usec = now_usec;
    settle_later(m);
}

void recover_on_worker_exit(Worker *w, int code, int status, bool crashed, bool was_registered)
{
    Manager *m = w->manager;
    RecoveryLimits limits = recovery_limits(w->generation->config, false);
    uint64_t now_usec = clock_monotonic_usec();
    bool fault =
        (code == CLD_KILLED || code == CLD_DUMPED) && (status == SIGSEGV || status == SIGBUS);

    limits_on_worker_exit(w, code, status);
    /* What is being prepared fails as a whole, see worker_on_exit(); a generation that leaves gets
     * no more workers, and is gone with its memory soon. */
    if (!crashed || w->generation != m->current)
        return;
    if (fault)
        on_fault(m, &limits, now_usec);
    if (w->generation->config->sandbox_retire_on_crash &&
        (code == CLD_KILLED || code == CLD_DUMPED) && !w->ran_out)
        on_harm(m, now_usec);
    if (!was_registered || w->counted.requests == 0)
        on_unborn(m, &limits, now_usec);
    else if (!fault)
        recovery_decide(&m->recovery, &limits, MISHAP_CRASH, now_usec);
}

uint64_t recover_fork_after_usec(const Manager *m)
{
    return m->respawn_after_usec;
}

void recover_served(Manager *m)
{
    attempts_succeeded(m);
    recovery_went_well(&m->recovery, MISHAP_RELOAD);
    recovery_went_well(&m->recovery, MISHAP_FAULT);
    recovery_went_well(&m->recovery, MISHAP_UNBORN);
    m->respawn_after_usec = 0;
}
