#include "status/metric.h"

#define POOL(name, kind, unit, type, member, help)                                                 \
    {                                                                                              \
        name, help, KIND_##kind, UNIT_##unit, PAGE_##type, offsetof(StatusPool, member), NULL,     \
            NULL                                                                                   \
    }
#define EACH(name, kind, type, member, label, word, help)                                          \
    {                                                                                              \
        name, help, KIND_##kind, UNIT_ONE, PAGE_##type, offsetof(StatusPool, member), label, word  \
    }
#define SPAN(directive, member)                                                                    \
    {                                                                                              \
        "fpmd_limit_seconds", LIMITS, KIND_GAUGE, UNIT_MICROSECONDS, PAGE_NUMBER,                  \
            offsetof(StatusPool, member), "directive", directive                                   \
    }
#define WORKER(name, kind, unit, type, member, help)                                               \
    {                                                                                              \
        name, help, KIND_##kind, UNIT_##unit, PAGE_##type, offsetof(StatusWorker, member), NULL,   \
            NULL                                                                                   \
    }

#define REQUESTS  "Requests by how they ended."
#define PROCESSES "Workers by what they do."
#define MEMORY    "Memory of the opcode cache."
#define STRINGS   "Memory of the cache for interned strings."
#define LIMITS    "Limits of the configuration; 0: none."
#define RELOADS   "Reloads by what became of them."

static const Metric pool_metrics[] = {
    POOL("fpmd_uptime_seconds", GAUGE, MICROSECONDS, NUMBER, uptime_usec, "Age of the manager."),
    POOL("fpmd_start_time_seconds", GAUGE, MICROSECONDS, NUMBER, started_usec,
         "When the manager was started, since 1970."),
    POOL("fpmd_generation", GAUGE, ONE, U32, generation, "Number of the generation that serves."),
    POOL("fpmd_generation_start_time_seconds", GAUGE, MICROSECONDS, NUMBER, generation_usec,
         "When that generation began to serve, since 1970."),
    POOL("fpmd_requests_begun", COUNTER, ONE, NUMBER, requests, "Requests that were begun."),
    EACH("fpmd_requests", COUNTER, NUMBER, outcomes[BOARD_OUTCOME_OK], "outcome", "ok", REQUESTS),
    EACH("fpmd_requests", COUNTER, NUMBER, outcomes[BOARD_OUTCOME_CLIENT_ERROR], "outcome",
         "client_error", REQUESTS),
    EACH("fpmd_requests", COUNTER, NUMBER, outcomes[BOARD_OUTCOME_SERVER_ERROR], "outcome",
         "server_error", REQUESTS),
    EACH("fpmd_requests", COUNTER, NUMBER, outcomes[BOARD_OUTCOME_TIMED_OUT], "outcome",
         "timed_out", REQUESTS),
    EACH("fpmd_requests", COUNTER, NUMBER, crashed, "outcome", "crashed", REQUESTS),
    EACH("fpmd_requests", COUNTER, NUMBER, abandoned, "outcome", "abandoned", REQUESTS),
    POOL("fpmd_slow_requests", COUNTER, ONE, NUMBER, slow_requests,
         "Requests beyond request_slowlog_timeout."),
    POOL("fpmd_read_timeouts", COUNTER, ONE, NUMBER, read_timeouts,
         "Requests that did not arrive in time."),
    POOL("fpmd_scripts_stopped", COUNTER, ONE, NUMBER, stopped,
         "Scripts that were stopped by request_terminate_timeout."),
    POOL("fpmd_queue_timeouts", COUNTER, ONE, NUMBER, shed,
         "Connections that were turned away by queue_timeout."),
    POOL("fpmd_received_bytes", COUNTER, ONE, NUMBER, bytes_in, "Bytes of request bodies."),
    POOL("fpmd_sent_bytes", COUNTER, ONE, NUMBER, bytes_out, "Bytes of answers."),
    EACH("fpmd_workers", GAUGE, U32, active, "state", "active", PROCESSES),
    EACH("fpmd_workers", GAUGE, U32, idle, "state", "idle", PROCESSES),
    EACH("fpmd_workers", GAUGE, U32, starting, "state", "starting", PROCESSES),
    EACH("fpmd_workers", GAUGE, U32, draining, "state", "draining", PROCESSES),
    POOL("fpmd_workers_active_max", GAUGE, ONE, U32, active_max,
         "Workers that were active at once, at most."),
    POOL("fpmd_workers_limit", GAUGE, ONE, U32, max_children, "pm.max_children."),
    POOL("fpmd_workers_limit_reached", COUNTER, ONE, NUMBER, limit_reached,
         "Times that pm.max_children was reached."),
    POOL("fpmd_workers_started", COUNTER, ONE, NUMBER, workers_started, "Workers started."),
    POOL("fpmd_workers_crashed", COUNTER, ONE, NUMBER, workers_crashed, "Workers crashed."),
    POOL("fpmd_workers_ended", COUNTER, ONE, NUMBER, ended,
         "Workers ended because their request did not stop in time."),
    POOL("fpmd_queue_connections", GAUGE, ONE, U32, queued, "Connections that wait for a worker."),
    POOL("fpmd_queue_limit_connections", GAUGE, ONE, U32, queue_limit,
         "Connections that may wait; 0: not known."),
    POOL("fpmd_queue_wait_seconds", GAUGE, MICROSECONDS, NUMBER, queue_wait_usec,
         "How long the oldest of them has been waiting, about."),
    POOL("fpmd_queue_wait_max_seconds", GAUGE, MICROSECONDS, NUMBER, queue_wait_max_usec,
         "The longest wait so far, about."),
    POOL("fpmd_queue_max_connections", GAUGE, ONE, U32, queued_max,
         "Connections that waited at once, at most."),
    POOL("fpmd_parked_connections", GAUGE, ONE, U32, parked, "Connections at the porter."),
    POOL("fpmd_cpu_seconds", COUNTER, MICROSECONDS, NUMBER, cpu_usec, "CPU time of all workers."),
    POOL("fpmd_resident_bytes", GAUGE, ONE, NUMBER, resident_bytes,
         "Resident memory of the workers; shared pages count in each."),
    EACH("fpmd_reloads", COUNTER, NUMBER, reloads, "result", "done", RELOADS),
    EACH("fpmd_reloads", COUNTER, NUMBER, reloads_refused, "result", "refused", RELOADS),
    POOL("fpmd_emergency_restarts", COUNTER, ONE, NUMBER, emergency_restarts,
         "Generations that were replaced because workers crashed."),
    POOL("fpmd_protocol_errors", COUNTER, ONE, NUMBER, protocol_errors, "Broken FastCGI records."),
    POOL("fpmd_absurd_messages", COUNTER, ONE, NUMBER, absurd_messages,
         "Messages of workers that made no sense."),
    POOL("fpmd_records_dropped", COUNTER, ONE, NUMBER, records_dropped,
         "Journal records and lines of logs that were dropped."),
    EACH("fpmd_opcache_bytes", GAUGE, NUMBER, opcache.used_bytes, "kind", "used", MEMORY),
    EACH("fpmd_opcache_bytes", GAUGE, NUMBER, opcache.free_bytes, "kind", "free", MEMORY),
    EACH("fpmd_opcache_bytes", GAUGE, NUMBER, opcache.wasted_bytes, "kind", "wasted", MEMORY),
    EACH("fpmd_opcache_strings_bytes", GAUGE, NUMBER, opcache.strings_used_bytes, "kind", "used",
         STRINGS),
    EACH("fpmd_opcache_strings_bytes", GAUGE, NUMBER, opcache.strings_free_bytes, "kind", "free",
         STRINGS),
    POOL("fpmd_opcache_scripts", GAUGE, ONE, NUMBER, opcache.scripts, "Scripts in the cache."),
    POOL("fpmd_opcache_keys", GAUGE, ONE, NUMBER, opcache.keys, "Keys of the cache in use."),
    POOL("fpmd_opcache_keys_limit", GAUGE, ONE, NUMBER, opcache.keys_max, "Keys that it may have."),
    POOL("fpmd_opcache_hits", COUNTER, ONE, NUMBER, opcache.hits, "Scripts that were there."),
    POOL("fpmd_opcache_misses", COUNTER, ONE, NUMBER, opcache.misses, "Scripts that were not."),
    POOL("fpmd_opcache_restarts", COUNTER, ONE, NUMBER, opcache.restarts,
         "Times that the cache began anew."),
    EACH("fpmd_limit_workers", GAUGE, U32, start_servers, "directive", "pm.start_servers", LIMITS),
    EACH("fpmd_limit_workers", GAUGE, U32, min_spare_servers, "directive", "pm.min_spare_servers",
         LIMITS),
    EACH("fpmd_limit_workers", GAUGE, U32, max_spare_servers, "directive", "pm.max_spare_servers",
         LIMITS),
    EACH("fpmd_limit_workers", GAUGE, U32, max_spawn_rate, "directive", "pm.max_spawn_rate",
         LIMITS),
    EACH("fpmd_limit_requests", GAUGE, NUMBER, max_requests, "directive", "pm.max_requests",
         LIMITS),
    EACH("fpmd_limit_bytes", GAUGE, NUMBER, max_memory_bytes, "directive", "pm.max_memory", LIMITS),
    SPAN("pm.max_lifetime", max_lifetime_usec),
    SPAN("pm.process_idle_timeout", process_idle_timeout_usec),
    SPAN("request_terminate_timeout", terminate_timeout_usec),
    SPAN("request_slowlog_timeout", slowlog_timeout_usec),
    SPAN("request_read_timeout", read_timeout_usec),
    SPAN("queue_timeout", queue_timeout_usec),
    SPAN("idle_exit", idle_exit_usec),
};

static const Metric worker_metrics[] = {
    WORKER("fpmd_worker_requests", COUNTER, ONE, NUMBER, board.requests,
           "Requests that a worker has begun."),
    WORKER("fpmd_worker_answered", COUNTER, ONE, NUMBER, board.answered,
           "Requests that a worker has answered."),
    WORKER("fpmd_worker_received_bytes", COUNTER, ONE, NUMBER, board.bytes_in,
           "Bytes of request bodies that a worker took."),
    WORKER("fpmd_worker_sent_bytes", COUNTER, ONE, NUMBER, board.bytes_out,
           "Bytes of answers of a worker."),
    WORKER("fpmd_worker_generation", GAUGE, ONE, U32, generation, "Generation of a worker."),
    WORKER("fpmd_worker_request_seconds", GAUGE, MICROSECONDS, NUMBER, request_age_usec,
           "Age of the request that a worker runs, 0: none."),
    WORKER("fpmd_worker_age_seconds", GAUGE, MICROSECONDS, NUMBER, age_usec, "Age of a worker."),
    WORKER("fpmd_worker_cpu_seconds", COUNTER, MICROSECONDS, NUMBER, board.cpu_total_usec,
           "CPU time of a worker."),
    WORKER("fpmd_worker_cpu_ratio", GAUGE, PERMILLE, NUMBER, board.cpu_permille,
           "Share of a processor that a worker took lately."),
    WORKER("fpmd_worker_resident_bytes", GAUGE, ONE, NUMBER, board.resident_bytes,
           "Resident memory of a worker, as it has said."),
    WORKER("fpmd_worker_connections", GAUGE, ONE, U32, board.connections,
           "Connections that a worker holds."),
};

const Metric *metric_of_pool(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(pool_metrics);
    return pool_metrics;
}

const Metric *metric_of_worker(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(worker_metrics);
    return worker_metrics;
}
