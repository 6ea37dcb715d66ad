#pragma once

/*
 * What the manager knows and does of its workers. Part of manager/manager.h.
 */

#include "log/log.h"
#include "manager/manager.h"

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

/** SIGKILL, to one whose pid is known. */
void worker_kill(const Worker *w);

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

/** Fields of what it runs, or ran last. */
void worker_describe_request(LogRecord *r, const BoardSlot *slot);
