#include "manager/attempts.h"
#include "manager/state_private.h"

/* What is handed over. */

#define MEMBER(type, member) offsetof(type, member), sizeof(((type *)0)->member)
#define ELEMENT(type, member)                                                                      \
    offsetof(type, member), sizeof(((type *)0)->member[0]), ARRAY_SIZE(((type *)0)->member)

#define NUMBER(type, member)                                                                       \
    {                                                                                              \
#member, FIELD_NUMBERS, MEMBER(type, member), 1                                            \
    }
#define NUMBERS(type, member)                                                                      \
    {                                                                                              \
#member, FIELD_NUMBERS, ELEMENT(type, member)                                              \
    }
#define SIGNED(type, member)                                                                       \
    {                                                                                              \
#member, FIELD_SIGNED, MEMBER(type, member), 1                                             \
    }
#define PID(type, member)                                                                          \
    {                                                                                              \
#member, FIELD_PID, MEMBER(type, member), 1                                                \
    }
#define FD(type, member)                                                                           \
    {                                                                                              \
#member, FIELD_FD, MEMBER(type, member), 1                                                 \
    }
#define TEXT(type, member)                                                                         \
    {                                                                                              \
#member, FIELD_TEXT, MEMBER(type, member), 1                                               \
    }
#define STRING(type, member)                                                                       \
    {                                                                                              \
#member, FIELD_STRING, MEMBER(type, member), 1                                             \
    }

#define WORDS(type, member)                                                                        \
    {                                                                                              \
#member, FIELD_WORDS, MEMBER(type, member), 1                                              \
    }

static const Field state_fields[] = {
    STRING(State, notify_path),
    STRING(State, version),
    NUMBER(State, orphans_until_usec),
};

static const Field manager_fields[] = {
    NUMBER(Manager, moot),
    NUMBER(Manager, nofile_soft),
    NUMBER(Manager, last_number),
    NUMBER(Manager, respawn_after_usec),
    NUMBER(Manager, queue_was_waiting),
    NUMBER(Manager, queue_requests),
    NUMBER(Manager, queue_seen_usec),
    NUMBERS(Manager, recovery.n_in_row),
    NUMBERS(Manager, recovery.last_usec),
    NUMBERS(Manager, recovery.until_usec),
    NUMBERS(Manager, recovery.faults_usec),
    NUMBER(Manager, recovery.n_faults),
    NUMBER(Manager, recovery.generation_usec),
    /* pairs of time and arrivals */
    {"queue_clock.samples", FIELD_NUMBERS, offsetof(Manager, queue_clock.samples), sizeof(uint64_t),
     2 * QUEUE_SAMPLES},
    NUMBER(Manager, queue_clock.first),
    NUMBER(Manager, queue_clock.n),
    {"wait_clock.samples", FIELD_NUMBERS, offsetof(Manager, wait_clock.samples), sizeof(uint64_t),
     2 * QUEUE_SAMPLES},
    NUMBER(Manager, wait_clock.first),
    NUMBER(Manager, wait_clock.n),
    NUMBER(Manager, watchdog_usec),
    NUMBER(Manager, limit_episode),
    FD(Manager, control_fd),
    FD(Manager, history_fd),
    STRING(Manager, control_path),
    NUMBER(Manager, control_inode),
    NUMBER(Manager, reload_wanted),
    NUMBER(Manager, reload_number),
    NUMBER(Manager, ready_unsent),
    NUMBER(Manager, started_realtime_usec),
    NUMBER(Manager, started_usec),
    NUMBER(Manager, requests),
    NUMBER(Manager, requests_beat),
    NUMBER(Manager, requests_per_ksec),
    NUMBER(Manager, workers_started),
    NUMBER(Manager, workers_crashed),
    NUMBER(Manager, limit_reached),
    NUMBER(Manager, protocol_errors),
    NUMBER(Manager, absurd_messages),
    NUMBER(Manager, accepted),
    NUMBER(Manager, abandoned),
    NUMBER(Manager, read_timeouts),
    NUMBER(Manager, scripts_stopped),
    NUMBER(Manager, workers_ended),
    NUMBER(Manager, shed),
    NUMBER(Manager, reloads),
    NUMBER(Manager, reloads_refused),
    NUMBER(Manager, emergency_restarts),
    NUMBER(Manager, pings),
    NUMBER(Manager, last_active_usec),
    NUMBER(Manager, ready_usec),
    NUMBER(Manager, answered),
    NUMBER(Manager, crashed_requests),
    NUMBER(Manager, slow_requests),
    NUMBERS(Manager, outcomes),
    NUMBER(Manager, bytes_in),
    NUMBER(Manager, bytes_out),
    NUMBERS(Manager, latency),
    NUMBER(Manager, latency_sum_usec),
    NUMBER(Manager, worker_records_dropped),
    NUMBER(Manager, cpu_usec),
    NUMBER(Manager, queue_wait_max_usec),
    NUMBER(Manager, last_trace),
    NUMBER(Manager, active_max),
    NUMBER(Manager, queued_max),
    TEXT(Manager, note),
    TEXT(Manager, mismatch_note),
};

/* The start is over. */
static const Field attempts_fields[] = {
    NUMBER(Attempts, noted_number),       NUMBER(Attempts, template_after_usec),
    NUMBER(Attempts, replace_number),     NUMBER(Attempts, replace_why),
    NUMBER(Attempts, replace_after_usec), NUMBER(Attempts, renewed_usec),
};

static const Field porter_fields[] = {
    FD(Porter, handover[0]),
    FD(Porter, handover[1]),
    FD(Porter, park[0]),
    FD(Porter, park[1]),
    PID(Porter, pid),
    PID(Porter, former_pid),
    FD(Porter, link_fd),
    FD(Porter, slot_fd),
    FD(Porter, out.fd),
    FD(Porter, err.fd),
    NUMBER(Porter, ready),
    NUMBER(Porter, identity),
    NUMBER(Porter, shed_counted),
    NUMBER(Porter, accepted_counted),
    NUMBER(Porter, started_usec),
    NUMBER(Porter, start_after_usec),
    NUMBER(Porter, pause_usec),
};

static const Field listener_fields[] = {
    NUMBER(Listener, kind),
    FD(Listener, fd),
    STRING(Listener, text),
    STRING(Listener, unlink),
};

static const Field setup_fields[] = {
    {"spec", FIELD_SPEC, MEMBER(PoolSetup, spec), 1},
};

/* What the manager looks at after a start: to start another template, to scale, to end requests,
 * for people. The rest of a file is in the spec, or only of use to a reload, which reads it anew.
 */
static const Field config_fields[] = {
    STRING(PoolConfig, chroot),
    STRING(PoolConfig, chdir),
    STRING(PoolConfig, runtime),
    {"allowed_clients", FIELD_CLIENTS, 0, 0, 1},
    NUMBER(PoolConfig, pm),
    NUMBER(PoolConfig, pm_max_children),
    NUMBER(PoolConfig, pm_start_servers),
    NUMBER(PoolConfig, pm_min_spare_servers),
    NUMBER(PoolConfig, pm_max_spare_servers),
    NUMBER(PoolConfig, pm_max_spawn_rate),
    NUMBER(PoolConfig, pm_process_idle_timeout_usec),
    NUMBER(PoolConfig, pm_max_requests),
    NUMBER(PoolConfig, pm_max_memory_bytes),
    NUMBER(PoolConfig, pm_max_lifetime_usec),
    NUMBER(PoolConfig, pm_start_timeout_usec),
    NUMBER(PoolConfig, idle_exit_usec),
    NUMBER(PoolConfig, emergency_restart_threshold),
    NUMBER(PoolConfig, emergency_restart_interval_usec),
    NUMBER(PoolConfig, request_terminate_timeout_usec),
    NUMBER(PoolConfig, request_terminate_timeout_track_finished),
    NUMBER(PoolConfig, request_terminate_grace_usec),
    NUMBER(PoolConfig, request_read_timeout_usec),
    NUMBER(PoolConfig, slowlog_timeout_usec),
    NUMBER(PoolConfig, slowlog_trace_depth),
    STRING(PoolConfig, slowlog),
    STRING(PoolConfig, access_log),
    STRING(PoolConfig, status_path),
    STRING(PoolConfig, ping_path),
    STRING(PoolConfig, ping_response),
    NUMBER(PoolConfig, queue_timeout_usec),
    NUMBER(PoolConfig, process_control_timeout_usec),
    NUMBER(PoolConfig, rlimit_files),
    NUMBER(PoolConfig, rlimit_core),
    SIGNED(PoolConfig, process_priority),
    NUMBER(PoolConfig, process_dumpable),
    NUMBER(PoolConfig, catch_workers_output),
    NUMBER(PoolConfig, first_byte_timeout_usec),
    NUMBER(PoolConfig, pm_worker_memory_max_bytes),
    NUMBER(PoolConfig, pm_worker_tasks_max),
    NUMBER(PoolConfig, sandbox_retire_on_crash),
    NUMBER(PoolConfig, sandbox_seccomp),
    NUMBER(PoolConfig, sandbox_report),
    NUMBER(PoolConfig, sandbox_opcache_private),
    WORDS(PoolConfig, sandbox_read),
    WORDS(PoolConfig, sandbox_write),
    WORDS(PoolConfig, sandbox_exec_paths),
    WORDS(PoolConfig, sandbox_tcp_connect),
    SIGNED(PoolConfig, log_level),
};

static const Field ids_fields[] = {
    NUMBER(PoolIds, uid),       NUMBER(PoolIds, gid),  {"groups", FIELD_GROUPS, 0, 0, 1},
    STRING(PoolIds, user_name), STRING(PoolIds, home), NUMBER(PoolIds, keep),
};

static const Field generation_fields[] = {
    NUMBER(Generation, number),
    NUMBER(Generation, state),
    {"setup", FIELD_SETUP, MEMBER(Generation, setup), 1},
    PID(Generation, template_pid),
    FD(Generation, link_fd),
    FD(Generation, out.fd),
    FD(Generation, err.fd),
    FD(Generation, denied.line_fd),
    FD(Generation, denied.listener_fd),
    NUMBERS(Generation, denied.seen),
    NUMBER(Generation, started_usec),
    NUMBER(Generation, opcache.hits),
    NUMBER(Generation, opcache.misses),
    NUMBER(Generation, opcache.restarts),
    NUMBER(Generation, n_unloaded),
    NUMBER(Generation, moot),
    NUMBER(Generation, n_traces),
    TEXT(Generation, version),
};

static const Field worker_fields[] = {
    {"generation", FIELD_GENERATION, MEMBER(Worker, generation), 1},
    {"phase", FIELD_PHASE, MEMBER(Worker, phase), 1},
    NUMBER(Worker, slot_number),
    NUMBER(Worker, n_absurd),
    PID(Worker, pid),
    FD(Worker, life_line),
    FD(Worker, slot_fd),
    FD(Worker, out.fd),
    FD(Worker, err.fd),
    NUMBER(Worker, mark_key),
    NUMBER(Worker, started_usec),
    NUMBER(Worker, retire_at_usec),
    NUMBER(Worker, leaving),
    NUMBER(Worker, stop_asked_usec),
    NUMBER(Worker, stop_asked_request_usec),
    NUMBER(Worker, end_asked_usec),
    NUMBER(Worker, counted.requests),
    NUMBER(Worker, counted.bytes_in),
    NUMBER(Worker, counted.bytes_out),
    NUMBER(Worker, counted.protocol_errors),
    NUMBER(Worker, counted.accepted),
    NUMBER(Worker, counted.abandoned),
    NUMBER(Worker, counted.read_timeouts),
    NUMBER(Worker, counted.stopped),
    NUMBER(Worker, counted.pings),
    NUMBER(Worker, counted.answered),
    NUMBER(Worker, counted.records_dropped),
    NUMBER(Worker, counted.latency_sum_usec),
    NUMBER(Worker, counted.opcache.hits),
    NUMBER(Worker, counted.opcache.misses),
    NUMBER(Worker, counted.opcache.restarts),
    NUMBERS(Worker, counted.outcomes),
    NUMBERS(Worker, counted.latency),
    NUMBER(Worker, cpu_usec),
    NUMBER(Worker, slow_request_usec),
    NUMBER(Worker, asked_second_usec),
    NUMBER(Worker, n_asked),
    NUMBER(Worker, ended),
};

static const Field peer_fields[] = {
    FD(ControlPeer, fd),
    NUMBER(ControlPeer, may_change),
    NUMBER(ControlPeer, version),
    NUMBER(ControlPeer, waits_for),
    NUMBER(ControlPeer, reload_number),
};

static const Field orphan_fields[] = {
    FD(Orphan, pidfd),
};

#define SECTION(name, repeated, fields)                                                            \
    {                                                                                              \
        name, repeated, fields, ARRAY_SIZE(fields)                                                 \
    }

const Section state_sections[_SECTION_MAX] = {
    [SECTION_STATE] = SECTION("state", false, state_fields),
    [SECTION_MANAGER] = SECTION("manager", false, manager_fields),
    [SECTION_ATTEMPTS] = SECTION("attempts", false, attempts_fields),
    [SECTION_PORTER] = SECTION("porter", false, porter_fields),
    [SECTION_LISTENER] = SECTION("listener", true, listener_fields),
    [SECTION_SETUP] = SECTION("setup", true, setup_fields),
    [SECTION_CONFIG] = SECTION("config", false, config_fields),
    [SECTION_IDS] = SECTION("ids", false, ids_fields),
    [SECTION_GENERATION] = SECTION("generation", true, generation_fields),
    [SECTION_WORKER] = SECTION("worker", true, worker_fields),
    [SECTION_PEER] = SECTION("peer", true, peer_fields),
    [SECTION_ORPHAN] = SECTION("orphan", true, orphan_fields),
};
