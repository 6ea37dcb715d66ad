#include "status/page.h"

#include <string.h>

#define TABLE_HEAD(type, object, member) type, offsetof(object, member)

/* Most fields have one name, with blanks or with '-'. */
#define POOL(type, member, name, tag, metric, metric_type, help)                                   \
    {                                                                                              \
        TABLE_HEAD(type, PagePool, member), name, name, tag, tag, metric, metric_type, help, false \
    }
#define PROCESS(type, member, name, plain, tag, key)                                               \
    {                                                                                              \
        TABLE_HEAD(type, PageProcess, member), name, plain, tag, key, NULL, NULL, NULL, false      \
    }

/* Names, order and texts are those of PHP-FPM 8.2, the pool's mode and name in the help of
 * phpfpm_up too. */
static const PageField pool_fields[] = {
    POOL(PAGE_TEXT, name, "pool", "pool", NULL, NULL, NULL),
    POOL(PAGE_TEXT, mode, "process manager", "process-manager", NULL, NULL, NULL),
    POOL(PAGE_TIME, start_time, "start time", "start-time", NULL, NULL, NULL),
    POOL(PAGE_NUMBER, start_since, "start since", "start-since", "phpfpm_start_since", "counter",
         "The number of seconds since FPM has started."),
    POOL(PAGE_NUMBER, requests, "accepted conn", "accepted-conn", "phpfpm_accepted_connections",
         "counter", "The number of requests accepted by the pool."),
    POOL(PAGE_NUMBER, queued, "listen queue", "listen-queue", "phpfpm_listen_queue", "gauge",
         "The number of requests in the queue of pending connections."),
    POOL(PAGE_NUMBER, queued_max, "max listen queue", "max-listen-queue", "phpfpm_max_listen_queue",
         "counter",
         "The maximum number of requests in the queue of pending connections since FPM has "
         "started."),
    {.type = PAGE_NUMBER,
     .offset = offsetof(PagePool, queue_limit),
     .name = "listen queue len",
     .plain = "listen queue len",
     .tag = "listen-queue-len",
     .key = "listen-queue-len",
     .metric = "phpfpm_listen_queue_length",
     .metric_type = "gauge",
     .metric_help = "The size of the socket queue of pending connections.",
     .help_last = true},
    POOL(PAGE_NUMBER, idle, "idle processes", "idle-processes", "phpfpm_idle_processes", "gauge",
         "The number of idle processes."),
    POOL(PAGE_NUMBER, active, "active processes", "active-processes", "phpfpm_active_processes",
         "gauge", "The number of active processes."),
    POOL(PAGE_NUMBER, total, "total processes", "total-processes", "phpfpm_total_processes",
         "gauge", "The number of idle + active processes."),
    POOL(PAGE_NUMBER, active_max, "max active processes", "max-active-processes",
         "phpfpm_max_active_processes", "counter",
         "The maximum number of active processes since FPM has started."),
    POOL(PAGE_NUMBER, limit_reached, "max children reached", "max-children-reached",
         "phpfpm_max_children_reached", "counter",
         "The number of times, the process limit has been reached, when pm tries to start more "
         "children (works only for pm 'dynamic' and 'ondemand')."),
    POOL(PAGE_NUMBER, slow_requests, "slow requests", "slow-requests", "phpfpm_slow_requests",
         "counter", "The number of requests that exceeded your 'request_slowlog_timeout' value."),
};

static const PageField process_fields[] = {
    PROCESS(PAGE_NUMBER, pid, "pid", "pid", "pid", "pid"),
    PROCESS(PAGE_TEXT, state, "state", "state", "state", "state"),
    PROCESS(PAGE_TIME, start_time, "start time", "start time", "start-time", "start-time"),
    PROCESS(PAGE_NUMBER, start_since, "start since", "start since", "start-since", "start-since"),
    PROCESS(PAGE_NUMBER, requests, "requests", "requests", "requests", "requests"),
    PROCESS(PAGE_NUMBER, request_usec, "request duration", "request duration", "request-duration",
            "request-duration"),
    PROCESS(PAGE_TEXT, method, "request method", "request method", "request-method",
            "request-method"),
    PROCESS(PAGE_URI, uri, "request uri", "request URI", "request-uri", "request-uri"),
    PROCESS(PAGE_QUERY, uri, NULL, NULL, NULL, "query-string"),
    PROCESS(PAGE_NUMBER, content_length, "content length", "content length", "content-length",
            "request-length"),
    PROCESS(PAGE_TEXT, user, "user", "user", "user", "user"),
    PROCESS(PAGE_TEXT, script, "script", "script", "script", "script"),
    PROCESS(PAGE_PERCENT, cpu_percent, "last request cpu", "last request cpu", "last-request-cpu",
            "last-request-cpu"),
    PROCESS(PAGE_NUMBER, memory_bytes, "last request memory", "last request memory",
            "last-request-memory", "last-request-memory"),
};

/* What PHP-FPM calls the states; whether a request is being worked on, or the worker is on its way
 * out. A worker that reads a head, or is starting, is as good as idle: it takes other connections
 * meanwhile, or at once. */
static const struct {
    const char *name;
    bool active;
} states[] = {
    [WORKER_STATE_STARTING] = {"Idle", false},           [WORKER_STATE_IDLE] = {"Idle", false},
    [WORKER_STATE_READING] = {"Reading headers", false}, [WORKER_STATE_RUNNING] = {"Running", true},
    [WORKER_STATE_FINISHING] = {"Finishing", true},      [WORKER_STATE_DRAINING] = {"Ending", true},
};

_Static_assert(ARRAY_SIZE(states) == _WORKER_STATE_MAX, "every state has a name");

const PageField *page_pool_fields(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(pool_fields);
    return pool_fields;
}

const PageField *page_process_fields(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(process_fields);
    return process_fields;
}

static const void *value(const void *object, const PageField *f)
{
    return (const char *)object + f->offset;
}

const char *page_text(const void *object, const PageField *f)
{
    return *(const char *const *)value(object, f);
}

uint64_t page_number(const void *object, const PageField *f)
{
    return *(const uint64_t *)value(object, f);
}

double page_percent(const void *object, const PageField *f)
{
    return *(const double *)value(object, f);
}

const PageUri *page_uri(const void *object, const PageField *f)
{
    return value(object, f);
}

/* A worker that says nonsense counts as busy, as for the manager. */
static WorkerState state_of(const StatusWorker *w)
{
    return w->board.state < _WORKER_STATE_MAX ? (WorkerState)w->board.state : WORKER_STATE_RUNNING;
}

void page_pool(const StatusPool *pool, const StatusWorker *workers, PagePool *ret)
{
    const char *mode =
        pool->mode < _POOL_MODE_MAX ? pool_mode_to_string((PoolMode)pool->mode) : "unknown";

    *ret = (PagePool){
        .name = pool->name,
        .mode = mode,
        .start_time = pool->started_usec / USEC_PER_SEC,
        .start_since = pool->uptime_usec / USEC_PER_SEC,
        .requests = pool->requests,
        .queued = pool->queued,
        .queued_max = MAX(pool->queued_max, pool->queued),
        .queue_limit = pool->queue_limit,
        .total = pool->n_workers,
        .limit_reached = pool->limit_reached,
    };
    for (size_t i = 0; i < pool->n_workers; i++)
        ret->active += states[state_of(&workers[i])].active;
    ret->idle = ret->total - ret->active;
    ret->active_max = MAX((uint64_t)pool->active_max, ret->active);
}

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

void page_process(const StatusWorker *worker, PageProcess *ret)
{
    const BoardSlot *s = &worker->board;
    WorkerState state = state_of(worker);

    *ret = (PageProcess){
        .pid = worker->pid,
        .state = states[state].name,
        .start_time = worker->started_usec / USEC_PER_SEC,
        .start_since = worker->age_usec / USEC_PER_SEC,
        .requests = s->requests,
        .method = or_dash(s->method),
        .uri = {or_dash(s->name), s->query},
        .content_length = s->content_length,
        .user = or_dash(s->user),
        .script = or_dash(s->script),
    };
    if (state == WORKER_STATE_RUNNING || state == WORKER_STATE_FINISHING) {
        ret->request_usec = worker->request_age_usec;
        return;
    }
    if (s->requests == 0 || s->last_active_usec < s->request_started_usec)
        return;
    ret->request_usec = s->last_active_usec - s->request_started_usec;
    ret->memory_bytes = s->memory_peak_bytes;
    if (ret->request_usec > 0)
        ret->cpu_percent = 100.0 * (double)s->cpu_usec / (double)ret->request_usec;
}
