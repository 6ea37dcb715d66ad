#pragma once

#include "status/snapshot.h"

#include <string.h>

#define EXAMPLE_WORKERS 2

typedef struct Example {
    StatusPool pool;
    StatusWorker workers[EXAMPLE_WORKERS];
} Example;

static inline Example example_make(void)
{
    Example e = {
        .pool = {.version = STATUS_VERSION,
                 .size = sizeof(StatusPool),
                 .worker_size = sizeof(StatusWorker),
                 .n_workers = EXAMPLE_WORKERS,
                 .name = "www",
                 .runtime = "php8.2",
                 .runtime_version = "PHP 8.2.36",
                 .state = "ready",
                 .status_text = "1 active, 1 idle",
                 .mode = POOL_MODE_ONDEMAND,
                 .manager_pid = 4711,
                 .generation = 3,
                 .max_children = 16,
                 .active = 1,
                 .idle = 1,
                 .moot = BOARD_MOOT_LANDLOCK | BOARD_MOOT_SECUREBITS,
                 .started_usec = UINT64_C(1700000000000000),
                 .uptime_usec = UINT64_C(93784000000),
                 .requests = UINT64_MAX,
                 .requests_per_ksec = 12450,
                 .max_memory_bytes = UINT64_C(64) << 20,
                 .max_lifetime_usec = 3600 * USEC_PER_SEC,
                 .answered = 8,
                 .outcomes = {[BOARD_OUTCOME_OK] = 5, [BOARD_OUTCOME_SERVER_ERROR] = 3},
                 .latency = {[3] = 4, [4] = 4},
                 .opcache = {.seen_usec = 1, .hits = 17},
                 .sandbox = "no-new-privs seccomp"},
        .workers = {{.pid = 100,
                     .generation = 3,
                     .age_usec = 65 * USEC_PER_SEC,
                     .board = {.state = WORKER_STATE_RUNNING,
                               .cpu_total_usec = 1234,
                               .cpu_permille = 55,
                               .resident_bytes = UINT64_C(2) << 20,
                               .request_id = "abc",
                               .method = "GET",
                               .script = "/srv/www/index.php",
                               .uri = "/index.php?a=\"b\""}},
                    {.pid = 101,
                     .generation = 3,
                     .age_usec = 1500,
                     .board = {.state = WORKER_STATE_IDLE, .uri = "/\x1b[2J\xff"}}},
    };

    return e;
}
