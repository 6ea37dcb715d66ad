#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "log/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* How long the workers of a crashed predecessor may take: as long as a stop, see TimeoutStopSec= of
 * the unit. */
#define ORPHANS_LIMIT_USEC (90 * USEC_PER_SEC)

const char *manager_state_to_string(ManagerState state)
{
    static const char *const names[_MANAGER_STATE_MAX] = {
        [MANAGER_STARTING] = "starting",
        [MANAGER_READY] = "ready",
        [MANAGER_RELOADING] = "reloading",
        [MANAGER_STOPPING] = "stopping",
    };

    return state < _MANAGER_STATE_MAX ? names[state] : NULL;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    Manager *m = userdata;

    if (info->ssi_signo == SIGHUP || info->ssi_signo == SIGUSR2)
        reload_ask(m);
    else if (m->state != MANAGER_STOPPING)
        manager_stop(m);
    else if (m->options.foreground)
        manager_kill_workers(m, "a second signal asked to stop at once");
    return 0;
}

static int on_growth(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Manager *m = userdata;

    listeners_drain(&m->listeners);
    m->scale_wanted = true;
    settle_later(m);
    return 0;
}

static int manager_set_up_signals(Manager *m)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR2};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t mask;

    sigaction(SIGPIPE, &ignore, NULL);
    /* PHP-FPM opens its logs anew; rotation scripts that were made for it must do no harm. */
    sigaction(SIGUSR1, &ignore, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        sigaddset(&mask, numbers[i]);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        sd_event_source *source;
        int r = sd_event_add_signal(m->event, &source, numbers[i], on_signal, m);

        if (r < 0)
            return r;
        sd_event_source_set_priority(source, PRIORITY_SIGNAL);
        sd_event_source_set_floating(source, true);
        sd_event_source_unref(source);
    }
    return reap_start(m);
}

/* Three descriptors per worker are ours; runtimes get the limit back that we were started with. */
static int manager_raise_nofile(Manager *m)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    m->nofile_soft = limit.rlim_cur;
    m->nofile_hard = limit.rlim_max;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

int manager_new(const ManagerOptions *options, const Privileges *privileges, Manager **ret)
{
    _cleanup_(manager_freep) Manager *m = calloc(1, sizeof(*m));
    int r;

    if (!m)
        return -ENOMEM;
    *m = (Manager){
        .options = *options,
        .privileges = *privileges,
        .moot = (privileges->bounding_empty ? 0 : BOARD_MOOT_BOUNDING_SET) |
                (privileges->securebits_locked ? 0 : BOARD_MOOT_SECUREBITS),
        .listeners = {.growth_fd = -1, .diag_fd = -1},
        .notifier = {.fd = -1},
        .control_fd = -1,
        .snapshot_fd = -1,
        .started_realtime_usec = clock_realtime_usec(),
        .started_usec = clock_monotonic_usec(),
    };
    r = notifier_init(&m->notifier);
    if (r < 0) {
        log_error("NOTIFY_SOCKET cannot be used: %s", strerror(-r));
        return r;
    }
    if (sd_watchdog_enabled(true, &m->watchdog_usec) <= 0)
        m->watchdog_usec = 0;
    r = sd_event_new(&m->event);
    if (r >= 0)
        r = settle_start(m);
    if (r >= 0)
        r = manager_set_up_signals(m);
    if (r >= 0)
        r = manager_raise_nofile(m);
    /* Workers are forked by an intermediate of the template; whose parent is gone becomes our
     * child. */
    if (r >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        r = -errno;
    if (r < 0) {
        log_error("The manager cannot be set up: %s", strerror(-r));
        return r;
    }
    *ret = TAKE_PTR(m);
    return 0;
}

Manager *manager_free(Manager *m)
{
    if (!m)
        return NULL;
    if (m->event)
        control_done(m);
    while (m->workers)
        worker_free(m->workers);
    while (m->generations)
        generation_free(m->generations);
    orphans_done(&m->orphans);
    free(m->slot_map);
    sd_event_source_disable_unref(m->settle_source);
    sd_event_source_disable_unref(m->scale_source);
    sd_event_source_disable_unref(m->beat_source);
    sd_event_source_disable_unref(m->drain_source);
    sd_event_source_disable_unref(m->watchdog_source);
    sd_event_source_disable_unref(m->growth_source);
    listeners_done(&m->listeners);
    fd_close(m->snapshot_fd);
    notifier_done(&m->notifier);
    sd_event_unref(m->event);
    free(m);
    return NULL;
}

/* Only our own start has failed: what an earlier manager left goes on, the workers of ours see
 * their life lines close. */
void manager_fail(Manager *m, int exit_status)
{
    sd_event_exit(m->event, exit_status);
}

void manager_kill_workers(Manager *m, const char *why)
{
    unsigned n = 0;

    for (Worker *w = m->workers; w; w = w->next)
        if (w->pid > 0 && !w->dead && kill(w->pid, SIGKILL) == 0)
            n++;
    n += orphans_kill(&m->orphans);
    if (n > 0)
        log_text(LOG_WARNING, LOG_MESSAGE_DRAIN_LIMIT,
                 "%u workers were ended in their requests: %s", n, why);
}

static int on_drain_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    manager_kill_workers(userdata, "process_control_timeout has passed");
    return 0;
}

void manager_stop(Manager *m)
{
    const Generation *g = m->current ? m->current : m->generations;
    uint64_t limit_usec = g ? g->config->process_control_timeout_usec : 0;

    m->state = MANAGER_STOPPING;
    notifier_send(&m->notifier, "STOPPING=1");
    listeners_watch(&m->listeners, false);
    if (limit_usec > 0)
        sd_event_add_time_relative(m->event, &m->drain_source, CLOCK_MONOTONIC, limit_usec, 0,
                                   on_drain_limit, m);
    beat_status(m);
    for (Generation *each = m->generations; each; each = each->next)
        generation_leave(each);
    settle_later(m);
}

/* The sockets of systemd, or our own in the foreground. */
static int manager_take_listeners(Manager *m)
{
    _cleanup_free_ char *reason = NULL, *ignored = NULL;
    _cleanup_(pool_setup_unrefp) PoolSetup *setup = NULL;
    int r = listeners_take(&m->listeners, &reason);

    if (r == 0 && !m->options.foreground) {
        reason =
            strdup("no socket was passed (LISTEN_FDS): start the pool by its socket unit, or use "
                   "--foreground");
        r = -ENOTCONN;
    } else if (r == 0) {
        /* Warnings about the file are logged by the start itself, which follows. */
        r = pool_setup_load(m, true, &setup, &ignored);
        if (r < 0)
            return r;
        if (setup->config->n_listen == 0) {
            reason = strdup(
                "--foreground without sockets from systemd needs \"listen =\" in the pool file");
            r = -ENOTCONN;
        } else
            r = listeners_bind(&m->listeners, setup->config, &reason);
    }
    if (r >= 0)
        r = listeners_set_up(&m->listeners);
    if (r < 0) {
        log_text(LOG_ERR, LOG_MESSAGE_START_FAILED, "Pool cannot be started: %s",
                 reason ? reason : strerror(-r));
        notifier_send(&m->notifier, "STATUS=Cannot start: %s", reason ? reason : strerror(-r));
    }
    return r;
}

static void on_orphans_gone(void *userdata)
{
    settle_later(userdata);
}

/* Another manager of this pool crashed: its workers finish what they do. */
static int manager_adopt_orphans(Manager *m)
{
    pid_t pids[ORPHANS_MAX];
    size_t n = cgroup_list(pids, ARRAY_SIZE(pids));

    if (n == 0)
        return 0;
    log_text(LOG_NOTICE, LOG_MESSAGE_ORPHANS_FOUND,
             "%zu processes of an earlier manager finish their work", n);
    return orphans_adopt(&m->orphans, m->event, pids, n, ORPHANS_LIMIT_USEC, on_orphans_gone, m);
}

static int manager_start(Manager *m)
{
    int r = manager_adopt_orphans(m);

    if (r < 0)
        return r;
    r = control_listen(m);
    if (r < 0) {
        if (!m->options.foreground) {
            log_error("Control socket cannot be made: %s", strerror(-r));
            return r;
        }
        log_notice("No control socket (%s), ignoring: fpmctl status will not work", strerror(-r));
    }
    r = sd_event_add_io(m->event, &m->growth_source, m->listeners.growth_fd, EPOLLIN, on_growth, m);
    if (r < 0)
        return r;
    sd_event_source_set_priority(m->growth_source, PRIORITY_GROWTH);
    r = beat_start(m);
    if (r < 0)
        return r;
    beat_status(m);
    reload_ask(m);
    return 0;
}

int manager_run(Manager *m)
{
    int r = manager_take_listeners(m);

    if (r < 0)
        return EXIT_STATUS_CONFIG;
    r = manager_start(m);
    if (r < 0)
        return EXIT_STATUS_FAILURE;
    r = sd_event_loop(m->event);
    if (r < 0) {
        log_error("The event loop failed: %s", strerror(-r));
        return EXIT_STATUS_SOFTWARE;
    }
    return r;
}
