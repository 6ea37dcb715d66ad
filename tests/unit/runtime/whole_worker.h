#pragma once

/*
 * A whole worker in a process of its own, with an engine that obeys the parameter DO of a request:
 * "sleepMS", "eat" (64 MiB), "last" (it cannot go on), "close-listener" and the like (as scripts
 * may), or anything. It answers "worker PID, request N". The
 * test is manager, porter and web server at once.
 */

#include "board/slot.h"
#include "link/message.h"
#include "link/spec.h"

#include <check.h>
#include <sys/types.h>
#include <unistd.h>

extern BoardSlot *slot; /* shared with the worker */
extern RuntimeSpec spec;
extern int life_line, handover, park_end; /* the ends of the manager and the porter */
extern pid_t worker;

/* Sockets of a pool, with or without a park socket; the worker is started by ready(). */
void set_up(void);
void set_up_without_park(void);
void tear_down(void);

/** Starts the worker and waits for its READY. flags: LinkForkFlag. */
void ready(unsigned flags);
/** What the worker's process does. */
_Noreturn void run_worker(int life_line_end, unsigned flags);

/* ---- the manager ---- */

bool wait_input(int fd, int msec);
void expect(LinkType type, unsigned flags);
void tell_leave(void);
void stop_pool(void);
/** How long the worker takes to end from now on, with status 0. */
uint64_t expect_end(void);
bool worker_stays(int msec);
/** The connection that the worker parks next. */
int take_parked(unsigned *ret_flags);
/** Waits until the worker says that of itself. */
void wait_state(WorkerState state);
/** Passes a connection on as the porter does; closes it here. */
void hand_over(int fd, unsigned flags);

/* ---- the web server ---- */

int client(void);
void ask(int fd, const char *order, unsigned flags);
void expect_answer(int fd, const char *begin);
/** A request, under way, that waits for the rest of its body until open_gate(), which takes its
 * answer. */
int shut_gate(unsigned flags);
void open_gate(int fd);
/** A kept connection that has carried a request. */
int keep_one(void);
/** The end of the connection comes, before any byte. */
bool at_end(int fd);
bool is_open(int fd);
