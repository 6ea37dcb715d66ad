#include "status/dashboard_private.h"

#define POOL(label, type, member)                                                                  \
    {                                                                                              \
        label, DASHBOARD_##type, offsetof(StatusPool, member)                                      \
    }
#define WORKER(label, type, member)                                                                \
    {                                                                                              \
        label, DASHBOARD_##type, offsetof(StatusWorker, member)                                    \
    }

static const DashboardField pool_fields[] = {
    POOL("Runtime", TEXT, runtime_version),
    POOL("Started", TIME, started_usec),
    POOL("Up for", SPAN, uptime_usec),
    POOL("Generation", ID, generation),
    POOL("Serving since", TIME, generation_usec),
    POOL("Process manager", MODE, mode),
    POOL("Manager", ID, manager_pid),
    POOL("Template", ID64, template_pid),
    POOL("Porter", ID64, porter_pid),
    POOL("User of the workers", TEXT, request_user),
    POOL("Sandbox", TEXT, sandbox),
    POOL("Sandbox, moot here", MOOT, moot),
};

static const DashboardField request_fields[] = {
    POOL("Begun", U64, requests),
    POOL("Answered", U64, answered),
    POOL("Fine (1xx, 2xx, 3xx)", U64, outcomes[BOARD_OUTCOME_OK]),
    POOL("Client errors (4xx)", U64, outcomes[BOARD_OUTCOME_CLIENT_ERROR]),
    POOL("Server errors (5xx)", U64, outcomes[BOARD_OUTCOME_SERVER_ERROR]),
    POOL("Timed out", U64, outcomes[BOARD_OUTCOME_TIMED_OUT]),
    POOL("Worker died", U64, crashed),
    POOL("Client had gone", U64, abandoned),
    POOL("Slow", U64, slow_requests),
    POOL("Too slow to arrive (408)", U64, read_timeouts),
    POOL("Scripts stopped", U64, stopped),
    POOL("Received", BYTES, bytes_in),
    POOL("Sent", BYTES, bytes_out),
};

static const DashboardField worker_fields[] = {
    POOL("Active", U32, active),
    POOL("Idle", U32, idle),
    POOL("Starting", U32, starting),
    POOL("Draining", U32, draining),
    POOL("Active at most", U32, active_max),
    POOL("pm.max_children reached", U64, limit_reached),
    POOL("Started", U64, workers_started),
    POOL("Crashed", U64, workers_crashed),
    POOL("Ended for their time", U64, ended),
    POOL("CPU time", SPAN, cpu_usec),
    POOL("Resident memory", BYTES, resident_bytes),
};

static const DashboardField queue_fields[] = {
    POOL("Waiting", U32, queued),
    POOL("Waiting at most", U32, queued_max),
    POOL("Room", MAX32, queue_limit),
    POOL("Oldest has waited", AGE, queue_wait_usec),
    POOL("Longest wait", AGE, queue_wait_max_usec),
    POOL("Turned away (503)", U64, shed),
    POOL("Held by the porter", U32, parked),
};

static const DashboardField event_fields[] = {
    POOL("Reloads", U64, reloads),
    POOL("Reloads refused", U64, reloads_refused),
    POOL("Emergency restarts", U64, emergency_restarts),
    POOL("Protocol errors", U64, protocol_errors),
    POOL("Absurd messages", U64, absurd_messages),
    POOL("Records dropped", U64, records_dropped),
};

static const DashboardField limit_fields[] = {
    POOL("pm.max_children", U32, max_children),
    POOL("pm.start_servers", U32, start_servers),
    POOL("pm.min_spare_servers", U32, min_spare_servers),
    POOL("pm.max_spare_servers", U32, max_spare_servers),
    POOL("pm.max_spawn_rate", MAX32, max_spawn_rate),
    POOL("pm.max_requests", MAX, max_requests),
    POOL("Memory of a worker", MAX_BYTES, max_memory_bytes),
    POOL("Life of a worker", MAX_SPAN, max_lifetime_usec),
    POOL("Idle worker leaves after", AFTER, process_idle_timeout_usec),
    POOL("Request stopped after", AFTER, terminate_timeout_usec),
    POOL("Slow log after", AFTER, slowlog_timeout_usec),
    POOL("Reading a request", MAX_SPAN, read_timeout_usec),
    POOL("Wait in the queue", MAX_SPAN, queue_timeout_usec),
    POOL("Idle pool leaves after", AFTER, idle_exit_usec),
};

static const DashboardField opcache_fields[] = {
    POOL("Used", BYTES, opcache.used_bytes),
    POOL("Free", BYTES, opcache.free_bytes),
    POOL("Wasted", BYTES, opcache.wasted_bytes),
    POOL("Strings, used", BYTES, opcache.strings_used_bytes),
    POOL("Strings, free", BYTES, opcache.strings_free_bytes),
    POOL("Scripts", U64, opcache.scripts),
    POOL("Keys", U64, opcache.keys),
    POOL("Keys at most", U64, opcache.keys_max),
    POOL("Hits", U64, opcache.hits),
    POOL("Misses", U64, opcache.misses),
    POOL("Restarts", U64, opcache.restarts),
};

static const DashboardField columns[] = {
    WORKER("State", STATE, board.state),         WORKER("PID", ID, pid),
    WORKER("For", AGE, request_age_usec),        WORKER("Request", REQUEST, board),
    WORKER("CPU", PERMILLE, board.cpu_permille), WORKER("Memory", BYTES, board.resident_bytes),
    WORKER("Requests", U64, board.requests),     WORKER("Age", SPAN, age_usec),
    WORKER("Generation", ID, generation),
};

static bool has_opcache(const StatusPool *pool)
{
    return pool->opcache.seen_usec > 0;
}

#define GROUP(title, fields, is_shown)                                                             \
    {                                                                                              \
        title, fields, ARRAY_SIZE(fields), is_shown                                                \
    }

static const DashboardGroup groups[] = {
    GROUP("Pool", pool_fields, NULL),      GROUP("Requests", request_fields, NULL),
    GROUP("Workers", worker_fields, NULL), GROUP("Queue", queue_fields, NULL),
    GROUP("Events", event_fields, NULL),   GROUP("OPcache", opcache_fields, has_opcache),
    GROUP("Limits", limit_fields, NULL),
};

const DashboardGroup *dashboard_groups(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(groups);
    return groups;
}

const DashboardField *dashboard_columns(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(columns);
    return columns;
}
