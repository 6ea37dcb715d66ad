#pragma once

/*
 * System calls that the filter of a generation refuses, when the pool file wants to hear of them
 * (sandbox.report): the kernel asks the listener of the filter (seccomp_unotify(2)), which the
 * template sends before its language starts, and the manager says no, and records each call once.
 *
 * What is read is the kernel's; what it says of arguments is the caller's choice. Callers wait for
 * the answer: it comes after everything else, and a flood of calls is answered slowly. When nobody
 * listens any more they fail with ENOSYS.
 */

#include "base/macro.h"

typedef struct Generation Generation;
typedef struct sd_event_source sd_event_source;

#define DENIED_CALLS_MAX 1024 /* numbers of system calls are below it */

/* Embedded in its generation. */
typedef struct Denied {
    int line_fd; /* by which the template sends the listener; -1: it has, or nothing is reported */
    int listener_fd; /* -1: none */
    sd_event_source *line_source, *listener_source, *pause_source;
    uint64_t seen[DENIED_CALLS_MAX / 64]; /* bits by number: recorded already */
    uint64_t period_usec;                 /* begin of that in which n_answered counts */
    unsigned n_answered;
} Denied;

/** Before the template is started: *ret_peer is its end of the line, which the caller closes; -1
 * when the pool reports nothing. 0 or -errno. */
int denied_open(Generation *g, int *ret_peer);

/** Begins to listen; of an earlier program too. 0 or -errno. */
int denied_start(Generation *g);

/** The template has started its language: what it has sent is there. */
void denied_take(Generation *g);

void denied_close(Generation *g);
