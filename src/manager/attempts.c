#include "manager/attempts.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/utf8.h"
#include "log/log.h"
#include "manager/counter.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/*
 * A start that fails. The first one ends the process at once, since somebody may wait for its
 * outcome: systemctl start, a package's scripts, a person. systemd then starts another manager,
 * which finds the counter, tries and waits by itself, at growing distances, with the socket in its
 * hands: RestartSec= is constant (RestartSteps= needs systemd 254), and a process a second with its
 * records is what nobody wants of a pool that cannot start. Clients wait in the socket's queue.
 */

/* Between two tries, however often the files change. */
#define TRY_DISTANCE_USEC (500 * USEC_PER_MSEC)

/* A try has this long beyond its own limit before TimeoutStartSec= counts. */
#define START_SPARE_USEC (30 * USEC_PER_SEC)

/* Of a reason, in STATUS and records. */
#define REASON_SHORT 160

/* The failure is told in one record. What the try itself has to say is known from the first one. */
static void set_quiet(bool quiet)
{
    log_set_max_priority(quiet ? LOG_CRIT : LOG_INFO);
}

static void try_again(Manager *m, bool quiet)
{
    Attempts *a = m->attempts;

    sd_event_source_set_enabled(a->next_source, SD_EVENT_OFF);
    set_quiet(quiet);
    reload_ask(m);
}

static int on_next_try(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;

    if (m->state == MANAGER_WAITING)
        try_again(m, !m->attempts->changed);
    return 0;
}

static void wait_until(Manager *m, uint64_t usec)
{
    Attempts *a = m->attempts;
    int r = 0;

    a->next_usec = usec;
    if (a->next_source) {
        sd_event_source_set_time(a->next_source, usec);
        r = sd_event_source_set_enabled(a->next_source, SD_EVENT_ONESHOT);
    } else {
        r = sd_event_add_time(m->event, &a->next_source, CLOCK_MONOTONIC, usec, USEC_PER_MSEC,
                              on_next_try, m);
        if (r >= 0)
            sd_event_source_set_priority(a->next_source, PRIORITY_TIMER);
    }
    if (r < 0) {
        log_error("Cannot set a timer for the next try to start: %s", strerror(-r));
        manager_fail(m, EXIT_STATUS_FAILURE);
    }
}

/* Something else than the state of affairs in which the last try failed. */
static void on_files_changed(void *userdata)
{
    Manager *m = userdata;
    Attempts *a = m->attempts;

    a->changed = true;
    m->recovery.n_in_row[MISHAP_START] = MIN(m->recovery.n_in_row[MISHAP_START], 1U);
    if (m->state == MANAGER_WAITING)
        wait_until(m, MAX(clock_monotonic_usec(), a->failed_usec + TRY_DISTANCE_USEC));
}

/* ---- what may mend the start ---- */

static void watch_pool_files(Manager *m)
{
    Watch *w = &m->attempts->watch;
    _cleanup_free_ char *folders = strdup(m->options.config_folders);
    char *save = NULL;

    if (!folders)
        return;
    for (char *folder = strtok_r(folders, ":", &save); folder;
         folder = strtok_r(NULL, ":", &save)) {
        char path[PATH_MAX];

        if (snprintf(path, sizeof(path), "%s/%s.conf", folder, m->options.pool) < (int)sizeof(path))
            watch_add_file(w, path);
        if (snprintf(path, sizeof(path), "%s/%s.conf.d", folder, m->options.pool) <
            (int)sizeof(path))
            watch_add_folder(w, path);
    }
}

/* "/etc/fpmd/conf.d/www.conf:7: php_ini: /srv/php.ini: …": what it names may be what is mended. */
static void watch_reason(Watch *w, const char *reason)
{
    const char *p = reason;

    while ((p = strchr(p, '/'))) {
        size_t n = strcspn(p, " :;,\"'()");
        char path[PATH_MAX];

        if ((p == reason || strchr(" \"'(", p[-1])) && n > 1 && n < sizeof(path)) {
            memcpy(path, p, n);
            path[n] = 0;
            watch_add_file(w, path);
        }
        p += n;
    }
}

/* What the runtime read. The folder of a PHP's settings is that of PHP-FPM, where there is one. */
static void watch_runtime(Watch *w, const Manager *m, const PoolConfig *c)
{
    const char *version = strncmp(c->runtime, "php", 3) == 0 ? c->runtime + 3 : NULL;
    _cleanup_free_ char *folders = c->php_ini_scan_dir ? strdup(c->php_ini_scan_dir) : NULL;
    char path[PATH_MAX], *save = NULL;

    for (size_t i = 0; i < c->n_files; i++)
        watch_add_file(w, c->files[i]);
    snprintf(path, sizeof(path), "%s/%s", m->options.libexec_dir, c->runtime);
    watch_add_file(w, path);
    if (c->php_ini)
        watch_add_file(w, c->php_ini);
    else if (version) {
        snprintf(path, sizeof(path), "/etc/php/%s/fpm/php.ini", version);
        watch_add_file(w, path);
    }
    if (folders) {
        for (char *p = strtok_r(folders, ":", &save); p; p = strtok_r(NULL, ":", &save))
            watch_add_folder(w, p);
    } else if (version) {
        snprintf(path, sizeof(path), "/etc/php/%s/fpm/conf.d", version);
        watch_add_folder(w, path);
    }
}

static void watch_files(Manager *m, const char *reason)
{
    Attempts *a = m->attempts;

    if (a->watch.fd < 0) {
        int r = watch_begin(&a->watch, m->event, on_files_changed, m);

        if (r < 0) {
            log_warning("Changes of files cannot be watched (%s), ignoring: the next try comes by "
                        "time",
                        strerror(-r));
            return;
        }
    }
    watch_pool_files(m);
    if (reason)
        watch_reason(&a->watch, reason);
    for (const Generation *g = m->generations; g; g = g->next)
        watch_runtime(&a->watch, m, g->config);
}

/* ---- the failure ---- */

static void short_reason(const Attempts *a, char ret[static REASON_SHORT + 4])
{
    size_t n = strlen(a->reason);

    if (n > REASON_SHORT)
        snprintf(ret, REASON_SHORT + 4, "%.*s…", (int)utf8_cut(a->reason, REASON_SHORT), a->reason);
    else
        memcpy(ret, a->reason, n + 1);
}

/* Lines of the process that is leaving come later than its end is noticed. */
static void silence_leaving(Manager *m)
{
    for (Generation *g = m->generations; g; g = g->next)
        g->out.priority = g->err.priority = LOG_DEBUG;
    for (Worker *w = m->workers; w; w = w->next)
        w->out.priority = w->err.priority = LOG_DEBUG;
}

static void tell_waiting(Manager *m, uint64_t now_usec)
{
    Attempts *a = m->attempts;
    uint64_t pause_usec = a->next_usec - MIN(a->next_usec, now_usec);
    uint64_t limit_usec =
        m->generations ? m->generations->config->pm_start_timeout_usec : 60 * USEC_PER_SEC;
    char text[sizeof(m->status_text)];
    LogRecord r;

    set_quiet(false);
    recover_status(m, text, sizeof(text));
    log_record_begin(&r, LOG_ERR, LOG_MESSAGE_POOL_WAITING);
    log_record_field(&r, "REASON", "%s", a->reason);
    log_record_field(&r, "ATTEMPT", "%u", a->n_failed);
    log_record_field(&r, "PAUSE_USEC", "%llu", (unsigned long long)pause_usec);
    log_record_send(&r, "Pool cannot be started: %s; next try in %llu s (attempt %u)", a->reason,
                    (unsigned long long)((pause_usec + USEC_PER_SEC - 1) / USEC_PER_SEC),
                    a->n_failed + 1);
    notifier_status(&m->notifier, "%s", text);
    notifier_send(&m->notifier, "EXTEND_TIMEOUT_USEC=%llu",
                  (unsigned long long)(pause_usec + limit_usec + START_SPARE_USEC));
    beat_status(m);
}

void recover_start_failed(Manager *m, const char *reason, int exit_status)
{
    Attempts *a = m->attempts;
    uint64_t now_usec = clock_monotonic_usec();
    RecoveryLimits limits = recovery_limits(NULL, !a->counter || a->n_failed == 0);
    RecoveryDecision d = recovery_decide(&m->recovery, &limits, MISHAP_START, now_usec);
    int r;

    a->n_failed++;
    a->failed_usec = now_usec;
    snprintf(a->reason, sizeof(a->reason), "%s", reason);
    r = a->counter ? counter_write(a->counter, a->n_failed) : 0;
    if (r < 0)
        log_warning("%s cannot be written (%s), ignoring: the next manager will not wait between "
                    "its tries",
                    a->counter, strerror(-r));
    if (d.remedy == REMEDY_FAIL) {
        a->has_failed = true;
        manager_fail(m, exit_status);
        return;
    }
    silence_leaving(m);
    manager_event(m, POOL_EVENT_PUT_OFF);
    watch_files(m, reason);
    wait_until(m, a->changed ? now_usec + TRY_DISTANCE_USEC : d.until_usec);
    tell_waiting(m, now_usec);
    a->changed = false;
}

bool recover_is_retrying(const Manager *m)
{
    return m->attempts && m->attempts->n_failed > 0 && !m->attempts->has_failed && !m->current;
}

void recover_status(const Manager *m, char *text, size_t size)
{
    const Attempts *a = m->attempts;
    uint64_t now_usec = clock_monotonic_usec();
    char reason[REASON_SHORT + 4];

    short_reason(a, reason);
    if (m->state == MANAGER_WAITING)
        snprintf(
            text, size, "Cannot start: %s; next try in %llu s (attempt %u)", reason,
            (unsigned long long)((a->next_usec - MIN(a->next_usec, now_usec) + USEC_PER_SEC - 1) /
                                 USEC_PER_SEC),
            a->n_failed + 1);
    else
        snprintf(text, size, "Starting the runtime (attempt %u)%s%s", a->n_failed + 1,
                 reason[0] ? "; the last one failed: " : "", reason);
}

/* ---- begin and end ---- */

int recover_set_up(Manager *m)
{
    Attempts *a = m->attempts;

    /* It may be there already, from an earlier program. */
    if (!a)
        a = m->attempts = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->watch = WATCH_NONE;
    /* A new program file has taken over: nothing is being started. */
    if (m->state != MANAGER_STARTING)
        return 0;
    /* In the foreground somebody looks on. */
    a->counter = m->options.foreground ? NULL : counter_path();
    a->n_failed = a->counter ? counter_read(a->counter) : 0;
    m->recovery.n_in_row[MISHAP_START] = a->n_failed;
    if (a->n_failed > 0) {
        /* Before the first look at the files, so that no change is missed. */
        watch_files(m, NULL);
        set_quiet(true);
    }
    return 0;
}

void attempts_succeeded(Manager *m)
{
    Attempts *a = m->attempts;

    if (a->counter && a->n_failed > 0)
        counter_remove(a->counter);
    a->n_failed = 0;
    a->reason[0] = 0;
    watch_done(&a->watch);
    a->next_source = sd_event_source_disable_unref(a->next_source);
    recovery_went_well(&m->recovery, MISHAP_START);
}

void recover_done(Manager *m)
{
    Attempts *a = m->attempts;

    if (!a)
        return;
    /* Who ends the pool and starts it again wants to know at once how that goes. */
    if (a->counter && a->n_failed > 0 && !a->has_failed && m->state >= MANAGER_STOPPING)
        counter_remove(a->counter);
    watch_done(&a->watch);
    sd_event_source_disable_unref(a->next_source);
    sd_event_source_disable_unref(a->look_source);
    free(a->counter);
    free(a);
    m->attempts = NULL;
}
