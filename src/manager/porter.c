#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "log/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* After one that has died the next is not started for this long, twice as long each time. One that
 * has lived for LIFE_GOOD_USEC begins anew. */
#define PAUSE_FIRST_USEC (100 * USEC_PER_MSEC)
#define PAUSE_LAST_USEC  (30 * USEC_PER_SEC)
#define LIFE_GOOD_USEC   (10 * USEC_PER_SEC)

/* The porter itself takes at most a second to leave (porter/leave.c). */
#define LEAVE_LIMIT_USEC (1200 * USEC_PER_MSEC)

/* More than this between two looks at its slot is a lie. */
#define COUNT_PLAUSIBLE UINT64_C(100000000)

static void set_timer(Manager *m, uint64_t at_usec, sd_event_time_handler_t handler)
{
    Porter *p = &m->porter;
    int r;

    p->time_source = sd_event_source_disable_unref(p->time_source);
    r = sd_event_add_time(m->event, &p->time_source, CLOCK_MONOTONIC, at_usec, 0, handler, m);
    if (r < 0)
        log_error("Cannot set a timer for the porter, ignoring: %s", strerror(-r));
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;

    if (m->porter.pid == 0 && !m->porter.left)
        sd_event_source_set_enabled(m->porter.park_source, SD_EVENT_ON);
    settle_later(m);
    return 0;
}

/* The pool goes on without: workers keep what they cannot park. */
static void pause_start(Manager *m)
{
    Porter *p = &m->porter;

    p->pause_usec = p->pause_usec == 0 ? PAUSE_FIRST_USEC : MIN(p->pause_usec * 2, PAUSE_LAST_USEC);
    p->start_after_usec = clock_monotonic_usec() + p->pause_usec;
    sd_event_source_set_enabled(p->park_source, SD_EVENT_OFF);
    set_timer(m, p->start_after_usec, on_pause_over);
}

/* Whether there is one to speak to now. */
static bool start_if_needed(Manager *m)
{
    Porter *p = &m->porter;

    if (p->pid > 0)
        return p->link_fd >= 0;
    if (p->left || clock_monotonic_usec() < p->start_after_usec)
        return false;
    if (porter_start(m) == 0)
        return true;
    pause_start(m);
    return false;
}

void porter_look(Manager *m)
{
    if (m->porter.pid == 0 && listeners_have_status(&m->listeners) && porter_may_start(m))
        start_if_needed(m);
}

void porter_drain(Manager *m)
{
    LinkMessage drain = {.type = LINK_DRAIN};

    if (m->porter.link_fd >= 0)
        link_send(m->porter.link_fd, &drain, NULL, 0);
}

static int on_park(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    start_if_needed(userdata);
    return 0;
}

/* ---- its life ---- */

static int make_sockets(Porter *p)
{
    int r = link_pair(p->handover);

    if (r == 0)
        r = link_pair(p->park);
    /* Connections arrive there. */
    if (r == 0)
        r = link_admit_fds(p->park[0]);
    if (r == 0)
        r = fd_set_nonblock(p->handover[1], true);
    if (r == 0)
        r = fd_set_nonblock(p->park[1], true);
    return r;
}

int porter_set_up(Manager *m)
{
    Porter *p = &m->porter;
    int r = 0;

    if (p->handover[0] < 0)
        r = make_sockets(p);
    if (r == 0)
        r = sd_event_add_io(m->event, &p->park_source, p->park[0], EPOLLIN, on_park, m);
    if (r < 0)
        return r;
    sd_event_source_set_priority(p->park_source, PRIORITY_GROWTH);
    if (p->pid > 0 || p->left)
        sd_event_source_set_enabled(p->park_source, SD_EVENT_OFF);
    else if (clock_monotonic_usec() < p->start_after_usec) {
        sd_event_source_set_enabled(p->park_source, SD_EVENT_OFF);
        set_timer(m, p->start_after_usec, on_pause_over);
    }
    if (p->slot_fd >= 0)
        r = board_map(p->slot_fd, &p->slot);
    if (r == 0 && p->link_fd >= 0)
        r = porter_watch_link(m);
    return r;
}

void porter_done(Manager *m)
{
    Porter *p = &m->porter;

    porter_forget(p);
    p->park_source = sd_event_source_disable_unref(p->park_source);
    p->time_source = sd_event_source_disable_unref(p->time_source);
    for (int i = 0; i < 2; i++) {
        p->handover[i] = fd_close(p->handover[i]);
        p->park[i] = fd_close(p->park[i]);
    }
}

void porter_shed(Manager *m, unsigned n)
{
    LinkMessage shed = {.type = LINK_SHED, .count = n};

    if (n == 0 || !m->current || !start_if_needed(m))
        return;
    /* Whole seconds, as Retry-After has them. */
    shed.flags = (uint32_t)MAX(
        (m->current->config->queue_timeout_usec + USEC_PER_SEC - 1) / USEC_PER_SEC, UINT64_C(1));
    /* Full: it has enough of them. */
    link_send(m->porter.link_fd, &shed, NULL, 0);
}

void porter_renew(Manager *m)
{
    LinkMessage leave = {.type = LINK_LEAVE, .flags = LINK_LEAVE_SUCCEEDED};
    Porter *p = &m->porter;
    _cleanup_fd_ int link_fd = -1;
    pid_t pid = p->pid;

    if (pid == 0 && p->pause_usec > 0 && !p->left) {
        /* What kept it from starting may be over. */
        p->pause_usec = p->start_after_usec = 0;
        sd_event_source_set_enabled(p->park_source, SD_EVENT_ON);
    }
    if (pid == 0 || p->link_fd < 0 || p->former_pid > 0 || !m->current ||
        porter_identity(m, m->current->setup) == p->identity)
        return;
    porter_count(m);
    link_fd = TAKE_FD(p->link_fd);
    porter_forget(p);
    p->former_pid = pid;
    /* If it cannot be started now, what the former one sends starts it later. */
    if (porter_start(m) < 0)
        pause_start(m);
    link_send(link_fd, &leave, NULL, 0);
}

/* ---- its end ---- */

static void obituary(const Porter *p, pid_t pid, int code, int status, unsigned n_held,
                     bool expected)
{
    uint64_t age_usec = clock_monotonic_usec() - p->started_usec;
    const char *step = code == CLD_EXITED ? exit_status_to_string(status) : NULL;
    char how[96];
    LogRecord r;

    log_record_begin(&r, expected ? LOG_DEBUG : LOG_WARNING, LOG_MESSAGE_PORTER_EXITED);
    log_record_field(&r, "PORTER_PID", "%d", (int)pid);
    log_record_field(&r, "CONNECTIONS", "%u", n_held);
    if (code == CLD_EXITED) {
        snprintf(how, sizeof(how), "has exited with status %d%s%s%s", status, step ? " (" : "",
                 step ? step : "", step ? ")" : "");
        log_record_field(&r, "EXIT_STATUS", "%d", status);
    } else {
        snprintf(how, sizeof(how), "was killed by signal %d (SIG%s)", status,
                 sigabbrev_np(status) ?: "?");
        log_record_field(&r, "SIGNAL", "%d", status);
    }
    if (expected) {
        log_record_send(&r, "Porter %d %s", (int)pid, how);
        return;
    }
    log_record_field(&r, "AGE_USEC", "%llu", (unsigned long long)age_usec);
    log_record_send(&r,
                    "Porter %d %s after %llu.%03llu s; the %u idle connections that it held are "
                    "closed, another starts when it is needed",
                    (int)pid, how, (unsigned long long)(age_usec / USEC_PER_SEC),
                    (unsigned long long)(age_usec % USEC_PER_SEC / USEC_PER_MSEC), n_held);
}

bool porter_on_exit(Manager *m, pid_t pid, int code, int status)
{
    Porter *p = &m->porter;
    bool well = code == CLD_EXITED && status == EXIT_STATUS_OK;
    bool expected = p->left;
    unsigned n_held;

    if (pid <= 0 || (pid != p->pid && pid != p->former_pid))
        return false;
    settle_later(m);
    if (pid == p->former_pid) {
        p->former_pid = 0;
        obituary(p, pid, code, status, 0, well || p->left);
        return true;
    }
    n_held = porter_count(m);
    obituary(p, pid, code, status, n_held, expected);
    if (clock_monotonic_usec() - p->started_usec >= LIFE_GOOD_USEC)
        p->pause_usec = 0;
    porter_forget(p);
    if (!expected)
        pause_start(m);
    return true;
}

static int on_leave_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;

    if (m->porter.pid > 0)
        kill(m->porter.pid, SIGKILL);
    if (m->porter.former_pid > 0)
        kill(m->porter.former_pid, SIGKILL);
    return 0;
}

void porter_leave(Manager *m)
{
    LinkMessage leave = {.type = LINK_LEAVE};
    Porter *p = &m->porter;
    struct pollfd parked = {.fd = p->park[0], .events = POLLIN};

    if (p->left)
        return;
    /* What was parked a moment ago may have bytes. */
    if (p->pid == 0 && poll(&parked, 1, 0) > 0 && parked.revents & POLLIN)
        start_if_needed(m);
    p->left = true;
    if (p->park_source)
        sd_event_source_set_enabled(p->park_source, SD_EVENT_OFF);
    p->time_source = sd_event_source_disable_unref(p->time_source);
    if (porter_is_gone(m))
        return;
    if (p->link_fd >= 0)
        link_send(p->link_fd, &leave, NULL, 0);
    porter_close_link(p);
    set_timer(m, clock_monotonic_usec() + LEAVE_LIMIT_USEC, on_leave_limit);
}

bool porter_is_gone(const Manager *m)
{
    return m->porter.pid == 0 && m->porter.former_pid == 0;
}

/* A counter is the porter's word: it may only grow, and not faster than a machine can. */
static void count(Manager *m, uint64_t now, uint64_t *counted, uint64_t *sum)
{
    if (now <= *counted)
        return;
    if (now - *counted <= COUNT_PLAUSIBLE)
        *sum += now - *counted;
    else
        m->absurd_messages++;
    *counted = now;
}

unsigned porter_count(Manager *m)
{
    Porter *p = &m->porter;
    BoardSlot slot;

    if (!p->slot || board_read(p->slot, clock_monotonic_usec(), &slot) == -EBADMSG)
        return 0;
    count(m, slot.requests, &p->shed_counted, &m->shed);
    count(m, slot.accepted, &p->accepted_counted, &m->accepted);
    return (unsigned)MIN((uint64_t)slot.connections, m->nofile_hard);
}
