#include "manager/manager.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "sandbox/sandbox.h"
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

/* What confines the workers, as words. */
static void describe_sandbox(unsigned moot, const Generation *g, char *text, size_t size)
{
    const PoolConfig *c = g ? g->config : NULL;
    int abi = moot & BOARD_MOOT_LANDLOCK ? 0 : landlock_find_abi();
    bool has_paths =
        c && (c->sandbox_read.n > 0 || c->sandbox_write.n > 0 || c->sandbox_exec_paths.n > 0);
    char landlock[32] = "";

    if (abi > 0)
        snprintf(landlock, sizeof(landlock), " landlock-%d", abi);
    snprintf(text, size, "no-new-privs capabilities%s%s%s%s%s%s%s%s",
             moot & BOARD_MOOT_BOUNDING_SET ? "" : " bounding-set",
             moot & BOARD_MOOT_SECUREBITS ? "" : " securebits",
             moot & BOARD_MOOT_SECCOMP ? "" : " seccomp", landlock,
             has_paths && !(moot & BOARD_MOOT_PATHS) ? " paths" : "",
             c && c->sandbox_tcp_connect.n > 0 && !(moot & BOARD_MOOT_TCP) ? " tcp-connect" : "",
             g && g->setup->ids.keep ? "" : " user", c && c->chroot ? " chroot" : "");
}

static void snapshot_limits(const Generation *g, StatusPool *p)
{
    const PoolConfig *c = g->config;

    p->start_servers = c->pm_start_servers;
    p->min_spare_servers = c->pm_min_spare_servers;
    p->max_spare_servers = c->pm_max_spare_servers;
    p->max_spawn_rate = c->pm_max_spawn_rate;
    p->max_requests = c->pm_max_requests;
    p->max_memory_bytes = c->pm_max_memory_bytes;
    p->max_lifetime_usec = c->pm_max_lifetime_usec;
    p->process_idle_timeout_usec = c->pm_process_idle_timeout_usec;
    p->terminate_timeout_usec = c->request_terminate_timeout_usec;
    p->slowlog_timeout_usec = c->slowlog_timeout_usec;
    p->read_timeout_usec = c->request_read_timeout_usec;
    p->queue_timeout_usec = c->queue_timeout_usec;
    p->idle_exit_usec = c->idle_exit_usec;
    p->template_pid = (uint64_t)g->template_pid;
    p->generation_usec = clock_realtime_usec() - (clock_monotonic_usec() - g->started_usec);
}

static void snapshot_sums(const Manager *m, StatusPool *p)
{
    p->slow_requests = m->slow_requests;
    p->answered = m->answered;
    p->crashed = m->crashed_requests;
    p->bytes_in = m->bytes_in;
    p->bytes_out = m->bytes_out;
    p->latency_sum_usec = m->latency_sum_usec;
    p->cpu_usec = m->cpu_usec;
    p->queue_wait_max_usec = m->queue_wait_max_usec;
    memcpy(p->outcomes, m->outcomes, sizeof(p->outcomes));
    memcpy(p->latency, m->latency, sizeof(p->latency));
}

static void snapshot_pool(Manager *m, StatusPool *p)
{
    const Generation *g = m->current ? m->current : m->generations;
    unsigned parked = porter_count(m);
    uint64_t wait_usec;
    unsigned queued;
    ScaleCounts c;

    scale_count(m, &c);
    queued = figures_note_queue(m, clock_monotonic_usec(), &wait_usec);
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
        .moot = m->moot | (g ? g->moot : 0),
        .queued = queued,
        .queue_wait_usec = wait_usec,
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
        .records_dropped = log_dropped() + m->worker_records_dropped,
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
        .porter_pid = (uint64_t)m->porter.pid,
    };
    snapshot_sums(m, p);
    if (g)
        snapshot_limits(g, p);
    describe_sandbox(p->moot, g, p->sandbox, sizeof(p->sandbox));
    COPY(p->request_user, g ? g->setup->ids.user_name : NULL);
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
    worker_look_at_cpu(w, now_usec);
    board->cpu_total_usec = w->cpu_usec;
    board->cpu_permille = w->cpu_permille;
    if (!worker_phase_is_capacity(w->phase) && board->state == WORKER_STATE_IDLE)
        board->state = WORKER_STATE_DRAINING;
    if (board->state == WORKER_STATE_RUNNING || board->state == WORKER_STATE_FINISHING)
        ret->request_age_usec = now_usec - MIN(board->request_started_usec, now_usec);
}

static void add_cache(BoardOpcache *sum, const BoardOpcache *o)
{
    sum->seen_usec = MAX(sum->seen_usec, o->seen_usec);
    sum->used_bytes += o->used_bytes;
    sum->free_bytes += o->free_bytes;
    sum->wasted_bytes += o->wasted_bytes;
    sum->strings_used_bytes += o->strings_used_bytes;
    sum->strings_free_bytes += o->strings_free_bytes;
    sum->scripts += o->scripts;
    sum->keys += o->keys;
    sum->keys_max += o->keys_max;
}

/* Of the present generation's cache whoever has seen it last knows most; where each worker has one
 * of its own the pool has the sum. */
static void take_worker(const Manager *m, const Worker *w, const StatusWorker *worker,
                        StatusPool *p)
{
    const BoardOpcache *o = &worker->board.opcache;

    p->resident_bytes += worker->board.resident_bytes;
    if (w->generation != m->current)
        return;
    if (w->generation->config->sandbox_opcache_private) {
        add_cache(&p->opcache, o);
        p->opcache.hits = w->generation->opcache.hits;
        p->opcache.misses = w->generation->opcache.misses;
        p->opcache.restarts = w->generation->opcache.restarts;
    } else if (o->seen_usec > p->opcache.seen_usec)
        p->opcache = *o;
}

/* One that has not said HELLO has no pid that could be told. A zero in its place would be more than
 * ugly: kill(1) takes it for the process group of whoever passes it on. */
static bool is_shown(const Worker *w)
{
    return w->pid > 0;
}

int snapshot_make(Manager *m)
{
    uint64_t now_usec = clock_monotonic_usec();
    _cleanup_buffer_ Buffer b = {0};
    StatusPool pool = {0};
    const StatusWorker *workers;
    StatusWorker worker;
    int r;

    /* The sums of the pool come from the slots: first the workers, then what is above them. */
    r = buffer_append(&b, &pool, sizeof(pool));
    for (Worker *w = m->workers; w && r == 0; w = w->next) {
        if (!is_shown(w))
            continue;
        snapshot_worker(w, now_usec, &worker);
        r = buffer_append(&b, &worker, sizeof(worker));
    }
    if (r < 0)
        return r;
    beat_status(m);
    snapshot_pool(m, &pool);
    workers = (const void *)(b.data + sizeof(pool));
    for (const Worker *w = m->workers; w; w = w->next)
        if (is_shown(w))
            take_worker(m, w, &workers[pool.n_workers++], &pool);
    memcpy(b.data, &pool, sizeof(pool));
    return fd_make_sealed("fpmd-status", b.data, b.size);
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
