#pragma once

/*
 * The state of a pool at one moment, as the manager gives it to whoever may ask: a StatusPool
 * followed by n_workers StatusWorker in one sealed memfd.
 *
 * After an upgrade the reader may be of another build: fields are only added, at the ends of the
 * two (and of BoardSlot), and both sizes are in the snapshot. The version changes when that is not
 * enough.
 */

#include "board/slot.h"
#include "conf/config.h"

#define STATUS_VERSION 3

typedef struct StatusPool {
    uint32_t version;
    uint32_t size;        /* of this struct */
    uint32_t worker_size; /* of StatusWorker */
    uint32_t n_workers;
    char name[72];
    char runtime[32];         /* "php8.2" */
    char runtime_version[64]; /* "PHP 8.2.36" */
    char state[24];        /* "starting", "waiting", "ready", "reloading", "draining", "stopping" */
    char status_text[256]; /* the STATUS= line */
    uint32_t mode;         /* PoolMode */
    uint32_t manager_pid;
    uint32_t generation;
    uint32_t max_children;
    uint32_t active, idle, starting, draining; /* workers */
    uint32_t active_max;
    uint32_t moot;               /* bits of BoardMoot */
    uint32_t queued, queued_max; /* connections waiting */
    uint64_t started_usec;       /* CLOCK_REALTIME */
    uint64_t uptime_usec;
    uint64_t requests;          /* begun since the manager started */
    uint64_t requests_per_ksec; /* rate of the last interval, requests per 1000 s */
    uint64_t workers_started, workers_crashed;
    uint64_t limit_reached; /* times that max_children was reached */
    uint32_t queue_limit;   /* of the first listener, 0: not known */
    uint32_t parked;        /* connections that the porter holds */
    uint64_t protocol_errors;
    uint64_t absurd_messages;
    uint64_t records_dropped;
    uint64_t abandoned;     /* requests not run: their client had gone */
    uint64_t read_timeouts; /* answered 408 */
    uint64_t stopped;       /* scripts stopped after request_terminate_timeout */
    uint64_t ended;         /* workers ended in a request that did not stop */
    uint64_t shed;          /* connections answered 503 by queue_timeout */
    uint64_t reloads, reloads_refused, emergency_restarts;
    /* Configured limits; times in microseconds, 0: none. */
    uint32_t start_servers, min_spare_servers, max_spare_servers, max_spawn_rate;
    uint64_t max_requests, max_memory_bytes, max_lifetime_usec, process_idle_timeout_usec;
    uint64_t terminate_timeout_usec, slowlog_timeout_usec, read_timeout_usec;
    uint64_t queue_timeout_usec, idle_exit_usec;
    uint64_t queue_wait_usec;     /* age of the oldest waiting connection, about; 0: none waits */
    uint64_t queue_wait_max_usec; /* the highest so far */
    uint64_t slow_requests;       /* beyond request_slowlog_timeout */
    uint64_t answered;            /* requests whose answer is complete */
    uint64_t outcomes[_BOARD_OUTCOME_MAX];
    uint64_t crashed; /* requests whose worker died */
    uint64_t bytes_in, bytes_out;
    uint64_t latency[BOARD_LATENCY_BUCKETS];
    uint64_t latency_sum_usec;
    uint64_t cpu_usec;       /* of all workers so far */
    uint64_t resident_bytes; /* of the present workers, as they have said; shared pages count in
                                each */
    uint64_t template_pid, porter_pid; /* 0: none */
    uint64_t generation_usec;          /* CLOCK_REALTIME: when the present one began to serve */
    BoardOpcache opcache;              /* of the present generation */
    char sandbox[256];     /* what confines the workers: words with blanks between, "no-new-privs
                              capabilities seccomp landlock-7" */
    char request_user[72]; /* user of the workers */
} StatusPool;

typedef struct StatusWorker {
    uint32_t pid;
    uint32_t slot;
    uint32_t generation;
    uint32_t reserved;
    uint64_t started_usec; /* CLOCK_REALTIME */
    uint64_t age_usec;
    uint64_t request_age_usec; /* of the running request, 0: none */
    BoardSlot board;           /* checked copy; it grows, so it stays the last */
} StatusWorker;

/**
 * Maps and checks a snapshot memfd (seals, version, sizes). Of another build what it does not have
 * is 0. 0 with both pointers into one mapping
 * of *ret_size bytes (munmap *ret_pool), -EBADMSG, or -errno.
 */
int status_open(int fd, const StatusPool **ret_pool, const StatusWorker **ret_workers,
                size_t *ret_size);
