#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "log/log.h"
#include "manager/logfile.h"
#include "manager/replaced.h"

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

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    Manager *m = userdata;

    if (info->ssi_signo == SIGHUP || info->ssi_signo == SIGUSR2)
        reload_ask(m);
    else if (info->ssi_signo == SIGUSR1)
        logfiles_reopen(m);
    else
        manager_event(m, POOL_EVENT_STOP);
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
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t mask;

    sigaction(SIGPIPE, &ignore, NULL);
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

/* Four descriptors per worker are ours; runtimes get the limit back that we were started with. */
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
        .porter = PORTER_NONE,
        .control_fd = -1,
        .snapshot_fd = -1,
        .history_fd = -1,
        .history_read_fd = -1,
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
    traces_cancel(m, NULL);
    while (m->workers)
        worker_free(m->workers);
    while (m->generations)
        generation_free(m->generations);
    orphans_done(&m->orphans);
    porter_done(m);
    limits_done(m);
    recover_done(m);
    m->replaced = replaced_free(m->replaced);
    reexec_done(m);
    leaving_done(m);
    stop_done(m);
    free(m->slot_map);
    sd_event_source_disable_unref(m->settle_source);
    sd_event_source_disable_unref(m->scale_source);
    sd_event_source_disable_unref(m->beat_source);
    sd_event_source_disable_unref(m->watchdog_source);
    sd_event_source_disable_unref(m->growth_source);
    listeners_done(&m->listeners);
    fd_close(m->snapshot_fd);
    fd_close(m->history_fd);
    fd_close(m->history_read_fd);
    notifier_done(&m->notifier);
    sd_event_unref(m->event);
    free(m);
    return NULL;
}

/* Only our own start has failed: what an earlier manager left goes on, the workers of ours see
 * their life lines close. */
void manager_fail(Manager *m, int exit_status)
{
    m->exit_status = exit_status;
    manager_event(m, POOL_EVENT_GIVEN_UP);
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
        notifier_status(&m->notifier, "Cannot start: %s", reason ? reason : strerror(-r));
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

/* What an earlier program hands over at a re-exec is there already. */
static int manager_start_anew(Manager *m)
{
    int r = manager_adopt_orphans(m);

    if (r < 0)
        return r;
    r = control_listen(m);
    if (r < 0 && m->options.foreground) {
        log_notice("No control socket (%s), ignoring: fpmctl status will not work", strerror(-r));
        return 0;
    }
    if (r < 0)
        log_error("Control socket cannot be made: %s", strerror(-r));
    return r;
}

static int manager_start(Manager *m)
{
    int r = m->restored ? 0 : manager_start_anew(m);

    if (r < 0)
        return r;
    r = sd_event_add_io(m->event, &m->growth_source, m->listeners.growth_fd, EPOLLIN, on_growth, m);
    if (r < 0)
        return r;
    sd_event_source_set_priority(m->growth_source, PRIORITY_GROWTH);
    r = porter_set_up(m);
    if (r == 0)
        r = recover_set_up(m);
    if (r == 0)
        r = limits_start(m);
    if (r == 0)
        r = beat_start(m);
    if (r < 0)
        return r;
    beat_status(m);
    if (m->restored) {
        porter_renew(m);
        settle_later(m);
    } else
        reload_ask(m);
    return 0;
}

int manager_run(Manager *m)
{
    int r = m->restored ? 0 : manager_take_listeners(m);

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
