#pragma once

/*
 * Call stacks of workers (board/trace.h), asked for by the manager on the template's link.
 *
 * First the worker itself is asked: the template writes the wish into the worker's mailbox, which
 * is at the same address in both, and raises the flag at which the language looks between two
 * instructions. That is exact, and takes the worker some microseconds. A worker that does not
 * answer within TRACE_PATIENCE_USEC is blocked: the template then reads its memory from outside,
 * which the worker does not notice. No signal is sent: it would cut short what the worker waits
 * for.
 *
 * The template never waits here: it goes on taking orders for workers.
 */

#include "board/slot.h"
#include "board/trace.h"
#include "runtime/engine.h"

#define TRACE_PATIENCE_USEC (50 * USEC_PER_MSEC)
#define TRACE_COST_USEC     800 /* of the worker's time, for one stack; the rest is only counted */

/* ---- in the template ---- */

/** Before the first fork. 0 or -errno. */
int trace_template_start(const Engine *engine);

/** LINK_TRACE: takes the area, whose fd stays the caller's. */
void trace_take_order(int fd, int link_fd, uint64_t now_usec);

/** How long to wait until trace_look() has something to do: for poll(2), -1: nothing is under way.
 */
int trace_timeout_msec(void);

/** Sees who has answered, and reads those that have not in time. */
void trace_look(int link_fd, uint64_t now_usec);

/* ---- in a worker ---- */

/** After the fork, before it is confined. slot is its own. */
void trace_worker_start(const BoardSlot *slot);

/** Whether somebody wants to know; asked by the language when its flag was raised. */
bool trace_is_wanted(void);

/**
 * The wish: *ret_text has TRACE_TEXT_SIZE bytes. NULL: it is over, or was meant for another
 * request. The language fills in n_frames, more and size, then calls trace_commit() with what has
 * happened (0 or -errno).
 */
TraceArea *trace_begin(char **ret_text);
void trace_commit(TraceArea *area, int result);

/** Between requests: gives back the memory of a long one. */
void trace_forget(void);
