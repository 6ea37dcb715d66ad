#pragma once

/*
 * The manager of one pool: owns the event loop, the listening sockets, the generations of workers,
 * and what systemd is told. It never reads a byte of a request. This header is the shared private
 * state of manager/; outside nobody includes it.
 */

#include "base/macro.h"
#include "board/slot.h"
#include "conf/config.h"
#include "conf/verify.h"
#include "link/message.h"
#include "manager/chroot.h"
#include "manager/listeners.h"
#include "manager/notify.h"
#include "manager/orphans.h"
#include "manager/output.h"
#include "pool/policy.h"
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
    PRIORITY_CONTROL = SD_EVENT_PRIORITY_NORMAL + 20,
    PRIORITY_TIMER = SD_EVENT_PRIORITY_NORMAL + 30,
    /* The watchdog proves that all of the above had their turn. */
    PRIORITY_WATCHDOG = SD_EVENT_PRIORITY_NORMAL + 40,
    /* A flood of output must not hold up anything. */
    PRIORITY_OUTPUT = SD_EVENT_PRIORITY_IDLE,
};

typedef struct Manager Manager;
typedef struct Generation Generation;
typedef struct Worker Worker;

typedef enum ManagerState {
    MANAGER_STARTING,
    MANAGER_READY,
    MANAGER_RELOADING,
    MANAGER_STOPPING,
    _MANAGER_STATE_MAX,
} ManagerState;

const char *manager_state_to_string(ManagerState state);

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
    int handover_fd;          /* our end, to poke a worker */
    int handover_peer;        /* the workers' end, for the template's exec only */
    sd_event_source *link_source;
    sd_event_source *timeout_source;
    Output out, err;
    uint64_t started_usec;
    unsigned n_workers;
    char version[64];
    char reason[LINK_TEXT_SIZE]; /* why it cannot serve; "" while it can */
};

typedef enum WorkerPhase {
    WORKER_ORDERED,    /* nothing heard yet, pid unknown */
    WORKER_SETTING_UP, /* HELLO */
    WORKER_READY,
    WORKER_RETIRED, /* its life line is closed */
} WorkerPhase;

struct Worker {
    Manager *manager;
    Generation *generation;
    Worker *prev, *next; /* in order of registration: the latest last */
    WorkerPhase phase;
    bool dead;         /* to be freed by settle */
    bool retire_asked; /* as soon as its pid is known */
    bool for_status;   /* serves pm.status_listen; not counted among the workers of the pool */
    unsigned slot_number;
    unsigned n_absurd; /* messages that make no sense */
    pid_t pid;
    int life_line; /* -1: closed */
    sd_event_source *life_source;
    const volatile BoardSlot *slot;
    Output out, err;
    uint64_t started_usec;
    uint64_t requests_counted;  /* already in manager->requests */
    uint64_t asked_second_usec; /* begin of the second in which n_asked counts its questions */
    unsigned n_asked;
    /* Of a worker for the status: when it was last seen to get on, and by what. */
    uint64_t progress_usec;
    uint64_t progress_requests;
    sd_event_source *end_source; /* its time to leave runs */
    bool ended;                  /* by us, on purpose */
};

typedef struct ManagerOptions {
    const char *pool;
    const char *config_folders; /* with ':' between, the most important first */
    const char *libexec_dir;
    const char *control_dir; /* NULL: $RUNTIME_DIRECTORY, or CONTROL_DIR/POOL */
    bool foreground;
} ManagerOptions;

struct Manager {
    ManagerOptions options;
    ManagerState state;
    sd_event *event;
    Privileges privileges;
    unsigned moot; /* BoardMoot: of ours and what workers reported */
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
    uint64_t recover_after_usec, recover_pause_usec; /* next try to replace a template that died */

    /* how the queue was at the last look, to see whether it moves */
    bool queue_was_waiting;
    uint64_t queue_requests, queue_seen_usec;

    Orphans orphans;

    sd_event_source *scale_source, *beat_source, *drain_source, *watchdog_source, *growth_source;
    uint64_t watchdog_usec;
    uint64_t beat_usec; /* the present distance of beats */
    bool limit_episode;

    int control_fd;
    sd_event_source *control_source;
    char *control_path;
    ino_t control_inode;
    struct ControlPeer *peers;
    bool reload_wanted;     /* asked for while one was under way */
    unsigned reload_number; /* of the reload that was begun last */
    bool ready_unsent;      /* PID 1 did not take READY=1 yet */

    /* counters */
    uint64_t started_realtime_usec, started_usec;
    uint64_t requests;      /* begun, by all workers so far */
    uint64_t requests_beat; /* value at the last beat */
    uint64_t beat_at_usec;
    uint64_t requests_per_ksec;
    uint64_t workers_started, workers_crashed;
    uint64_t limit_reached, protocol_errors, absurd_messages;
    unsigned active_max, queued_max;
    char status_text[256];
    char note[160]; /* stands before the STATUS line until the next reload, "" for none */
    bool stopped;

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

/** Begins the orderly end. */
void manager_stop(Manager *m);

/** The signals of an operator who cannot wait: ends the requests too. */
void manager_kill_workers(Manager *m, const char *why);

/** Ends the process with a status; for a start that failed. */
void manager_fail(Manager *m, int exit_status);

/* ---- settle.c: acts on what event callbacks have noted ---- */

/** Runs the next step of everything that has been noted, before any less urgent event. */
void settle_later(Manager *m);
int settle_start(Manager *m);

/* ---- config.c ---- */

/**
 * Loads and checks the pool file and looks up its ids, logging every problem; when quiet only if
 * there is an error. 0 or -errno; *ret_reason: the first error, to be freed.
 */
int pool_setup_load(Manager *m, bool quiet, PoolSetup **ret, char **ret_reason);
PoolSetup *pool_setup_ref(PoolSetup *s);
PoolSetup *pool_setup_unref(PoolSetup *s);
DEFINE_CLEANUP(PoolSetup, pool_setup_unref)

/* ---- generation.c ---- */

/** Starts the template of a new generation. 0 or -errno. */
int generation_start(Manager *m, PoolSetup *setup, Generation **ret);

/** The first workers are all registered, or none is needed. */
bool generation_is_complete(const Generation *g);

/** Tells the workers to finish, and the template with the last of them. Never frees. */
void generation_leave(Generation *g);

/** Lets the template of a leaving generation without workers go; frees the generation when it has.
 * True when freed. */
bool generation_bury(Generation *g);

/** The template of g has ended with this wait status. */
void generation_on_template_exit(Generation *g, int code, int status);

Generation *generation_free(Generation *g);

/* ---- worker.c ---- */

/** Orders n workers from the template. Those that could not be ordered are missing from the return
 * value. */
unsigned workers_order(Generation *g, unsigned n);

/** Orders one for the listeners of the status. */
void workers_order_status(Generation *g);

/** Closes the life line: leave after the present request. */
void worker_retire(Worker *w);

/** Reads HELLOs that are waiting; called before deaths are looked at. */
void workers_drain_links(Manager *m);

/** The process of w has ended (siginfo_t's si_code and si_status, code 0: never heard of). */
void worker_on_exit(Worker *w, int code, int status);

/** Frees those that have ended. */
void workers_bury(Manager *m);

Worker *worker_find(Manager *m, pid_t pid);
Worker *worker_free(Worker *w);

/** The checked copy of the slot; what a dead or absurd page would say is replaced by zeros. */
void worker_read_slot(Worker *w, uint64_t now_usec, BoardSlot *ret);

/* ---- question.c ---- */

/** A ready worker asks for the state of the pool. 0; -EBUSY when it asks far too often; -EPROTO. */
int worker_answer(Worker *w);

/* ---- obituary.c ---- */

/** The journal's record of an end, from the wait status and what the slot had to say. */
void worker_obituary(Worker *w, int code, int status, const BoardSlot *slot, bool crashed);

/* ---- scale.c ---- */

/** Samples, asks the policy, applies. */
void scale(Manager *m);

/** Sends one idle worker to look at the listeners, when a connection waits there. */
void scale_poke(Manager *m);

typedef struct ScaleCounts {
    unsigned active, idle, starting, draining;
} ScaleCounts;

void scale_count(Manager *m, ScaleCounts *ret);

/* ---- scale_status.c ---- */

/** Orders the worker for pm.status_listen when somebody asks there, and lets it go. It comes on top
 * of pm.max_children: a pool that is full can still be asked how it fares. */
void scale_status(Manager *m, uint64_t now_usec);

/** Whether there is such a worker, which has to be looked after. */
bool scale_status_is_open(const Manager *m);

/** One of them was told to leave: it has a second, since it serves no request of the pool. */
void scale_status_retired(Worker *w);

/* ---- reload.c ---- */

/** Starts a reload, or notes it when one is under way. Returns the number of the reload that will
 * have read the file after this call. */
unsigned reload_ask(Manager *m);

/** Starts from the file, or from the setup that is running when a template has died. */
void reload_begin(Manager *m);
void reload_recover(Manager *m);

/** The coming generation serves, or why it does not. */
void reload_succeeded(Manager *m);
void reload_refused(Manager *m, const char *reason);

/** Tells systemd what it did not take the first time. */
void reload_resend(Manager *m);

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

/* ---- control.c ---- */

int control_listen(Manager *m);
void control_done(Manager *m);
/** Listens again after a lack of descriptors. */
void control_wake(Manager *m);
/** Answers everybody who waits for a reload up to this number. */
void control_reply_reload(Manager *m, unsigned number, int result, const char *text);

/* ---- snapshot.c ---- */

/** Makes a sealed memfd with the state of the pool. The fd or -errno. */
int snapshot_make(Manager *m);

/** One that is at most 50 ms old; the fd stays the manager's. Or -errno. */
int snapshot_share(Manager *m);

/* ---- reap.c ---- */

int reap_start(Manager *m);

/* ---- cgroup.c ---- */

/**
 * Kills every process of this service's cgroup but ourselves, until none is left. Does nothing when
 * the cgroup is not that of a fpmd@ service. Returns how many were killed.
 */
unsigned cgroup_sweep(void);

/** The other processes in the cgroup of our service, at most n of them; how many, 0 when it is not
 * one. */
size_t cgroup_list(pid_t *pids, size_t n);
