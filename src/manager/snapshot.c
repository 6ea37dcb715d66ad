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

#define COPY(field, text) snprintf(field, sizeof(field), "%s", (text) ? (text) : "")

static void snapshot_pool(Manager *m, StatusPool *p)
{
    const Generation *g = m->current ? m->current : m->generations;
    ScaleCounts c;

    scale_count(m, &c);
    *p = (StatusPool){
        .version = STATUS_VERSION,
        .size = sizeof(StatusPool),
        .worker_size = sizeof(StatusWorker),
        .n_workers = m->n_workers,
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
        .queued = listeners_queued(&m->listeners, 1),
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
    if (w->phase == WORKER_RETIRED && board->state == WORKER_STATE_IDLE)
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
        pool.protocol_errors += w->slot->protocol_errors;
    r = buffer_append(&b, &pool, sizeof(pool));
    for (Worker *w = m->workers; w && r == 0; w = w->next) {
        snapshot_worker(w, now_usec, &worker);
        r = buffer_append(&b, &worker, sizeof(worker));
    }
    return r < 0 ? r : fd_make_sealed("fpmd-status", b.data, b.size);
}
