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
    uint64_t started_usec;
    unsigned n_workers;
    unsigned n_first, n_refills; /* workers to begin with, how often some were missing */
    unsigned n_heard;            /* messages of its template that nobody asked for */
    unsigned n_traces;           /* call stacks that its template has not answered yet */
    bool trace_failure_told;
    unsigned n_unloaded; /* extensions that could not be loaded */
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

    /* how the queue was at the last look, to see whether it moves */
    bool queue_was_waiting;
    uint64_t queue_requests, queue_seen_usec;

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

/* ---- stop.c: the end of a pool ---- */

/** Lets everything that runs finish, then ends the process with exit_status. */
void stop_begin(Manager *m, int exit_status);

/** The next step, as far as it can be done now; from settle. */
void stop_step(Manager *m);

/** Answers the requests that run with 503 and ends their workers. why: for the record. */
void stop_end_requests(Manager *m, const char *why);

/** Nothing of the pool runs any more: ends what scripts left behind, and the loop. */
void stop_finish(Manager *m, const char *reason);

/** What the STATUS line says. */
void stop_status(const Manager *m, char *text, size_t size);

/** Whether pid was the process that asks systemd for our time. */
bool stop_on_exit(Manager *m, pid_t pid);
void stop_done(Manager *m);

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

/** One of an earlier program, CURRENT or LEAVING, calloc'ed, with its plain fields and descriptors:
 * appends it and watches its link. 0 or -errno, then generation_free() undoes everything. */
int generation_adopt(Generation *g);

/** The first workers are all registered, or none is needed; orders anew those that are gone
 * already. */
bool generation_is_complete(Generation *g);

/** Tells the workers to finish, see worker_retire(), and the template with the last of them. Never
 * frees. */
void generation_leave(Generation *g, bool parking);

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

/* What comes with an event of a worker, as far as it has it. */
typedef struct WorkerNews {
    const LinkMessage *message;
    pid_t pid;        /* who sent the message */
    bool parking;     /* what it holds at rest goes to the porter */
    int http_status;  /* that its client shall see */
    int code, status; /* siginfo_t's si_code and si_status; code 0: never heard of */
} WorkerNews;

/** Goes to the phase that follows and does what the table of pool/lifecycle.h says. */
void worker_event(Worker *w, WorkerEvent event, const WorkerNews *news);

/** It is the latest that has registered. */
void worker_move_last(Worker *w);

/** It has the signal: ends it a second later if it is still there. */
void worker_end_soon(Worker *w);

/** It said something that makes no sense. */
void worker_on_absurd(Worker *w);

/** Makes one of the generation, still without descriptors. 0 or -errno. */
int worker_add(Generation *g, Worker **ret);

/** Tells out and err whose they are. */
void worker_identify_output(Worker *w);

/**
 * One of an earlier program, calloc'ed, with its plain fields and descriptors: links it as the
 * last, takes its slot number, maps its slot, and sets what runs for it. 0 or -errno, then
 * worker_free() undoes everything.
 */
int worker_adopt(Worker *w);

/** Listens to its life line. 0 or -errno. */
int worker_watch_line(Worker *w);
void worker_close_line(Worker *w);

/* worker_line.c: reads one message. */
void worker_read_line(Worker *w);

/**
 * Tells it to leave after the present request. With parking, what it holds at rest goes to the
 * porter; without, at the end of the pool, it is closed.
 */
void worker_retire(Worker *w, bool parking);

/**
 * Reads what a process that has just ended may have said before, if it is a worker: its HELLO
 * tells whose pid it was.
 */
void workers_hear_out(Manager *m, pid_t pid);

/** The process of w has ended (siginfo_t's si_code and si_status, code 0: never heard of). */
void worker_on_exit(Worker *w, int code, int status);

/** Frees those that have ended. */
void workers_bury(Manager *m);

/** Another worker is wanted in its place; it serves until it is told to leave. */
void worker_expire(Worker *w);

/**
 * Answers its request with an HTTP status when no byte of the answer has been sent, and ends it at
 * once: LINK_SIGNAL_END, SIGKILL a second later. That it ends is no crash.
 */
void worker_end(Worker *w, int http_status);

/** Tells it that the pool is being drained. */
void worker_drain(Worker *w);

/** The living one with this pid. */
Worker *worker_find(Manager *m, pid_t pid);
Worker *worker_free(Worker *w);

/* ---- figures.c: what workers count and take ---- */

/** The checked copy of the slot; what a dead or absurd page would say is replaced by zeros. */
void worker_read_slot(Worker *w, uint64_t now_usec, BoardSlot *ret);

/** Takes its CPU time into account. */
void worker_look_at_cpu(Worker *w, uint64_t now_usec);

/** What became of the request of a worker that has ended, if it had one: it died of what it did, or
 * we ended it, and it has answered in its last breath what it could not count any more. */
void figures_note_crash(Worker *w, const BoardSlot *slot);
void figures_note_ended(Worker *w, const BoardSlot *slot, uint64_t now_usec);

/** How many wait in the queues of the listeners, and for how long the oldest has been, about. */
unsigned figures_note_queue(Manager *m, uint64_t now_usec, uint64_t *ret_age_usec);

/* ---- question.c ---- */

/** Whether one more message of a worker counts: not when it speaks far too often. */
bool worker_may_speak(Worker *w);

/** A ready worker asks for the state of the pool. 0 or -EPROTO. */
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
    unsigned active, idle, starting;
    unsigned draining; /* told to leave, or leaving on their own */
    unsigned earlier;  /* of those, of an earlier generation */
} ScaleCounts;

void scale_count(Manager *m, ScaleCounts *ret);

/* ---- reload.c ---- */

/** Starts a reload, or notes it when one is under way. Returns the number of the reload that will
 * have read the file after this call. */
unsigned reload_ask(Manager *m);

/** Reads the file and starts a generation from it. */
void reload_begin(Manager *m);

/** The coming generation takes over. */
void reload_take_over(Manager *m);

/** It does not serve: what follows for those who wait for it, and for systemd. */
void reload_start_failed(Manager *m, const char *reason);
void reload_refused(Manager *m, const char *reason);
void reload_not_replaced(Manager *m, const char *reason);

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

/* Somebody connected to the control socket. */
typedef struct ControlPeer {
    Manager *manager;
    struct ControlPeer *next;
    int fd;
    sd_event_source *source;
    bool may_change;        /* root or our own uid */
    uint32_t version;       /* of its last request, for the reply */
    uint32_t waits_for;     /* ControlVerb that it waits for, 0: none */
    unsigned reload_number; /* of the reload that it waits for */
    uintptr_t trace_number; /* of the call stack that it waits for */
} ControlPeer;

int control_listen(Manager *m);
/** Waits for connections to m->control_fd. 0 or -errno. */
int control_watch(Manager *m);
void control_done(Manager *m);
/** Listens again after a lack of descriptors. */
void control_wake(Manager *m);
/** Answers everybody who waits for a reload up to this number. */
void control_reply_reload(Manager *m, unsigned number, int result, const char *text);
/** Answers everybody who waits for the verb (enum ControlVerb of link/control.h). */
void control_reply(Manager *m, uint32_t verb, int result, const char *text);
/** Whether somebody waits for an answer. */
bool control_is_waited_for(const Manager *m);
/** Takes over a connection of an earlier program, which has what the fields of like say. 0 or
 * -errno. */
int control_adopt(Manager *m, int fd, const ControlPeer *like);

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

/** Lets all of them answer their clients with an HTTP status and end, and waits for that: half a
 * second at most. */
void cgroup_end_requests(int http_status);

/** The other processes in the cgroup of our service, at most n of them; how many, 0 when it is not
 * one. */
size_t cgroup_list(pid_t *pids, size_t n);

/** Whether it is one: its processes are the pool's and nobody else's. */
bool cgroup_is_of_service(void);

/* ---- limits.c: limits of time of requests, workers and the queue ---- */

int limits_start(Manager *m);

/** Looks at all workers and the queue, acts on what has run out, and sets the timer for the next
 * look. Cheap when the pool has no such limits. */
void limits_look(Manager *m, uint64_t now_usec);
void limits_done(Manager *m);

/** Whether a connection that finds nobody idle has to wake the manager, though no worker can be
 * added: queue_timeout begins to count. */
bool limits_wants_watch(const Manager *m);

/** Of each worker that has ended, before it is freed: processes that one which was ended for its
 * time left behind end too. */
void limits_on_worker_exit(Worker *w, int code, int status);

/* ---- recover.c: what follows when something has died (pool/recovery.h) ---- */

/** After the obituary of a worker; code and status as of worker_on_exit(). */
void recover_on_worker_exit(Worker *w, int code, int status, bool crashed, bool was_registered);

/** A worker wants its generation to be replaced: its opcode cache is to begin anew. */
void recover_on_renew(Worker *w);

/** No worker may be ordered before this time. */
uint64_t recover_fork_after_usec(const Manager *m);

/** Replaces the template of the current generation, which has died; called until that is done. */
void recover_template(Manager *m);

/** The first generation could not be started: ends the manager, or waits for the next try. */
void recover_start_failed(Manager *m, const char *reason, int exit_status);

/** Whether this start is not the first one, so that a failure is told by recover.c alone: one
 * record for each try. */
bool recover_is_retrying(const Manager *m);

/** The STATUS line of a manager that waits or tries again. */
void recover_status(const Manager *m, char *text, size_t size);

/** A generation serves; what had failed before is forgotten. */
void recover_served(Manager *m);

/** Reads what an earlier manager of this start has left in the runtime directory. */
int recover_set_up(Manager *m);
void recover_done(Manager *m);

/* ---- reexec.c, state.c: another program file takes over ---- */

/** Executes the program file anew, if that one says that it can take over. With reload_after the
 * new one reloads then; without it, peers of CONTROL_REEXEC get the outcome. */
void reexec_ask(Manager *m, bool reload_after);

/** The next step, as far as it can be done now; from settle. It may execute the other program. */
void reexec_step(Manager *m);

/** Whether the program file is not the one that runs. */
bool reexec_is_due(const Manager *m);

/** Whether pid was the one that checks the state; goes on with the outcome. */
bool reexec_on_exit(Manager *m, pid_t pid, int code, int status);
void reexec_done(Manager *m);

/** In the new program, as a child of the old one: whether the state in fd can be taken over. An
 * exit status. */
int reexec_check(int fd);

/** In the new program: the manager as it was, which goes on with manager_run(). 0 or -errno
 * (logged). */
int manager_restore(const ManagerOptions *options, const Privileges *privileges, int fd,
                    Manager **ret);

/* ---- leaving.c: the ways in which a pool ends ---- */

/** Looks whether the pool has been idle long enough to leave; from settle. */
void leaving_look(Manager *m, uint64_t now_usec);

/** Pings answer 503 from now on; the pool leaves when nobody but pings has come for quiet_usec (0:
 * some seconds). */
void leaving_drain(Manager *m, uint64_t quiet_usec);

/** Does that: of the table. */
void leaving_drain_begin(Manager *m, const char *reason);
void leaving_done(Manager *m);
