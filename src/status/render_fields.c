#include "status/render_fields.h"

#define POOL(key, label, type, member)                                                             \
    {                                                                                              \
        key, label, FIELD_##type, offsetof(StatusPool, member), RENDER_LINE                        \
    }
/* What may be off or not known. */
#define IF_SET(key, label, type, member)                                                           \
    {                                                                                              \
        key, label, FIELD_##type, offsetof(StatusPool, member), RENDER_IF_SET                      \
    }
#define WORKER(key, label, type, member, width)                                                    \
    {                                                                                              \
        key, label, FIELD_##type, offsetof(StatusWorker, member), width                            \
    }

static const RenderField pool_fields[] = {
    POOL("pool", "pool", TEXT, name),
    POOL("state", "state", TEXT, state),
    POOL("status_text", "status", TEXT, status_text),
    POOL("runtime", "runtime", TEXT, runtime),
    POOL("runtime_version", "runtime version", TEXT, runtime_version),
    POOL("user", "user", TEXT, request_user),
    POOL("manager_pid", "manager", U32, manager_pid),
    IF_SET("template_pid", "template", U64, template_pid),
    IF_SET("porter_pid", "porter", U64, porter_pid),
    POOL("started_usec", "started", TIME, started_usec),
    POOL("uptime_usec", "up for", SPAN, uptime_usec),
    POOL("generation", "generation", U32, generation),
    IF_SET("generation_started_usec", "serves since", TIME, generation_usec),
    POOL("mode", "mode", MODE, mode),
    POOL("max_children", "max children", U32, max_children),
    IF_SET("start_servers", "start servers", U32, start_servers),
    IF_SET("min_spare_servers", "min spare servers", U32, min_spare_servers),
    IF_SET("max_spare_servers", "max spare servers", U32, max_spare_servers),
    IF_SET("max_spawn_rate", "max spawn rate", U32, max_spawn_rate),
    IF_SET("max_requests", "max requests", U64, max_requests),
    IF_SET("max_memory_bytes", "max memory", BYTES, max_memory_bytes),
    IF_SET("max_lifetime_usec", "max lifetime", SPAN, max_lifetime_usec),
    IF_SET("process_idle_timeout_usec", "process idle timeout", SPAN, process_idle_timeout_usec),
    IF_SET("terminate_timeout_usec", "terminate timeout", SPAN, terminate_timeout_usec),
    IF_SET("slowlog_timeout_usec", "slowlog timeout", SPAN, slowlog_timeout_usec),
    IF_SET("read_timeout_usec", "read timeout", SPAN, read_timeout_usec),
    IF_SET("queue_timeout_usec", "queue timeout", SPAN, queue_timeout_usec),
    IF_SET("idle_exit_usec", "idle exit", SPAN, idle_exit_usec),
    POOL("active", "active", U32, active),
    POOL("idle", "idle", U32, idle),
    POOL("starting", "starting", U32, starting),
    POOL("draining", "draining", U32, draining),
    POOL("active_max", "active at most", U32, active_max),
    POOL("queued", "queued", U32, queued),
    POOL("queued_max", "queued at most", U32, queued_max),
    IF_SET("queue_limit", "queue limit", U32, queue_limit),
    POOL("queue_wait_usec", "queue wait", SPAN, queue_wait_usec),
    POOL("queue_wait_max_usec", "queue wait at most", SPAN, queue_wait_max_usec),
    POOL("connections_parked", "parked", U32, parked),
    POOL("connections_shed", "shed", U64, shed),
    POOL("requests", "requests", U64, requests),
    POOL("requests_per_second", "requests per second", MILLI, requests_per_ksec),
    POOL("requests_answered", "answered", U64, answered),
    POOL("requests_ok", "ok", U64, outcomes[BOARD_OUTCOME_OK]),
    POOL("requests_client_error", "4xx", U64, outcomes[BOARD_OUTCOME_CLIENT_ERROR]),
    POOL("requests_server_error", "5xx", U64, outcomes[BOARD_OUTCOME_SERVER_ERROR]),
    POOL("requests_timed_out", "timed out", U64, outcomes[BOARD_OUTCOME_TIMED_OUT]),
    POOL("requests_crashed", "crashed", U64, crashed),
    POOL("requests_slow", "slow", U64, slow_requests),
    POOL("requests_abandoned", "abandoned", U64, abandoned),
    POOL("read_timeouts", "read timeouts", U64, read_timeouts),
    POOL("scripts_stopped", "scripts stopped", U64, stopped),
    POOL("latency", "durations", LATENCY, latency),
    POOL("latency_sum_usec", "durations, sum", SPAN, latency_sum_usec),
    POOL("bytes_in", "received", BYTES, bytes_in),
    POOL("bytes_out", "sent", BYTES, bytes_out),
    POOL("cpu_usec", "CPU", SPAN, cpu_usec),
    POOL("resident_bytes", "memory", BYTES, resident_bytes),
    POOL("limit_reached", "limit reached", U64, limit_reached),
    POOL("workers_started", "workers started", U64, workers_started),
    POOL("workers_crashed", "workers crashed", U64, workers_crashed),
    POOL("workers_ended", "workers ended", U64, ended),
    POOL("reloads", "reloads", U64, reloads),
    POOL("reloads_refused", "reloads refused", U64, reloads_refused),
    POOL("emergency_restarts", "emergency restarts", U64, emergency_restarts),
    POOL("protocol_errors", "protocol errors", U64, protocol_errors),
    POOL("absurd_messages", "absurd messages", U64, absurd_messages),
    POOL("records_dropped", "records dropped", U64, records_dropped),
    IF_SET("opcache_used_bytes", "opcache used", BYTES, opcache.used_bytes),
    IF_SET("opcache_free_bytes", "opcache free", BYTES, opcache.free_bytes),
    IF_SET("opcache_wasted_bytes", "opcache wasted", BYTES, opcache.wasted_bytes),
    IF_SET("opcache_strings_used_bytes", "opcache strings used", BYTES, opcache.strings_used_bytes),
    IF_SET("opcache_strings_free_bytes", "opcache strings free", BYTES, opcache.strings_free_bytes),
    IF_SET("opcache_scripts", "opcache scripts", U64, opcache.scripts),
    IF_SET("opcache_keys", "opcache keys", U64, opcache.keys),
    IF_SET("opcache_keys_max", "opcache max keys", U64, opcache.keys_max),
    POOL("opcache_hits", "opcache hits", U64, opcache.hits),
    POOL("opcache_misses", "opcache misses", U64, opcache.misses),
    IF_SET("opcache_restarts", "opcache restarts", U64, opcache.restarts),
    POOL("sandbox", "sandbox", TEXT, sandbox),
    POOL("sandbox_moot", "sandbox, moot", MOOT, moot),
};

static const RenderField worker_fields[] = {
    WORKER("pid", "PID", U32, pid, 8),
    WORKER("slot", "SLOT", U32, slot, 5),
    WORKER("generation", "GEN", U32, generation, 4),
    WORKER("state", "STATE", STATE, board.state, 10),
    WORKER("started_usec", "STARTED", TIME, started_usec, 21),
    WORKER("age_usec", "AGE", SPAN, age_usec, 9),
    WORKER("requests", "REQUESTS", U64, board.requests, 9),
    WORKER("requests_answered", "ANSWERED", U64, board.answered, RENDER_NO_COLUMN),
    WORKER("connections", "CONNS", U32, board.connections, 6),
    WORKER("bytes_in", "IN", BYTES, board.bytes_in, 10),
    WORKER("bytes_out", "OUT", BYTES, board.bytes_out, 10),
    WORKER("protocol_errors", "ERRORS", U64, board.protocol_errors, 7),
    WORKER("cpu_usec", "CPU", SPAN, board.cpu_total_usec, 9),
    WORKER("cpu_permille", "PERMILLE", U64, board.cpu_permille, RENDER_NO_COLUMN),
    WORKER("resident_bytes", "MEMORY", BYTES, board.resident_bytes, 10),
    WORKER("records_dropped", "DROPPED", U64, board.records_dropped, RENDER_NO_COLUMN),
    WORKER("request_age_usec", "RUNNING", SPAN, request_age_usec, 9),
    WORKER("content_length", "LENGTH", U64, board.content_length, 11),
    WORKER("http_status", "HTTP", U32, board.status, 5),
    WORKER("request_id", "REQUEST", TEXT, board.request_id, RENDER_NO_COLUMN),
    WORKER("user", "USER", TEXT, board.user, RENDER_NO_COLUMN),
    WORKER("method", "METHOD", TEXT, board.method, 8),
    WORKER("script", "SCRIPT", TEXT, board.script, 40),
    WORKER("uri", "URI", TEXT, board.uri, RENDER_LAST_COLUMN),
};

const RenderField *render_pool_fields(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(pool_fields);
    return pool_fields;
}

const RenderField *render_worker_fields(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(worker_fields);
    return worker_fields;
}
