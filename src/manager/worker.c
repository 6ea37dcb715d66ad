#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* After a worker that died before it served anything, no other is ordered for this long: a fault
 * that kills them all must not eat the machine. */
#define RESPAWN_PAUSE_USEC (1 * USEC_PER_SEC)

/* More requests than this between two looks at a slot are a lie. */
#define REQUESTS_PLAUSIBLE UINT64_C(100000000)

/* ---- the list, in order of registration ---- */

static void worker_link(Worker *w)
{
    Manager *m = w->manager;

    w->prev = m->workers_last;
    w->next = NULL;
    if (m->workers_last)
        m->workers_last->next = w;
    else
        m->workers = w;
    m->workers_last = w;
}

static void worker_unlink(Worker *w)
{
    Manager *m = w->manager;

    if (w->prev)
        w->prev->next = w->next;
    else
        m->workers = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        m->workers_last = w->prev;
}

static unsigned free_slot_number(const Manager *m)
{
    for (unsigned number = 0;; number++) {
        bool used = false;

        for (const Worker *w = m->workers; w && !used; w = w->next)
            used = w->slot_number == number;
        if (!used)
            return number;
    }
}

Worker *worker_free(Worker *w)
{
    Generation *g;

    if (!w)
        return NULL;
    g = w->generation;
    worker_unlink(w);
    w->manager->n_workers--;
    g->n_workers--;
    output_close(&w->out);
    output_close(&w->err);
    sd_event_source_disable_unref(w->life_source);
    fd_close(w->life_line);
    board_unmap(w->slot);
    free(w);
    return NULL;
}

Worker *worker_find(Manager *m, pid_t pid)
{
    for (Worker *w = m->workers; w; w = w->next)
        if (w->pid == pid)
            return w;
    return NULL;
}

void worker_read_slot(Worker *w, uint64_t now_usec, BoardSlot *ret)
{
    Manager *m = w->manager;
    int r = board_read(w->slot, now_usec, ret);

    if (r == -EBADMSG) {
        *ret = (BoardSlot){.version = BOARD_SLOT_VERSION, .state = WORKER_STATE_RUNNING};
        m->absurd_messages++;
    }
    /* The counter is the worker's word: it may only grow, and not faster than a machine can. */
    if (ret->requests > w->requests_counted) {
        uint64_t begun = ret->requests - w->requests_counted;

        w->requests_counted = ret->requests;
        if (begun <= REQUESTS_PLAUSIBLE)
            m->requests += begun;
        else
            m->absurd_messages++;
    }
}

/* ---- messages ---- */

static void worker_on_hello(Worker *w, pid_t pid)
{
    if (w->phase != WORKER_ORDERED || pid <= 0 || worker_find(w->manager, pid)) {
        w->manager->absurd_messages++;
        return;
    }
    w->pid = w->out.pid = w->err.pid = pid;
    w->phase = WORKER_SETTING_UP;
}

static void worker_on_ready(Worker *w, const LinkMessage *message)
{
    Manager *m = w->manager;
    Generation *g = w->generation;

    if (w->phase != WORKER_SETTING_UP) {
        m->absurd_messages++;
        return;
    }
    w->phase = WORKER_READY;
    m->moot |= message->flags & BOARD_MOOT_LANDLOCK;
    /* It is the latest in the listeners' lines now: the list keeps that order. */
    worker_unlink(w);
    worker_link(w);
    listeners_rearm(&m->listeners);
    if (g->state == GENERATION_FORKING) {
        for (const Worker *other = m->workers; other; other = other->next)
            if (other->generation == g && other->phase < WORKER_READY)
                return;
        reload_succeeded(m);
    } else
        scale(m);
}

static int on_life_line(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Worker *w = userdata;
    Manager *m = w->manager;
    LinkMessage message;
    pid_t pid = 0;
    int r = link_receive(fd, &message, NULL, 0, NULL, &pid);

    if (r == -EAGAIN || r == -EINTR)
        return 0;
    if (r == -EBADMSG) {
        m->absurd_messages++;
        return 0;
    }
    if (r <= 0) {
        /* The other end closes when the process dies. One that closed it and lives would be out of
         * our control. */
        w->life_source = sd_event_source_disable_unref(w->life_source);
        w->life_line = fd_close(w->life_line);
        if (w->pid > 0)
            kill(w->pid, SIGKILL);
        else
            worker_on_exit(w, 0, 0);
        return 0;
    }
    if (message.type == LINK_HELLO)
        worker_on_hello(w, pid);
    else if (message.type == LINK_READY && pid == w->pid)
        worker_on_ready(w, &message);
    else
        m->absurd_messages++;
    return 0;
}

void worker_retire(Worker *w)
{
    if (w->phase == WORKER_RETIRED)
        return;
    /* The pid of one that has not been heard of yet comes with the HELLO. */
    if (w->phase == WORKER_ORDERED)
        on_life_line(w->life_source, w->life_line, 0, w);
    w->phase = WORKER_RETIRED;
    w->life_source = sd_event_source_disable_unref(w->life_source);
    w->life_line = fd_close(w->life_line);
}

void workers_drain_links(Manager *m)
{
    Worker *next;

    for (Worker *w = m->workers; w; w = next) {
        next = w->next;
        if (w->phase == WORKER_ORDERED && w->life_source)
            on_life_line(w->life_source, w->life_line, 0, w);
    }
}

/* ---- ordering ---- */

static int worker_open_output(Worker *w, int *out, int *err)
{
    Generation *g = w->generation;
    Manager *m = w->manager;
    int r;

    if (!g->config->catch_workers_output) {
        *out = open("/dev/null", O_WRONLY | O_CLOEXEC);
        *err = open("/dev/null", O_WRONLY | O_CLOEXEC);
        return *out < 0 || *err < 0 ? -errno : 0;
    }
    r = output_open(&w->out, m->event, "stdout", LOG_MESSAGE_WORKER_OUTPUT, LOG_INFO, g->number,
                    out);
    if (r < 0)
        return r;
    return output_open(&w->err, m->event, "stderr", LOG_MESSAGE_WORKER_OUTPUT, LOG_NOTICE,
                       g->number, err);
}

/* Makes the worker and the four descriptors that go to it. */
static int worker_new(Generation *g, int fds[static LINK_FORK_FDS], Worker **ret)
{
    Manager *m = g->manager;
    Worker *w = calloc(1, sizeof(*w));
    int pair[2], r;

    if (!w)
        return -ENOMEM;
    *w = (Worker){
        .manager = m,
        .generation = g,
        .slot_number = free_slot_number(m),
        .life_line = -1,
        .out = {.fd = -1},
        .err = {.fd = -1},
        .started_usec = clock_monotonic_usec(),
    };
    worker_link(w);
    m->n_workers++;
    g->n_workers++;

    r = fds[LINK_FORK_FD_SLOT] = board_create(&w->slot);
    if (r >= 0)
        r = link_pair(pair);
    if (r >= 0) {
        w->life_line = pair[0];
        fds[LINK_FORK_FD_LIFE_LINE] = pair[1];
        r = worker_open_output(w, &fds[LINK_FORK_FD_STDOUT], &fds[LINK_FORK_FD_STDERR]);
    }
    if (r >= 0)
        r = sd_event_add_io(m->event, &w->life_source, w->life_line, EPOLLIN, on_life_line, w);
    if (r < 0) {
        worker_free(w);
        return r;
    }
    sd_event_source_set_priority(w->life_source, PRIORITY_LINK);
    *ret = w;
    return 0;
}

static unsigned workers_order_batch(Generation *g, unsigned n)
{
    LinkMessage m = {.type = LINK_FORK};
    int fds[LINK_FORK_MAX * LINK_FORK_FDS];
    Worker *ordered[LINK_FORK_MAX];
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = -1;
    while (m.count < n && r == 0) {
        r = worker_new(g, fds + m.count * LINK_FORK_FDS, &ordered[m.count]);
        if (r == 0)
            m.count++;
    }
    if (m.count > 0) {
        int sent = link_send(g->link_fd, &m, fds, m.count * LINK_FORK_FDS);

        if (sent < 0) {
            r = sent;
            while (m.count > 0)
                worker_free(ordered[--m.count]);
        }
    }
    if (r < 0)
        log_error("Cannot order workers from the template: %s", strerror(-r));
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fd_close(fds[i]);
    g->manager->workers_started += m.count;
    return m.count;
}

unsigned workers_order(Generation *g, unsigned n)
{
    unsigned done = 0;

    while (done < n && g->link_fd >= 0) {
        unsigned batch = MIN(n - done, (unsigned)LINK_FORK_MAX);
        unsigned ordered = workers_order_batch(g, batch);

        done += ordered;
        if (ordered < batch)
            break;
    }
    return done;
}

/* ---- death ---- */

static const char *signal_name(int number)
{
    const char *name = sigabbrev_np(number);

    return name ? name : "?";
}

static void worker_obituary(Worker *w, int code, int status, const BoardSlot *slot, bool crashed)
{
    Manager *m = w->manager;
    uint64_t age_usec = clock_monotonic_usec() - w->started_usec;
    bool busy = slot->state == WORKER_STATE_RUNNING || slot->state == WORKER_STATE_FINISHING ||
                slot->state == WORKER_STATE_READING;
    const char *step = code == CLD_EXITED && status != 0 ? exit_status_to_string(status) : NULL;
    char how[96];
    LogRecord r;

    log_record_begin(&r, crashed ? LOG_WARNING : LOG_DEBUG, LOG_MESSAGE_WORKER_EXITED);
    log_record_field(&r, "WORKER_PID", "%d", (int)w->pid);
    log_record_field(&r, "WORKER_SLOT", "%u", w->slot_number);
    log_record_field(&r, "GENERATION", "%u", w->generation->number);
    log_record_field(&r, "AGE_USEC", "%llu", (unsigned long long)age_usec);
    log_record_field(&r, "REQUESTS", "%llu", (unsigned long long)slot->requests);
    if (code == 0)
        snprintf(how, sizeof(how), "was never heard of");
    else if (code == CLD_EXITED) {
        snprintf(how, sizeof(how), "exited with status %d%s%s%s", status, step ? " (" : "",
                 step ? step : "", step ? ")" : "");
        log_record_field(&r, "EXIT_STATUS", "%d", status);
        log_record_field(&r, "EXIT_NAME", "%s", step ? step : "");
    } else {
        snprintf(how, sizeof(how), "was killed by signal %d (SIG%s)%s", status, signal_name(status),
                 code == CLD_DUMPED ? ", core dumped" : "");
        log_record_field(&r, "SIGNAL", "%d", status);
        log_record_field(&r, "SIGNAL_NAME", "SIG%s", signal_name(status));
    }
    if (slot->script[0])
        log_record_field(&r, "SCRIPT", "%s", slot->script);
    if (slot->uri[0]) {
        log_record_field(&r, "REQUEST_METHOD", "%s", slot->method);
        log_record_field(&r, "REQUEST_URI", "%s", slot->uri);
    }
    log_record_send(&r, "Worker %d %s after %llu.%03llu s and %llu requests; %s%s", (int)w->pid,
                    how, (unsigned long long)(age_usec / USEC_PER_SEC),
                    (unsigned long long)(age_usec % USEC_PER_SEC / USEC_PER_MSEC),
                    (unsigned long long)slot->requests,
                    !slot->script[0] ? "it had run no script"
                    : busy           ? "it was running "
                                     : "its last script was ",
                    slot->script);
    if (crashed)
        m->workers_crashed++;
}

void worker_on_exit(Worker *w, int code, int status)
{
    Manager *m = w->manager;
    Generation *g = w->generation;
    bool was_registered = w->phase >= WORKER_READY;
    bool crashed = code != CLD_EXITED || status != EXIT_STATUS_OK;
    uint64_t now_usec = clock_monotonic_usec();
    BoardSlot slot;

    if (code == 0)
        slot = (BoardSlot){0};
    else
        worker_read_slot(w, now_usec, &slot);
    m->protocol_errors += slot.protocol_errors;
    worker_obituary(w, code, status, &slot, crashed && m->state != MANAGER_STOPPING);
    worker_free(w);

    if (crashed && slot.requests == 0 && m->state != MANAGER_STOPPING)
        m->respawn_after_usec = now_usec + RESPAWN_PAUSE_USEC;
    if (g->state == GENERATION_FORKING && crashed) {
        snprintf(g->reason, sizeof(g->reason), "a worker could not be started: %s",
                 code == CLD_EXITED ? (exit_status_to_string(status) ?: "unknown status")
                                    : signal_name(status));
        reload_refused(m, g->reason);
    } else if (g->state == GENERATION_CURRENT) {
        scale(m);
    } else
        generation_check_empty(g);
    /* The wake-up of a connection may have died with the worker. */
    if (was_registered)
        scale_poke(m);
    manager_check_stopped(m);
}
