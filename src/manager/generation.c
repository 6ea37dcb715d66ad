#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "log/log.h"
#include "manager/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* A template that has not said READY by then is ended: preloading a large framework takes seconds,
 * not minutes. */
#define TEMPLATE_START_LIMIT_USEC (60 * USEC_PER_SEC)
/* One that was told to leave and has no worker left: nothing is lost by ending it. */
#define TEMPLATE_LEAVE_LIMIT_USEC (5 * USEC_PER_SEC)

Generation *generation_free(Generation *g)
{
    if (!g)
        return NULL;
    for (Generation **p = &g->manager->generations; *p; p = &(*p)->next)
        if (*p == g) {
            *p = g->next;
            break;
        }
    if (g->manager->current == g)
        g->manager->current = NULL;
    if (g->manager->coming == g)
        g->manager->coming = NULL;
    sd_event_source_disable_unref(g->link_source);
    sd_event_source_disable_unref(g->timeout_source);
    output_close(&g->out);
    output_close(&g->err);
    fd_close(g->link_fd);
    fd_close(g->handover_fd);
    fd_close(g->handover_peer);
    pool_config_free(g->config);
    pool_ids_done(&g->ids);
    free(g);
    return NULL;
}

static int on_leave_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
    Generation *g = userdata;

    if (g->template_pid > 0)
        kill(g->template_pid, SIGKILL);
    return 0;
}

/* Closing the link lets an idle template leave; one that is still starting its language does not
 * look at it. */
static void generation_close_link(Generation *g)
{
    g->link_source = sd_event_source_disable_unref(g->link_source);
    g->timeout_source = sd_event_source_disable_unref(g->timeout_source);
    if (g->link_fd < 0 || g->template_pid == 0) {
        g->link_fd = fd_close(g->link_fd);
        return;
    }
    g->link_fd = fd_close(g->link_fd);
    if (g->state == GENERATION_STARTING)
        kill(g->template_pid, SIGKILL);
    else
        sd_event_add_time_relative(g->manager->event, &g->timeout_source, CLOCK_MONOTONIC,
                                   TEMPLATE_LEAVE_LIMIT_USEC, 0, on_leave_timeout, g);
}

void generation_check_empty(Generation *g)
{
    if ((g->state != GENERATION_LEAVING && g->state != GENERATION_FAILED) || g->n_workers > 0)
        return;
    generation_close_link(g);
    if (g->template_pid == 0) {
        Manager *m = g->manager;

        generation_free(g);
        manager_check_stopped(m);
    }
}

void generation_leave(Generation *g)
{
    Worker *next;

    if (g->state == GENERATION_STARTING)
        generation_close_link(g);
    if (g->manager->current == g)
        g->manager->current = NULL;
    if (g->manager->coming == g)
        g->manager->coming = NULL;
    g->state = GENERATION_LEAVING;
    for (Worker *w = g->manager->workers; w; w = next) {
        next = w->next;
        if (w->generation == g)
            worker_retire(w);
    }
    generation_check_empty(g);
}

/* The first workers are ordered; those of a reload replace the old ones one for one. */
static void generation_on_ready(Generation *g, const LinkMessage *message)
{
    Manager *m = g->manager;
    unsigned queued = listeners_queued(&m->listeners, 1);
    unsigned wanted = policy_initial(&g->limits, queued);

    if (m->current && g->limits.mode != POOL_MODE_STATIC) {
        wanted = MAX(wanted, m->current->n_workers);
        wanted = MIN(wanted, g->limits.max_children);
    }
    snprintf(g->version, sizeof(g->version), "%.*s", (int)sizeof(g->version) - 1, message->text);
    g->timeout_source = sd_event_source_disable_unref(g->timeout_source);
    g->state = GENERATION_FORKING;
    if (wanted > 0 && workers_order(g, wanted) == 0)
        snprintf(g->reason, sizeof(g->reason), "no worker could be forked");
    if (g->reason[0])
        reload_refused(m, g->reason);
    else if (wanted == 0)
        reload_succeeded(m);
}

static int on_template_message(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Generation *g = userdata;
    Manager *m = g->manager;
    LinkMessage message;
    int r = link_receive(fd, &message, NULL, 0, NULL, NULL);

    if (r == -EAGAIN || r == -EINTR)
        return 0;
    if (r == -EBADMSG) {
        m->absurd_messages++;
        return 0;
    }
    if (r <= 0) {
        /* Its end is closed: it is dying, its exit status will tell why. */
        g->link_source = sd_event_source_disable_unref(g->link_source);
        return 0;
    }
    if (message.type == LINK_READY && g->state == GENERATION_STARTING)
        generation_on_ready(g, &message);
    else if (message.type == LINK_FAILED && g->state == GENERATION_STARTING)
        snprintf(g->reason, sizeof(g->reason), "%s", message.text);
    else
        m->absurd_messages++;
    return 0;
}

static int on_start_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
    Generation *g = userdata;

    snprintf(g->reason, sizeof(g->reason), "the runtime did not start within %llu s",
             (unsigned long long)(TEMPLATE_START_LIMIT_USEC / USEC_PER_SEC));
    kill(g->template_pid, SIGKILL);
    return 0;
}

static int generation_open_handover(Generation *g)
{
    int pair[2];
    int r = link_pair(pair);

    if (r < 0)
        return r;
    g->handover_fd = pair[0];
    g->handover_peer = pair[1];
    /* Many workers share that end: one that comes too late must not wait there. */
    return fd_set_nonblock(g->handover_peer, true);
}

int generation_start(Manager *m, PoolConfig *config, PoolIds *ids, Generation **ret)
{
    Generation *g = calloc(1, sizeof(*g));
    int r;

    if (!g)
        return -ENOMEM;
    *g = (Generation){
        .manager = m,
        .next = m->generations,
        .number = ++m->last_number,
        .link_fd = -1,
        .handover_fd = -1,
        .handover_peer = -1,
        .config = config,
        .ids = *ids,
        .limits = policy_limits(config),
        .out = {.fd = -1},
        .err = {.fd = -1},
        .started_usec = clock_monotonic_usec(),
    };
    m->generations = g;
    r = generation_open_handover(g);
    if (r == 0)
        r = spawn_template(g);
    if (r == 0)
        r = sd_event_add_io(m->event, &g->link_source, g->link_fd, EPOLLIN, on_template_message, g);
    if (r >= 0)
        r = sd_event_add_time_relative(m->event, &g->timeout_source, CLOCK_MONOTONIC,
                                       TEMPLATE_START_LIMIT_USEC, 0, on_start_timeout, g);
    if (r < 0) {
        if (g->template_pid > 0)
            kill(g->template_pid, SIGKILL);
        g->config = NULL;
        g->ids = (PoolIds){0};
        generation_free(g);
        return r;
    }
    sd_event_source_set_priority(g->link_source, PRIORITY_LINK);
    *ids = (PoolIds){0};
    *ret = g;
    return 0;
}

static void template_reason(Generation *g, int code, int status)
{
    const char *step = code == CLD_EXITED ? exit_status_to_string(status) : NULL;

    if (g->reason[0])
        return;
    if (code != CLD_EXITED)
        snprintf(g->reason, sizeof(g->reason), "the runtime died of signal %d (%s)", status,
                 sigabbrev_np(status) ?: "?");
    else if (step)
        snprintf(g->reason, sizeof(g->reason), "the runtime failed at step %s (exit status %d)",
                 step, status);
    else
        snprintf(g->reason, sizeof(g->reason), "the runtime ended with exit status %d", status);
}

static void template_obituary(const Generation *g, int code, int status, bool expected)
{
    LogRecord r;

    log_record_begin(&r, expected ? LOG_DEBUG : LOG_ERR, LOG_MESSAGE_TEMPLATE_EXITED);
    log_record_field(&r, "TEMPLATE_PID", "%d", (int)g->template_pid);
    log_record_field(&r, "GENERATION", "%u", g->number);
    log_record_field(&r, code == CLD_EXITED ? "EXIT_STATUS" : "SIGNAL", "%d", status);
    log_record_field(&r, "AGE_USEC", "%llu",
                     (unsigned long long)(clock_monotonic_usec() - g->started_usec));
    log_record_field(&r, "REASON", "%s", g->reason);
    log_record_send(&r, "Template %d of generation %u has ended%s%s", (int)g->template_pid,
                    g->number, expected ? "" : ": ", expected ? "" : g->reason);
}

void generation_on_template_exit(Generation *g, int code, int status)
{
    Manager *m = g->manager;
    GenerationState before = g->state;
    bool expected = before == GENERATION_LEAVING || (before == GENERATION_FAILED && g->link_fd < 0);

    /* FAILED may wait in the link, messages of PHP in the pipes. */
    if (g->link_source)
        on_template_message(g->link_source, g->link_fd, 0, g);
    output_close(&g->out);
    output_close(&g->err);
    if (!expected)
        template_reason(g, code, status);
    template_obituary(g, code, status, expected);
    g->template_pid = 0;
    generation_close_link(g);

    if (before == GENERATION_STARTING || before == GENERATION_FORKING) {
        g->state = GENERATION_FAILED;
        reload_refused(m, g->reason);
    } else if (before == GENERATION_CURRENT && m->state != MANAGER_STOPPING)
        /* Its workers go on serving, but nobody can be forked any more: a new generation takes
         * over. */
        reload_begin(m);
    else
        generation_check_empty(g);
}
