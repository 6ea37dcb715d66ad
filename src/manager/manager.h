#pragma once

/*
 * The manager of one pool: owns the event loop, the listening sockets, the generations of workers,
 * and what systemd is told. It never reads a byte of a request. This header is the shared private
 * state of manager/; outside nobody includes it.
 */

#include "base/buffer.h"
#include "base/macro.h"
#include "board/slot.h"
#include "conf/config.h"
#include "conf/verify.h"
#include "link/message.h"
#include "manager/chroot.h"
#include "manager/denied.h"
#include "manager/listeners.h"
#include "manager/notify.h"
#include "manager/orphans.h"
#include "manager/output.h"
#include "manager/porter.h"
#include "manager/trace.h"
#include "pool/lifecycle.h"
#include "pool/policy.h"
#include "pool/queue.h"
#include "pool/recovery.h"
#include "sandbox/sandbox.h"

#include <systemd/sd-event.h>

/* Lower numbers first. */
enum {
    /* What workers say comes before their death, so that an obituary knows the pid and the slot. */
    PRIORITY_LINK = SD_EVENT_PRIORITY_IMPORTANT,
    /* Deaths before decisions: a decision must not count the dead. */
    PRIORITY_CHILD = SD_EVENT_PRIORITY_IMPORTANT + 10,
    /* What has been noted above is acted on in one place, when nobody holds a pointer any more. */
    PRIORITY_SETTLE = SD_EVENT_PRIORITY_IMPORTANT + 20,
    PRIORITY_SIGNAL = SD_EVENT_PRIORITY_NORMAL,
    /* A waiting connection wants a worker before anybody wants to read a status. */
    PRIORITY_GROWTH = SD_EVENT_PRIORITY_NORMAL + 10,
    PRIORITY_TIMER = SD_EVENT_PRIORITY_NORMAL + 30,
    /* The watchdog proves that all of the above had their turn. */
    PRIORITY_WATCHDOG = SD_EVENT_PRIORITY_NORMAL + 40,
    /* Whoever may ask for the status may do so without end, and hold up none of that. */
    PRIORITY_CONTROL = SD_EVENT_PRIORITY_NORMAL + 50,
    /* A flood of output must not hold up anything. */
    PRIORITY_OUTPUT = SD_EVENT_PRIORITY_IDLE,
};

typedef struct Manager Manager;
typedef struct Generation Generation;
typedef struct Worker Worker;

typedef enum GenerationState {
    GENERATION_STARTING, /* the template has not said READY */
    GENERATION_ENTERING, /* READY, its root is being changed */
    GENERATION_FORKING,  /* its first workers are coming */
    GENERATION_CURRENT,
    GENERATION_LEAVING, /* its workers finish what they do */
} GenerationState;

/* A pool file, read and checked; shared by the generations that were started from it. */
typedef struct PoolSetup {
    unsigned n_refs;
    PoolConfig *config;
    PoolIds ids;
    PolicyLimits limits;
    Buffer spec;              /* the part of link/spec.h that templates get from it */
    struct SetupFiles *files; /* of manager/logfile.c; NULL: none */
} PoolSetup;

/* A template and its workers. Event callbacks note what happens (reason, template_pid, dead
 * workers); settle.c acts on it. */
struct Generation {
    Manager *manager;
    Generation *next;
    unsigned number;
    GenerationState state;
    PoolSetup *setup;
    const PoolConfig *config; /* of setup */
    pid_t template_pid;       /* 0: gone */
    Changer changer;          /* of its root, while that has not happened */
    int link_fd;              /* -1: told to leave */
    sd_event_source *link_source;
    sd_event_source *timeout_source;
    Output out, err;
    Denied denied;
    uint64_t started_usec;
    BoardOpcache opcache; /* hits, misses, restarts of all workers so far, where each has a cache */
    unsigned n_workers;
    int order_error;             /* -errno: why not all that were ordered last could be */
    unsigned n_first, n_refills; /* workers to begin with, how often some were missing */
    unsigned n_heard;            /* messages of its template that nobody asked for */
    unsigned n_traces;           /* call stacks that its template has not answered yet */
    bool trace_failure_told;
    unsigned n_unloaded; /* extensions that could not be loaded */
    unsigned moot;       /* BoardMoot: what its template and its workers reported */
    char version[64];
    char reason[LINK_TEXT_SIZE]; /* why it cannot serve; "" while it can */
};

struct Worker {
    Manager *manager;
    Generation *generation;
    Worker *prev, *next; /* in order of registration: the latest last */
    WorkerPhase phase;
    unsigned slot_number;
    unsigned n_absurd; /* messages that make no sense */
    pid_t pid;
    int life_line; /* -1: closed */
    sd_event_source *life_source;
    const volatile BoardSlot *slot;
    int slot_fd; /* of its page, to map it again after a re-exec */
    Output out, err;
    uint64_t mark_key; /* of its marks in out and err; 0: it makes none */
    uint64_t started_usec;
    uint64_t retire_at_usec;  /* pm.max_lifetime; USEC_INFINITY: never */
    unsigned leaving;         /* LinkLeaving that it announced; 0: none */
    uint64_t stop_asked_usec; /* LINK_SIGNAL_STOP was sent at, for the request that began at … */
    uint64_t stop_asked_request_usec;
    uint64_t end_asked_usec;    /* LINK_SIGNAL_END was sent at */
    BoardSlot counted;          /* its counters as far as they are in the sums of the manager */
    uint64_t asked_second_usec; /* begin of the second in which n_asked counts its messages */
    unsigned n_asked;
    uint64_t slow_request_usec; /* begin of the request that was recorded as slow; 0: none */
    uint64_t cpu_usec;          /* seen so far, and in the sum of the manager */
    uint64_t cpu_base_usec, cpu_base_at_usec; /* from where its share is reckoned */
    uint64_t cpu_permille;
    sd_event_source *end_source; /* its time to leave runs */
    bool ended;                  /* by us, on purpose */
    bool ran_out;                /* of the memory of its cgroup, known once it has ended */
};

typedef struct ManagerOptions {
    const char *pool;
    const char *config_folders; /* with ':' between, the most important first */
    const char *libexec_dir;
    const char *control_dir; /* NULL: $RUNTIME_DIRECTORY, or CONTROL_DIR/POOL */
    bool foreground;
    int argc; /* to execute ourselves again */
    char **argv;
} ManagerOptions;

struct Manager {
    ManagerOptions options;
    ManagerState state;
    sd_event *event;
    Privileges privileges;
    unsigned moot; /* BoardMoot: of ours; more of a generation */
    Listeners listeners;
    Notifier notifier;
    uint64_t nofile_soft; /* the limit that we were started with, for runtimes */
    uint64_t nofile_hard;

    Generation *generations; /* newest first */
    Generation *current;     /* NULL until the first one serves */
    Generation *coming;      /* being started, for start or reload */
    unsigned last_number;
    Worker *workers, *workers_last;
    unsigned n_workers;
    uint64_t *slot_map; /* bits of the slot numbers in use */
    size_t n_slot_map;
    uint64_t respawn_after_usec; /* no worker is ordered before this time */

    sd_event_source *settle_source;
    bool scale_wanted, poke_wanted;

    /* how the queue was at the last look, to see whether it moves */
    bool queue_was_waiting;
    uint64_t queue_requests, queue_seen_usec;
    uint64_t missing_told_usec; /* that workers could not be ordered */

    Orphans orphans;
    Porter porter;
    Recovery recovery;         /* what has died lately, and what follows */
    QueueClock queue_clock;    /* how long the oldest connection has been waiting */
    QueueClock wait_clock;     /* the same for people, always and seldom */
    struct Limits *limits;     /* of manager/limits.c */
    struct Attempts *attempts; /* of manager/attempts.c */
    struct Reexec *reexec;     /* of manager/reexec.c; NULL: none under way */
    struct Leaving *leaving;   /* of manager/leaving.c: idle exit and drain */
    struct Stop *stop;         /* of manager/stop.c; NULL: not stopping */
    int exit_status;           /* of the process, once it has stopped */
    bool restored;             /* taken over from an earlier program, see manager_restore() */

    sd_event_source *scale_source, *beat_source, *watchdog_source, *growth_source;
    uint64_t watchdog_usec;
    uint64_t beat_usec; /* the present distance of beats */
    bool limit_episode;

    int control_fd;
    sd_event_source *control_source;
    char *control_path;
    ino_t control_inode;
    struct ControlPeer *peers; /* see control.c */
    bool reload_wanted;        /* asked for, not begun yet */
    bool reloading;            /* what is being prepared is for a reload or the start */
    bool reexec_wanted;        /* asked for, not begun yet */
    unsigned reload_number;    /* of the reload that was begun last */
    unsigned reexec_refused;   /* of the reload that goes on without it, 0: none */
    bool ready_unsent;         /* PID 1 did not take READY=1 yet */

    /* counters */
    uint64_t started_realtime_usec, started_usec;
    uint64_t requests;      /* begun, by all workers so far */
    uint64_t requests_beat; /* value at the last beat */
    uint64_t beat_at_usec;
    uint64_t requests_per_ksec;
    uint64_t workers_started, workers_crashed;
    uint64_t limit_reached, protocol_errors, absurd_messages;
    uint64_t accepted; /* connections, by all workers so far and the porter */
    uint64_t abandoned, read_timeouts, scripts_stopped, workers_ended, shed;
    uint64_t reloads, reloads_refused, emergency_restarts;
    uint64_t pings;            /* among the requests */
    uint64_t last_active_usec; /* the latest begin or end of a request, 0: none yet */
    uint64_t ready_usec;       /* READY was said first, 0: not yet */
    unsigned active_max, queued_max;
    char status_text[256];
    char note[160]; /* stands before the STATUS line until the next reload, "" for none */

    uint64_t answered, crashed_requests, slow_requests;
    uint64_t outcomes[_BOARD_OUTCOME_MAX];
    uint64_t bytes_in, bytes_out;
    uint64_t latency[BOARD_LATENCY_BUCKETS];
    uint64_t latency_sum_usec;
    uint64_t worker_records_dropped;
    uint64_t cpu_usec; /* of all workers, as far as it was looked at */
    uint64_t queue_wait_max_usec;

    uint64_t logfiles_looked_usec; /* of manager/logfile.c */
    struct Traces *traces;         /* of manager/trace.c; NULL: none yet */
    struct Replaced *replaced;     /* of manager/replaced.c; NULL: nothing is watched */
    uint32_t last_trace;           /* number of the last order to a template */
    int history_fd;                /* of status/history.h, for the porter, -1: none */
    int history_read_fd;           /* the same for those who show a status page */

    int snapshot_fd; /* for workers that ask, -1: none yet */
    uint64_t snapshot_made_usec;
    char mismatch_note[96]; /* how the sockets differ from the file, "" when they do not */
};

/* ---- manager.c ---- */

/** Makes the manager and its loop; nothing runs yet. 0 or -errno (logged). */
int manager_new(const ManagerOptions *options, const Privileges *privileges, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager, manager_free)

/** Starts the pool and serves until told to stop. Returns the exit status of the process. */
int manager_run(Manager *m);

/** Ends the process with a status; for a start that failed. */
void manager_fail(Manager *m, int exit_status);

/* ---- life.c: the table of pool/lifecycle.h at work ---- */

/** Goes to the state that follows and does what the table says. reason: for people, may be NULL. */
void manager_event(Manager *m, PoolEvent event);
void manager_event_because(Manager *m, PoolEvent event, const char *reason);

/** What would follow on the event. */
PoolAction manager_would(const Manager *m, PoolEvent event);

/* ---- settle.c: acts on what event callbacks have noted ---- */

/** Runs the next step of everything that has been noted, before any less urgent event. */
void settle_later(Manager *m);
int settle_start(Manager *m);

/* ---- scale.c ---- */

/** Samples, asks the policy, applies. */
void scale(Manager *m);

/** Sends one idle worker to look at the listeners, when a connection waits there. */
void scale_poke(Manager *m);

typedef struct ScaleCounts {
    unsigned active, idle, starting;
    unsigned draining; /* told to leave, or leaving on their own */
    unsigned earlier;  /* of those, of an earlier generation */
} ScaleCounts;

void scale_count(Manager *m, ScaleCounts *ret);

/* ---- mismatch.c ---- */

/** Compares the sockets with what the file says and logs each difference; sets
 * m->mismatch_note. */
void mismatch_report(Manager *m, const PoolConfig *c);

/* ---- beat.c: the regular look at the pool ---- */

int beat_start(Manager *m);
/** The next beat comes within a second. */
void beat_soon(Manager *m);
/** Writes the STATUS line anew and sends it when it changed. */
void beat_status(Manager *m);

/* ---- snapshot.c ---- */

/** Makes a sealed memfd with the state of the pool. The fd or -errno. */
int snapshot_make(Manager *m);

/** One that is at most 50 ms old; the fd stays the manager's. Or -errno. */
int snapshot_share(Manager *m);

/* ---- reap.c ---- */

int reap_start(Manager *m);

/* What belongs to one file each. */
#include "manager/cgroup.h"
#include "manager/control.h"
#include "manager/generation.h"
#include "manager/recover.h"
#include "manager/reexec.h"
#include "manager/stop.h"
#include "manager/time_limits.h"
#include "manager/worker.h"
#include "manager/worker_cgroup.h"
