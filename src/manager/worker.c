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
#include <sys/socket.h>

/* After a worker that died before it could serve, no other is ordered for this long: a fault
 * that kills them all must not eat the machine. */
#define RESPAWN_PAUSE_USEC (1 * USEC_PER_SEC)

/* More requests than this between two looks at a slot are a lie. */
#define REQUESTS_PLAUSIBLE UINT64_C(100000000)

/* After so many senseless messages a worker is ended. */
#define ABSURD_MAX 16

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

/* The lowest number that no living worker has. -ENOMEM, or 0 with *ret. */
static int take_slot_number(Manager *m, unsigned *ret)
{
    uint64_t *grown;

    for (size_t i = 0; i < m->n_slot_map; i++)
        if (~m->slot_map[i]) {
            unsigned bit = (unsigned)__builtin_ctzll(~m->slot_map[i]);

            m->slot_map[i] |= UINT64_C(1) << bit;
            *ret = (unsigned)i * 64 + bit;
            return 0;
        }
    grown = reallocarray(m->slot_map, m->n_slot_map + 1, sizeof(uint64_t));
    if (!grown)
        return -ENOMEM;
    m->slot_map = grown;
    m->slot_map[m->n_slot_map] = 1;
    *ret = (unsigned)m->n_slot_map++ * 64;
    return 0;
}

Worker *worker_free(Worker *w)
{
    Generation *g;

    if (!w)
        return NULL;
    g = w->generation;
    worker_unlink(w);
    w->manager->slot_map[w->slot_number / 64] &= ~(UINT64_C(1) << w->slot_number % 64);
    w->manager->n_workers--;
    g->n_workers--;
    output_close(&w->out);
    output_close(&w->err);
    sd_event_source_disable_unref(w->life_source);
    sd_event_source_disable_unref(w->end_source);
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
            m->requests += w->for_status ? 0 : begun;
        else
            m->absurd_messages++;
    }
}

void workers_bury(Manager *m)
{
    Worker *next;

    for (Worker *w = m->workers; w; w = next) {
        next = w->next;
        if (w->dead)
            worker_free(w);
    }
}

/* ---- messages ---- */

void worker_retire(Worker *w)
{
    /* One that has not been heard of keeps its line until its HELLO: without it nobody would know
     * whose death to look for. */
    w->retire_asked = true;
    if (w->phase == WORKER_ORDERED || w->phase == WORKER_RETIRED)
        return;
    w->phase = WORKER_RETIRED;
    w->life_source = sd_event_source_disable_unref(w->life_source);
    w->life_line = fd_close(w->life_line);
    if (w->for_status)
        scale_status_retired(w);
}

/* A worker of sound mind says HELLO and READY, asks for the STATUS and says nothing else. */
static void worker_on_absurd(Worker *w)
{
    w->manager->absurd_messages++;
    if (++w->n_absurd == ABSURD_MAX && w->pid > 0)
        kill(w->pid, SIGKILL);
}

static void worker_on_hello(Worker *w, pid_t pid)
{
    if (w->phase != WORKER_ORDERED || pid <= 0 || worker_find(w->manager, pid)) {
        worker_on_absurd(w);
        return;
    }
    w->pid = w->out.pid = w->err.pid = pid;
    w->phase = WORKER_SETTING_UP;
    if (w->retire_asked)
        worker_retire(w);
}

static void worker_on_ready(Worker *w, const LinkMessage *message)
{
    Manager *m = w->manager;

    if (w->phase != WORKER_SETTING_UP) {
        worker_on_absurd(w);
        return;
    }
    w->phase = WORKER_READY;
    m->moot |= message->flags & BOARD_MOOT_LANDLOCK;
    /* It is the latest in the listeners' lines now: the list keeps that order, and we go behind it.
     */
    worker_unlink(w);
    worker_link(w);
    listeners_rearm(&m->listeners);
    m->scale_wanted = true;
    settle_later(m);
}

static void worker_on_line_closed(Worker *w)
{
    /* The other end closes when the process dies. One that closed it and lives would be out of our
     * control. */
    w->life_source = sd_event_source_disable_unref(w->life_source);
    w->life_line = fd_close(w->life_line);
    if (w->pid > 0)
        kill(w->pid, SIGKILL);
    else
        worker_on_exit(w, 0, 0);
}

static void worker_read_line(Worker *w)
{
    LinkMessage message;
    pid_t pid = 0;
    int r = link_receive(w->life_line, MSG_DONTWAIT, &message, NULL, 0, NULL, &pid);

    if (r == -EAGAIN || r == -EINTR)
        return;
    if (r == -EBADMSG)
        worker_on_absurd(w);
    else if (r <= 0)
        worker_on_line_closed(w);
    else if (message.type == LINK_HELLO)
        worker_on_hello(w, pid);
    else if (message.type == LINK_READY && pid == w->pid)
        worker_on_ready(w, &message);
    else if (message.type != LINK_STATUS || pid != w->pid || worker_answer(w) < 0)
        worker_on_absurd(w);
}

static int on_life_line(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    worker_read_line(userdata);
    return 0;
}

void workers_drain_links(Manager *m)
{
    for (Worker *w = m->workers; w; w = w->next)
        if (w->phase == WORKER_ORDERED && !w->dead && w->life_line >= 0)
            worker_read_line(w);
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
        .life_line = -1,
        .out = {.fd = -1},
        .err = {.fd = -1},
        .started_usec = clock_monotonic_usec(),
    };
    r = take_slot_number(m, &w->slot_number);
    if (r < 0) {
        free(w);
        return r;
    }
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

static unsigned workers_order_batch(Generation *g, unsigned n, unsigned flags)
{
    LinkMessage m = {.type = LINK_FORK, .flags = flags};
    int fds[LINK_FORK_MAX * LINK_FORK_FDS];
    Worker *ordered[LINK_FORK_MAX];
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = -1;
    while (m.count < n && r == 0) {
        r = worker_new(g, fds + m.count * LINK_FORK_FDS, &ordered[m.count]);
        if (r == 0)
            ordered[m.count++]->for_status = flags & LINK_FORK_STATUS;
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
        unsigned ordered = workers_order_batch(g, batch, 0);

        done += ordered;
        if (ordered < batch)
            break;
    }
    return done;
}

void workers_order_status(Generation *g)
{
    if (g->link_fd >= 0)
        workers_order_batch(g, 1, LINK_FORK_STATUS);
}

/* ---- death ---- */

void worker_on_exit(Worker *w, int code, int status)
{
    Manager *m = w->manager;
    Generation *g = w->generation;
    bool was_registered = w->phase >= WORKER_READY && code != 0;
    bool crashed = !w->ended && (code != CLD_EXITED || status != EXIT_STATUS_OK);
    uint64_t now_usec = clock_monotonic_usec();
    BoardSlot slot = {0};

    if (w->dead)
        return;
    if (code != 0)
        worker_read_slot(w, now_usec, &slot);
    m->protocol_errors += slot.protocol_errors;
    /* One that was told to leave while it was being set up may fail at anything. */
    if (w->retire_asked && slot.requests == 0 && code != CLD_KILLED && code != CLD_DUMPED)
        crashed = false;
    worker_obituary(w, code, status, &slot, crashed);
    w->dead = true;

    if (crashed && !was_registered && g->state != GENERATION_LEAVING) {
        m->respawn_after_usec = now_usec + RESPAWN_PAUSE_USEC;
        if (g->state == GENERATION_FORKING && !g->reason[0])
            snprintf(g->reason, sizeof(g->reason), "a worker could not be started: %s",
                     code == CLD_EXITED ? (exit_status_to_string(status) ?: "unknown status")
                     : code == 0        ? "it was never heard of"
                                        : (sigabbrev_np(status) ?: "?"));
    }
    /* Capacity first, then the connection whose wake-up may have died with the worker. */
    m->scale_wanted = true;
    m->poke_wanted |= was_registered;
    settle_later(m);
}
