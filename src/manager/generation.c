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
#include <sys/socket.h>

/* Requests that crash every worker must not hold up a generation for ever. */
#define REFILLS_MAX 8
/* A template of sound mind says one thing in its life. */
#define HEARD_MAX 16
/* A template that was told to leave and has no worker left: nothing is lost by ending it. */
#define LEAVE_LIMIT_USEC (5 * USEC_PER_SEC)

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
    traces_cancel(g->manager, g);
    sd_event_source_disable_unref(g->link_source);
    sd_event_source_disable_unref(g->timeout_source);
    output_close(&g->out);
    output_close(&g->err);
    chroot_done(&g->changer);
    denied_close(g);
    fd_close(g->link_fd);
    pool_setup_unref(g->setup);
    free(g);
    return NULL;
}

static void set_timeout(Generation *g, uint64_t usec, sd_event_time_handler_t handler)
{
    int r;

    g->timeout_source = sd_event_source_disable_unref(g->timeout_source);
    r = sd_event_add_time_relative(g->manager->event, &g->timeout_source, CLOCK_MONOTONIC, usec, 0,
                                   handler, g);
    if (r < 0)
        log_error("Cannot set a timer for generation %u, ignoring: %s", g->number, strerror(-r));
}

static int on_leave_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
    Generation *g = userdata;

    if (g->template_pid > 0)
        kill(g->template_pid, SIGKILL);
    return 0;
}

static int on_start_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
    Generation *g = userdata;

    if (!g->reason[0])
        snprintf(g->reason, sizeof(g->reason), "it did not serve within pm.start_timeout, %llu s",
                 (unsigned long long)(g->config->pm_start_timeout_usec / USEC_PER_SEC));
    settle_later(g->manager);
    return 0;
}

/* Closing the link lets an idle template leave; one that is still starting its language does not
 * look at it. */
static void generation_close_link(Generation *g)
{
    if (g->link_fd < 0)
        return;
    g->link_source = sd_event_source_disable_unref(g->link_source);
    g->link_fd = fd_close(g->link_fd);
    if (g->template_pid > 0)
        set_timeout(g, LEAVE_LIMIT_USEC, on_leave_timeout);
}

/* Its workers have had the time that its own setup gives them. */
static int on_finish_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
    Generation *g = userdata;
    unsigned n = 0;

    for (Worker *w = g->manager->workers; w; w = w->next)
        if (w->generation == g && w->phase != WORKER_DEAD) {
            worker_end(w, 503);
            n++;
        }
    if (n > 0)
        log_text(LOG_WARNING, LOG_MESSAGE_DRAIN_LIMIT,
                 "%u workers of generation %u were ended in their requests: "
                 "process_control_timeout has passed",
                 n, g->number);
    return 0;
}

bool generation_bury(Generation *g)
{
    if (g->state != GENERATION_LEAVING || g->n_workers > 0)
        return false;
    generation_close_link(g);
    if (g->template_pid > 0)
        return false;
    generation_free(g);
    return true;
}

void generation_leave(Generation *g, bool parking)
{
    Manager *m = g->manager;

    if ((g->state == GENERATION_STARTING || g->state == GENERATION_ENTERING) && g->template_pid > 0)
        kill(g->template_pid, SIGKILL);
    chroot_done(&g->changer);
    if (m->current == g)
        m->current = NULL;
    if (m->coming == g)
        m->coming = NULL;
    /* Told once is enough: a limit that runs for its template goes on. */
    if (g->state == GENERATION_LEAVING)
        return;
    g->state = GENERATION_LEAVING;
    g->timeout_source = sd_event_source_disable_unref(g->timeout_source);
    for (Worker *w = m->workers; w; w = w->next)
        if (w->generation == g)
            worker_retire(w, parking);
    /* A stop has its own limit, for all. */
    if (g->config->process_control_timeout_usec > 0 && m->state != MANAGER_STOPPING)
        set_timeout(g, g->config->process_control_timeout_usec, on_finish_timeout);
    settle_later(m);
}

bool generation_is_complete(Generation *g)
{
    unsigned n_ready = 0;

    if (g->state != GENERATION_FORKING)
        return false;
    for (const Worker *w = g->manager->workers; w; w = w->next) {
        if (w->generation != g)
            continue;
        if (w->phase == WORKER_ORDERED || w->phase == WORKER_SETTING_UP)
            return false;
        n_ready += w->phase == WORKER_READY;
    }
    /* They serve already, so some may have left or crashed while the others were being forked. */
    if (n_ready < g->n_first && g->n_refills < REFILLS_MAX) {
        g->n_refills++;
        return workers_order(g, g->n_first - n_ready) == 0;
    }
    return true;
}

/* The first workers are ordered; those of a reload replace the old ones one for one. */
static void generation_order_first(Generation *g)
{
    Manager *m = g->manager;
    const PolicyLimits *limits = &g->setup->limits;
    unsigned wanted = policy_initial(limits, listeners_queued(&m->listeners, 1));

    if (m->current && limits->mode != POOL_MODE_STATIC) {
        wanted = MAX(wanted, m->current->n_workers);
        wanted = MIN(wanted, limits->max_children);
    }
    g->state = GENERATION_FORKING;
    g->n_first = wanted;
    if (wanted > 0 && workers_order(g, wanted) < wanted)
        snprintf(g->reason, sizeof(g->reason), "its first %u workers could not be ordered: %s",
                 wanted, g->order_error < 0 ? strerror(-g->order_error) : "its template is gone");
    settle_later(m);
}

static int on_root_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Generation *g = userdata;
    ChrootAnswer answer;
    int r = chroot_read(&g->changer, &answer);

    if (r == -EAGAIN)
        return 0;
    chroot_done(&g->changer);
    if (r == 0 && answer.error == 0 && answer.step == CHROOT_DIRECTORY) {
        generation_order_first(g);
        return 0;
    }
    if (r < 0)
        snprintf(g->reason, sizeof(g->reason), "the process that changes the root has died");
    else
        chroot_reason(g->config, &answer, g->reason, sizeof(g->reason));
    settle_later(g->manager);
    return 0;
}

/* The language runs. Workers are ordered when the template stands where they shall be. */
static void generation_on_ready(Generation *g, const LinkMessage *message)
{
    const Generation *current = g->manager->current;
    const char *words = strchrnul(message->text, '\n');
    int r;

    denied_take(g);
    snprintf(g->version, sizeof(g->version), "%.*s",
             (int)MIN((size_t)(words - message->text), sizeof(g->version) - 1), message->text);
    g->n_unloaded = message->count;
    g->moot = message->flags & BOARD_MOOT_OF_GENERATION;
    /* The first start warns and goes on, as PHP-FPM does; what serves is not replaced by less. */
    if (current && g->manager->coming == g && g->n_unloaded > current->n_unloaded) {
        snprintf(g->reason, sizeof(g->reason), "PHP could not load all extensions: %.900s",
                 *words ? words + 1 : "");
        settle_later(g->manager);
        return;
    }
    if (g->changer.fd < 0) {
        generation_order_first(g);
        return;
    }
    g->state = GENERATION_ENTERING;
    r = chroot_order(&g->changer, g->manager->event, on_root_changed, g);
    if (r < 0) {
        snprintf(g->reason, sizeof(g->reason), "its root cannot be changed: %s", strerror(-r));
        settle_later(g->manager);
        return;
    }
    sd_event_source_set_priority(g->changer.source, PRIORITY_LINK);
}

/* Its words come before the eyes of people, in terminals. */
static void take_controls_out(char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\n') || *text == 0x7f)
            *text = ' ';
}

static void generation_read_link(Generation *g)
{
    Manager *m = g->manager;
    LinkMessage message;
    int r = link_receive(g->link_fd, MSG_DONTWAIT, &message, NULL, 0, NULL, NULL);

    if (r == -EAGAIN || r == -EINTR)
        return;
    /* Code of the pool may run in it before the first request (opcache.preload), and messages come
     * before timers. */
    if (++g->n_heard == HEARD_MAX && g->template_pid > 0)
        kill(g->template_pid, SIGKILL);
    if (r == 1)
        take_controls_out(message.text);
    if (r == -EBADMSG)
        m->absurd_messages++;
    else if (r <= 0) {
        /* It is dying, and its exit status will tell why; one that lives on would be of no use. */
        g->link_source = sd_event_source_disable_unref(g->link_source);
        if (g->template_pid > 0)
            kill(g->template_pid, SIGKILL);
    } else if (message.type == LINK_FAILED && g->state == GENERATION_STARTING)
        pool_config_place(g->config, message.text, g->reason, sizeof(g->reason));
    else if (message.type == LINK_READY && g->state == GENERATION_STARTING) {
        /* Of the dead it does not count. */
        if (g->template_pid > 0)
            generation_on_ready(g, &message);
    } else if (message.type == LINK_TRACED && traces_complete(g, message.count))
        g->n_heard--;
    else if (g->state != GENERATION_LEAVING) /* it spoke before it was told to leave */
        m->absurd_messages++;
}

static int on_template_message(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    generation_read_link(userdata);
    return 0;
}

int generation_start(Manager *m, PoolSetup *setup, Generation **ret)
{
    Generation *g = calloc(1, sizeof(*g));
    int r;

    if (!g)
        return -ENOMEM;
    *g = (Generation){
        .manager = m,
        .next = m->generations,
        .number = ++m->last_number,
        .setup = pool_setup_ref(setup),
        .config = setup->config,
        .link_fd = -1,
        .changer = {.fd = -1},
        .denied = {.line_fd = -1, .listener_fd = -1},
        .out = {.fd = -1},
        .err = {.fd = -1},
        .started_usec = clock_monotonic_usec(),
    };
    m->generations = g;
    r = spawn_template(g);
    if (r == 0)
        r = sd_event_add_io(m->event, &g->link_source, g->link_fd, EPOLLIN, on_template_message, g);
    if (r >= 0)
        r = denied_start(g);
    if (r < 0) {
        if (g->template_pid > 0)
            kill(g->template_pid, SIGKILL);
        generation_free(g);
        return r;
    }
    sd_event_source_set_priority(g->link_source, PRIORITY_LINK);
    set_timeout(g, setup->config->pm_start_timeout_usec, on_start_timeout);
    *ret = g;
    return 0;
}

int generation_adopt(Generation *g)
{
    Manager *m = g->manager;
    Generation **end = &m->generations;
    int r;

    while (*end)
        end = &(*end)->next;
    *end = g;
    r = denied_start(g);
    if (r < 0)
        return r;
    if (g->link_fd < 0) {
        if (g->template_pid > 0)
            set_timeout(g, LEAVE_LIMIT_USEC, on_leave_timeout);
        return 0;
    }
    r = sd_event_add_io(m->event, &g->link_source, g->link_fd, EPOLLIN, on_template_message, g);
    if (r < 0)
        return r;
    /* How long its workers have had already is not known: they get their time again. */
    if (g->state == GENERATION_LEAVING && g->config->process_control_timeout_usec > 0)
        set_timeout(g, g->config->process_control_timeout_usec, on_finish_timeout);
    return sd_event_source_set_priority(g->link_source, PRIORITY_LINK);
}

static void template_reason(Generation *g, int code, int status)
{
    const char *step = code == CLD_EXITED ? exit_status_to_string(status) : NULL;

    if (g->reason[0])
        return;
    if (code != CLD_EXITED)
        snprintf(g->reason, sizeof(g->reason), "the runtime died of signal %d (SIG%s)", status,
                 sigabbrev_np(status) ?: "?");
    else if (step && status != EXIT_STATUS_OK)
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
    bool expected = g->state == GENERATION_LEAVING;
    pid_t pid = g->template_pid;

    /* FAILED may wait in the link, and messages of PHP in the pipes. */
    g->template_pid = 0;
    if (g->link_source)
        generation_read_link(g);
    traces_cancel(m, g);
    output_close(&g->out);
    output_close(&g->err);
    chroot_done(&g->changer);
    if (!expected)
        template_reason(g, code, status);
    g->template_pid = pid;
    template_obituary(g, code, status, expected);
    g->template_pid = 0;
    g->timeout_source = sd_event_source_disable_unref(g->timeout_source);
    generation_close_link(g);
    /* Of the current generation the workers go on; settle starts another template from the same
     * setup. */
    if (g->state == GENERATION_CURRENT)
        g->reason[0] = 0;
    settle_later(m);
}
