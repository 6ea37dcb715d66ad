#pragma once

/*
 * Call stacks of workers, read by the template of their generation (board/trace.h) on the manager's
 * order, since the manager may not read the memory of anybody. A few at a time, the others wait for
 * their turn; an order that has no answer within some seconds has failed. What comes back is
 * hostile text.
 */

#include "board/trace.h"

typedef struct Manager Manager;
typedef struct Generation Generation;
typedef struct Worker Worker;

/**
 * What became of an order, exactly once for each that was taken. result: 0, or -errno of TraceArea,
 * -ETIMEDOUT, -EPIPE (the template has ended), -ECANCELED (the manager is about to be replaced or
 * to leave); see trace_failure(). area and text (lines of board/trace.h) and fd (the area itself)
 * are valid during the call; NULL and -1 when there was no answer. data: as given, the callee's.
 */
typedef void (*TraceDone)(Manager *m, int result, const TraceArea *area, const char *text, int fd,
                          void *data);

/**
 * Orders the stack of a worker. request_usec: of the request that is meant, 0: any; depth: frames
 * at most, 0: all. 0; -EBUSY: too many wait already; -EPIPE: the template is gone; -errno. On
 * failure done is not called and data stays the caller's.
 */
int trace_order(Worker *w, unsigned depth, uint64_t request_usec, TraceDone done, void *data);

/** The template of g says that an area is complete. False: it was not asked. */
bool traces_complete(Generation *g, unsigned number);

/** The template of g is gone; NULL: all orders end with -ECANCELED. */
void traces_cancel(Manager *m, const Generation *g);

/** Why there is no stack, for people: "it runs no script any more". */
const char *trace_failure(int result);

/* A line of the text. */
typedef struct TraceLine {
    uint64_t address;         /* of the frame; 0: not known */
    const char *name, *place; /* "Shop->total()", "/srv/www/shop.php:12"; place NULL: not known */
    int n_name, n_place;
} TraceLine;

/** Takes a line of n bytes without its newline apart; what is returned points into it. */
void trace_line(const char *line, size_t n, TraceLine *ret);
