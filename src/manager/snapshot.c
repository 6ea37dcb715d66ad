#include "manager/manager.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "status/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Workers that ask get the same one for so long, per worker that it describes, which is some ten
 * times what making it takes: the cost of many questions is bounded, and a client that asks after
 * its own requests still finds them counted. */
#define SNAPSHOT_SHARE_USEC     100
#define SNAPSHOT_SHARE_MAX_USEC (50 * USEC_PER_MSEC)

#define COPY(field, text)       snprintf(field, sizeof(field), "%s", (text) ? (text) : "")

static uint32_t first_queue_limit(const Manager *m)
{
    for (size_t i = 0; i < m->listeners.n; i++)
        if (m->listeners.items[i].kind == LISTENER_REQUESTS)
            return (uint32_t)MAX(listener_backlog(&m->listeners, &m->listeners.items[i]), 0);
    return 0;
}

static void snapshot_pool(Manager *m, StatusPool *p)
{
    const Generation *g = m->current ? m->current : m->generations;
    unsigned parked = porter_count(m);
    ScaleCounts c;

    scale_count(m, &c);
    *p = (StatusPool){
        .version = STATUS_VERSION,
        .size = sizeof(StatusPool),
        .worker_size = sizeof(StatusWorker),
        .mode = g ? (uint32_t)g->setup->limits.mode : 0,
        .manager_pid = (uint32_t)getpid(),
        .generation = g ? g->number : 0,
        .max_children = g ? g->setup->limits.max_children : 0,
        .active = c.active,
        .idle = c.idle,
        .starting = c.starting,
        .draining = c.draining,
        .active_max = m->active_max,
        .moot = m->moot,
        .queued = listeners_queued_of(&m->listeners, LISTENER_REQUESTS, 1),
        .queued_max = m->queued_max,
        .started_usec = m->started_realtime_usec,
        .uptime_usec = clock_monotonic_usec() - m->started_usec,
        .requests = m->requests,
        .requests_per_ksec = m->requests_per_ksec,
        .workers_started = m->workers_started,
        .workers_crashed = m->workers_crashed,
        .limit_reached = m->limit_reached,
        .protocol_errors = m->protocol_errors,
        .absurd_messages = m->absurd_messages,
        .records_dropped = log_dropped(),
        .queue_limit = first_queue_limit(m),
        .parked = parked,
        .abandoned = m->abandoned,
        .read_timeouts = m->read_timeouts,
        .stopped = m->scripts_stopped,
        .ended = m->workers_ended,
        .shed = m->shed,
        .reloads = m->reloads,
        .reloads_refused = m->reloads_refused,
        .emergency_restarts = m->emergency_restarts,
    };
    COPY(p->name, m->options.pool);
    COPY(p->runtime, g ? g->config->runtime : NULL);
    COPY(p->runtime_version, g ? g->version : NULL);
    COPY(p->state, manager_state_to_string(m->state));
    COPY(p->status_text, m->status_text);
}

static void snapshot_worker(Worker *w, uint64_t now_usec, StatusWorker *ret)
{
    BoardSlot *board = &ret->board;

    *ret = (StatusWorker){
        .pid = (uint32_t)w->pid,
        .slot = w->slot_number,
        .generation = w->generation->number,
        .age_usec = now_usec - w->started_usec,
    };
    ret->started_usec = clock_realtime_usec() - ret->age_usec;
    worker_read_slot(w, now_usec, board);
    if (!worker_phase_is_capacity(w->phase) && board->state == WORKER_STATE_IDLE)
        board->state = WORKER_STATE_DRAINING;
    if (board->state == WORKER_STATE_RUNNING || board->state == WORKER_STATE_FINISHING)
        ret->request_age_usec = now_usec - MIN(board->request_started_usec, now_usec);
}

int snapshot_make(Manager *m)
{
    uint64_t now_usec = clock_monotonic_usec();
    _cleanup_buffer_ Buffer b = {0};
    StatusPool pool;
    StatusWorker worker;
    int r;

    beat_status(m);
    snapshot_pool(m, &pool);
    for (const Worker *w = m->workers; w; w = w->next)
        pool.n_workers += !w->for_status;
    r = buffer_append(&b, &pool, sizeof(pool));
    for (Worker *w = m->workers; w && r == 0; w = w->next) {
        if (w->for_status)
            continue;
        snapshot_worker(w, now_usec, &worker);
        r = buffer_append(&b, &worker, sizeof(worker));
    }
    return r < 0 ? r : fd_make_sealed("fpmd-status", b.data, b.size);
}

int snapshot_share(Manager *m)
{
    uint64_t now_usec = clock_monotonic_usec();
    uint64_t share_usec = MIN(m->n_workers * SNAPSHOT_SHARE_USEC, SNAPSHOT_SHARE_MAX_USEC);
    int fd;

    if (m->snapshot_fd >= 0 && now_usec - m->snapshot_made_usec < share_usec)
        return m->snapshot_fd;
    fd = snapshot_make(m);
    if (fd < 0)
        return fd;
    fd_close(m->snapshot_fd);
    m->snapshot_made_usec = now_usec;
    return m->snapshot_fd = fd;
}
