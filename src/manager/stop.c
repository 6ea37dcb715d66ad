#include "manager/manager.h"

#include "base/clock.h"
#include "base/fd.h"
#include "link/control.h"
#include "log/log.h"
#include "manager/stop_limit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

/*
 * The end of a pool: the porter first, since connections with bytes pending go from it to the
 * workers; then the life lines of all workers close; when the last process has gone, or our time
 * has passed, the manager ends.
 */

#define TICK_USEC (1 * USEC_PER_SEC)
/* The porter is ended after a second; this is for one that cannot be. */
#define PORTER_LIMIT_USEC (1500 * USEC_PER_MSEC)
/* systemd(1): the next message has to come before that. Ticks are a second apart. */
#define EXTEND_USEC (10 * USEC_PER_SEC)

struct Stop {
    uint64_t begun_usec;
    uint64_t limit_usec;      /* our own, process_control_timeout; 0: none */
    uint64_t unit_limit_usec; /* systemd's, 0: not known */
    bool lines_closed;
    bool ended; /* the requests were ended */
    sd_event_source *tick_source;
    pid_t child; /* asks systemd for its limit, 0: none */
    bool asked;
    int fd;
    sd_event_source *fd_source;
};

static size_t count_left(const Manager *m)
{
    size_t n = m->orphans.n_alive;

    for (const Worker *w = m->workers; w; w = w->next)
        n += w->phase != WORKER_DEAD;
    return n;
}

void stop_status(const Manager *m, char *text, size_t size)
{
    const struct Stop *s = m->stop;
    uint64_t passed_usec = clock_monotonic_usec() - s->begun_usec;
    uint64_t limit_usec = s->limit_usec ? s->limit_usec : s->unit_limit_usec;
    size_t n = count_left(m);
    const char *what = n == 1 ? "request finishes" : "requests finish";

    if (n == 0)
        snprintf(text, size, "Stopping");
    else if (limit_usec > 0 && limit_usec != USEC_INFINITY)
        snprintf(
            text, size, "Stopping: %zu %s, %llu s left", n, what,
            (unsigned long long)((limit_usec - MIN(passed_usec, limit_usec) + USEC_PER_SEC - 1) /
                                 USEC_PER_SEC));
    else
        snprintf(text, size, "Stopping: %zu %s, %llu s so far", n, what,
                 (unsigned long long)(passed_usec / USEC_PER_SEC));
}

/* ---- the limit of the unit ---- */

static void close_answer(struct Stop *s)
{
    s->fd_source = sd_event_source_disable_unref(s->fd_source);
    s->fd = fd_close(s->fd);
}

static int on_answer(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Manager *m = userdata;

    if (stop_limit_read(fd, &m->stop->unit_limit_usec) == -EAGAIN)
        return 0;
    close_answer(m->stop);
    beat_status(m);
    return 0;
}

/* Not before a second has passed: most stops are over by then. */
static void ask_unit_limit(Manager *m)
{
    struct Stop *s = m->stop;

    if (s->asked || s->limit_usec > 0 || m->options.foreground)
        return;
    s->asked = true;
    s->child = stop_limit_ask(&s->fd);
    if (s->child < 0) {
        s->child = 0;
        return;
    }
    if (sd_event_add_io(m->event, &s->fd_source, s->fd, EPOLLIN, on_answer, m) < 0)
        close_answer(s);
}

bool stop_on_exit(Manager *m, pid_t pid)
{
    if (!m->stop || m->stop->child != pid)
        return false;
    m->stop->child = 0;
    return true;
}

/* ---- the steps ---- */

static void close_lines(Manager *m)
{
    m->stop->lines_closed = true;
    for (Generation *g = m->generations; g; g = g->next)
        generation_leave(g, false);
}

void stop_step(Manager *m)
{
    struct Stop *s = m->stop;
    uint64_t passed_usec = clock_monotonic_usec() - s->begun_usec;

    if (!s->lines_closed && (porter_is_gone(m) || passed_usec >= PORTER_LIMIT_USEC))
        close_lines(m);
    if (s->limit_usec > 0 && passed_usec >= s->limit_usec && !s->ended) {
        s->ended = true;
        manager_event_because(m, POOL_EVENT_LIMIT, "process_control_timeout has passed");
    }
    if (s->lines_closed && !m->generations && m->orphans.n_alive == 0)
        manager_event(m, POOL_EVENT_EMPTY);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;
    struct Stop *s = m->stop;
    uint64_t now_usec = clock_monotonic_usec(), next_usec = now_usec + TICK_USEC;

    /* The file says how long, so systemd shall not cut it shorter. */
    if (s->limit_usec > 0)
        notifier_send(&m->notifier, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)EXTEND_USEC);
    if (now_usec - s->begun_usec >= TICK_USEC)
        ask_unit_limit(m);
    beat_status(m);
    settle_later(m);
    if (s->limit_usec > 0 && !s->ended)
        next_usec = MIN(next_usec, s->begun_usec + s->limit_usec);
    sd_event_source_set_time(source, next_usec);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void stop_begin(Manager *m, int exit_status)
{
    const Generation *g = m->current ? m->current : m->generations;
    struct Stop *s = calloc(1, sizeof(*s));
    int r;

    m->exit_status = exit_status;
    reexec_done(m);
    notifier_send(&m->notifier, "STOPPING=1");
    if (!s) {
        log_error("Not enough memory for an orderly end");
        sd_event_exit(m->event, exit_status);
        return;
    }
    *s = (struct Stop){
        .begun_usec = clock_monotonic_usec(),
        .limit_usec = g ? g->config->process_control_timeout_usec : 0,
        .fd = -1,
    };
    m->stop = s;
    listeners_watch(&m->listeners, false);
    r = sd_event_add_time(m->event, &s->tick_source, CLOCK_MONOTONIC, s->begun_usec, 0, on_tick, m);
    if (r >= 0)
        sd_event_source_set_priority(s->tick_source, PRIORITY_TIMER);
    else
        log_error("Cannot set a timer for the stop, ignoring: %d", r);
    control_reply_reload(m, UINT_MAX, -ESHUTDOWN, "the pool is stopping");
    control_reply(m, CONTROL_REEXEC, -ESHUTDOWN, "the pool is stopping");
    control_reply(m, CONTROL_DRAIN, -ESHUTDOWN, "the pool was stopped before it had been quiet");
    porter_leave(m);
    beat_status(m);
    settle_later(m);
}

void stop_end_requests(Manager *m, const char *why)
{
    unsigned n = 0;

    if (!m->stop->lines_closed)
        close_lines(m);
    for (Worker *w = m->workers; w; w = w->next) {
        n += w->pid > 0 && w->phase != WORKER_DEAD;
        worker_end(w, 503);
    }
    n += orphans_end(&m->orphans, 503);
    if (n > 0)
        log_text(LOG_WARNING, LOG_MESSAGE_DRAIN_LIMIT,
                 "%u workers were ended in their requests: %s", n, why);
}

void stop_finish(Manager *m, const char *reason)
{
    /* What scripts left behind in the background belongs to the pool and ends with it. */
    unsigned swept = cgroup_sweep();

    if (swept > 0)
        log_notice("%u processes that scripts had left behind were ended", swept);
    log_text(LOG_INFO, LOG_MESSAGE_POOL_STOPPED, "Stopped after %llu requests",
             (unsigned long long)m->requests);
    sd_event_exit(m->event, m->exit_status);
}

void stop_done(Manager *m)
{
    struct Stop *s = m->stop;

    if (!s)
        return;
    sd_event_source_disable_unref(s->tick_source);
    close_answer(s);
    free(s);
    m->stop = NULL;
}
