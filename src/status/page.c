#include "status/page.h"

#include <string.h>

#define TABLE_HEAD(type, object, member) type, offsetof(object, member)

/* Most fields have one name, with blanks or with '-'. */
#define POOL(type, member, name, tag, metric, help)                                                \
    {                                                                                              \
        TABLE_HEAD(type, PagePool, member), name, name, tag, tag, metric, help                     \
    }
#define PROCESS(type, member, name, plain, tag, key)                                               \
    {                                                                                              \
        TABLE_HEAD(type, PageProcess, member), name, plain, tag, key, NULL, NULL                   \
    }

/* Names, order and texts are those of PHP-FPM 8.2, the pool's mode and name in the help of
 * phpfpm_up too. */
static const PageField pool_fields[] = {
    POOL(PAGE_TEXT, name, "pool", "pool", NULL, NULL),
    POOL(PAGE_TEXT, mode, "process manager", "process-manager", NULL, NULL),
    POOL(PAGE_TIME, start_time, "start time", "start-time", NULL, NULL),
    POOL(PAGE_NUMBER, start_since, "start since", "start-since", "phpfpm_start_since",
         "The number of seconds since FPM has started."),
    POOL(PAGE_NUMBER, requests, "accepted conn", "accepted-conn", "phpfpm_accepted_connections",
         "The number of requests accepted by the pool."),
    POOL(PAGE_NUMBER, queued, "listen queue", "listen-queue", "phpfpm_listen_queue",
         "The number of requests in the queue of pending connections."),
    POOL(PAGE_NUMBER, queued_max, "max listen queue", "max-listen-queue", "phpfpm_max_listen_queue",

         "The maximum number of requests in the queue of pending connections since FPM has "
         "started."),
    POOL(PAGE_NUMBER, queue_limit, "listen queue len", "listen-queue-len",
         "phpfpm_listen_queue_length", "The size of the socket queue of pending connections."),
    POOL(PAGE_NUMBER, idle, "idle processes", "idle-processes", "phpfpm_idle_processes",
         "The number of idle processes."),
    POOL(PAGE_NUMBER, active, "active processes", "active-processes", "phpfpm_active_processes",
         "The number of active processes."),
    POOL(PAGE_NUMBER, total, "total processes", "total-processes", "phpfpm_total_processes",
         "The number of idle + active processes."),
    POOL(PAGE_NUMBER, active_max, "max active processes", "max-active-processes",
         "phpfpm_max_active_processes",
         "The maximum number of active processes since FPM has started."),
    POOL(PAGE_NUMBER, limit_reached, "max children reached", "max-children-reached",
         "phpfpm_max_children_reached",
         "The number of times, the process limit has been reached, when pm tries to start more "
         "children (works only for pm 'dynamic' and 'ondemand')."),
    POOL(PAGE_NUMBER, slow_requests, "slow requests", "slow-requests", "phpfpm_slow_requests",
         "The number of requests that exceeded your 'request_slowlog_timeout' value."),
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

#define MORE(type, member, name, tag)                                                              \
    {                                                                                              \
        TABLE_HEAD(PAGE_##type, StatusPool, member), name, name, tag, tag, NULL, NULL              \
    }
#define MORE_OF(type, member, name, tag)                                                           \
    {                                                                                              \
        TABLE_HEAD(PAGE_##type, StatusWorker, member), name, name, tag, tag, NULL, NULL            \
    }

/* Times are in microseconds, as PHP-FPM has that of a request. */
static const PageField more_pool_fields[] = {
    MORE(CHARS, state, "state", "state"),
    MORE(CHARS, runtime_version, "runtime", "runtime"),
    MORE(U32, generation, "generation", "generation"),
    MORE(U32, manager_pid, "manager pid", "manager-pid"),
    MORE(NUMBER, template_pid, "template pid", "template-pid"),
    MORE(NUMBER, porter_pid, "porter pid", "porter-pid"),
    MORE(CHARS, request_user, "user", "user"),
    MORE(CHARS, sandbox, "sandbox", "sandbox"),
    MORE(U32, starting, "starting processes", "starting-processes"),
    MORE(U32, draining, "draining processes", "draining-processes"),
    MORE(NUMBER, workers_started, "processes started", "processes-started"),
    MORE(NUMBER, workers_crashed, "processes crashed", "processes-crashed"),
    MORE(NUMBER, ended, "processes ended", "processes-ended"),
    MORE(NUMBER, requests_per_ksec, "requests per 1000 s", "requests-per-1000-s"),
    MORE(NUMBER, answered, "requests answered", "requests-answered"),
    MORE(NUMBER, outcomes[BOARD_OUTCOME_OK], "requests ok", "requests-ok"),
    MORE(NUMBER, outcomes[BOARD_OUTCOME_CLIENT_ERROR], "requests 4xx", "requests-4xx"),
    MORE(NUMBER, outcomes[BOARD_OUTCOME_SERVER_ERROR], "requests 5xx", "requests-5xx"),
    MORE(NUMBER, outcomes[BOARD_OUTCOME_TIMED_OUT], "requests timed out", "requests-timed-out"),
    MORE(NUMBER, crashed, "requests crashed", "requests-crashed"),
    MORE(NUMBER, abandoned, "requests abandoned", "requests-abandoned"),
    MORE(NUMBER, read_timeouts, "read timeouts", "read-timeouts"),
    MORE(NUMBER, stopped, "scripts stopped", "scripts-stopped"),
    MORE(NUMBER, shed, "queue timeouts", "queue-timeouts"),
    MORE(NUMBER, queue_wait_usec, "queue wait", "queue-wait"),
    MORE(NUMBER, queue_wait_max_usec, "max queue wait", "max-queue-wait"),
    MORE(U32, parked, "parked connections", "parked-connections"),
    MORE(NUMBER, bytes_in, "bytes received", "bytes-received"),
    MORE(NUMBER, bytes_out, "bytes sent", "bytes-sent"),
    MORE(NUMBER, latency_sum_usec, "request time", "request-time"),
    MORE(LATENCY, latency, "request durations", "request-durations"),
    MORE(NUMBER, cpu_usec, "cpu time", "cpu-time"),
    MORE(NUMBER, resident_bytes, "memory", "memory"),
    MORE(NUMBER, reloads, "reloads", "reloads"),
    MORE(NUMBER, reloads_refused, "reloads refused", "reloads-refused"),
    MORE(NUMBER, emergency_restarts, "emergency restarts", "emergency-restarts"),
    MORE(NUMBER, protocol_errors, "protocol errors", "protocol-errors"),
    MORE(NUMBER, absurd_messages, "absurd messages", "absurd-messages"),
    MORE(NUMBER, records_dropped, "records dropped", "records-dropped"),
    MORE(U32, max_children, "max children", "max-children"),
    MORE(U32, start_servers, "start servers", "start-servers"),
    MORE(U32, min_spare_servers, "min spare servers", "min-spare-servers"),
    MORE(U32, max_spare_servers, "max spare servers", "max-spare-servers"),
    MORE(U32, max_spawn_rate, "max spawn rate", "max-spawn-rate"),
    MORE(NUMBER, max_requests, "max requests", "max-requests"),
    MORE(NUMBER, max_memory_bytes, "max memory", "max-memory"),
    MORE(NUMBER, max_lifetime_usec, "max lifetime", "max-lifetime"),
    MORE(NUMBER, process_idle_timeout_usec, "process idle timeout", "process-idle-timeout"),
    MORE(NUMBER, terminate_timeout_usec, "terminate timeout", "terminate-timeout"),
    MORE(NUMBER, slowlog_timeout_usec, "slowlog timeout", "slowlog-timeout"),
    MORE(NUMBER, read_timeout_usec, "read timeout", "read-timeout"),
    MORE(NUMBER, queue_timeout_usec, "queue timeout", "queue-timeout"),
    MORE(NUMBER, idle_exit_usec, "idle exit", "idle-exit"),
    MORE(NUMBER, opcache.used_bytes, "opcache used", "opcache-used"),
    MORE(NUMBER, opcache.free_bytes, "opcache free", "opcache-free"),
    MORE(NUMBER, opcache.wasted_bytes, "opcache wasted", "opcache-wasted"),
    MORE(NUMBER, opcache.strings_used_bytes, "opcache strings used", "opcache-strings-used"),
    MORE(NUMBER, opcache.strings_free_bytes, "opcache strings free", "opcache-strings-free"),
    MORE(NUMBER, opcache.scripts, "opcache scripts", "opcache-scripts"),
    MORE(NUMBER, opcache.keys, "opcache keys", "opcache-keys"),
    MORE(NUMBER, opcache.keys_max, "opcache max keys", "opcache-max-keys"),
    MORE(NUMBER, opcache.hits, "opcache hits", "opcache-hits"),
    MORE(NUMBER, opcache.misses, "opcache misses", "opcache-misses"),
    MORE(NUMBER, opcache.restarts, "opcache restarts", "opcache-restarts"),
};

static const PageField more_process_fields[] = {
    MORE_OF(U32, generation, "generation", "generation"),
    MORE_OF(CHARS, board.request_id, "request id", "request-id"),
    MORE_OF(U32, board.status, "last status", "last-status"),
    MORE_OF(U32, board.connections, "connections", "connections"),
    MORE_OF(NUMBER, board.answered, "requests answered", "requests-answered"),
    MORE_OF(NUMBER, board.bytes_in, "bytes received", "bytes-received"),
    MORE_OF(NUMBER, board.bytes_out, "bytes sent", "bytes-sent"),
    MORE_OF(NUMBER, board.cpu_total_usec, "cpu time", "cpu-time"),
    MORE_OF(NUMBER, board.cpu_permille, "cpu permille", "cpu-permille"),
    MORE_OF(NUMBER, board.resident_bytes, "memory", "memory"),
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

const PageField *page_more_pool_fields(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(more_pool_fields);
    return more_pool_fields;
}

const PageField *page_more_process_fields(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(more_process_fields);
    return more_process_fields;
}

uint64_t page_latency_bound(size_t bucket)
{
    static const uint64_t bounds[BOARD_LATENCY_BUCKETS - 1] = BOARD_LATENCY_BOUNDS;

    return bucket < ARRAY_SIZE(bounds) ? bounds[bucket] : UINT64_MAX;
}

static const void *value(const void *object, const PageField *f)
{
    return (const char *)object + f->offset;
}

const char *page_text(const void *object, const PageField *f)
{
    return f->type == PAGE_CHARS ? value(object, f) : *(const char *const *)value(object, f);
}

uint64_t page_number(const void *object, const PageField *f)
{
    return f->type == PAGE_U32 ? *(const uint32_t *)value(object, f)
                               : *(const uint64_t *)value(object, f);
}

double page_percent(const void *object, const PageField *f)
{
    return *(const double *)value(object, f);
}

const PageUri *page_uri(const void *object, const PageField *f)
{
    return value(object, f);
}

const uint64_t *page_latency(const void *object, const PageField *f)
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
        .slow_requests = pool->slow_requests,
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
