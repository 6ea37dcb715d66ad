#pragma once

/*
 * What a language brings to a runtime program: runtime/ has everything else. All calls happen in
 * one thread.
 */

#include "board/slot.h"
#include "board/trace.h"
#include "link/spec.h"
#include "runtime/request.h"

/* What became of the start of a language. */
typedef struct EngineReport {
    const char *version; /* "PHP 8.2.36", static or kept */
    char *reason;       /* why it cannot start, or what it has to do without; the caller frees it */
    unsigned n_missing; /* parts (extensions) that were asked for and could not be loaded */
} EngineReport;

typedef enum EngineTopic {
    ENGINE_TOPIC_VERSION,  /* --tell=version */
    ENGINE_TOPIC_MODULES,  /* --tell=modules: its extensions */
    ENGINE_TOPIC_SETTINGS, /* --tell=settings: everything that is in force */
    _ENGINE_TOPIC_MAX,
} EngineTopic;

typedef struct Engine {
    const char *name; /* "php" */

    /* Folders and files that it reads when it starts, whatever the pool: the template's layer of
     * Landlock allows them and what links in these folders lead to. NULL-terminated. */
    const char *const *paths;

    /** In the template, once, before any fork: starts the language. 0 or -errno. */
    int (*start)(const RuntimeSpec *spec, EngineReport *ret);

    /** In each worker after the fork, before its own layer and filter: takes what it must not share
     * with others. 0 or -errno; NULL: there is nothing. */
    int (*worker_part)(const RuntimeSpec *spec);

    /** In each worker after the fork, confined already; slot is the worker's own. 0 or -errno. */
    int (*worker_start)(const RuntimeSpec *spec, BoardSlot *slot);

    /**
     * Runs one request to its very end; the caller sends END_REQUEST if request_finish() was not
     * called. Returns the application status (an exit code), or -errno when this worker must not
     * take another request.
     */
    int (*run)(Request *r);

    /** Between two requests, and in the template before the first fork: gives back to the kernel
     * what requests have left in memory, and the next one gets anew. NULL: there is nothing. */
    void (*rest)(void);

    /** In the worker, before it exits. */
    void (*worker_stop)(void);

    /** Instead of all that: starts the language and writes to stdout what an administrator wants to
     * know of it, see EngineTopic. An exit status. NULL: it has nothing to tell. */
    int (*tell)(const RuntimeSpec *spec, EngineTopic topic);

    /* Call stacks of workers, see runtime/trace.h; NULL: the language cannot show them. */

    /** In the template: the byte that makes a worker's language look at trace_is_wanted() between
     * two instructions. */
    void *(*trace_flag)(void);

    /** In the template: reads the stack of a worker out of its memory, at most area->depth frames.
     * Sets n_frames, more and size. 0; -ESRCH: no script runs; -EAGAIN: it was not at rest; -EIO:
     * what is there makes no sense. */
    int (*trace_peek)(pid_t pid, TraceArea *area, char *text);
} Engine;

/** The main() of every runtime program with its own engine. */
int runtime_main(int argc, char **argv, const Engine *engine);
