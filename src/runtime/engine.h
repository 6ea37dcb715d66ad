#pragma once

/*
 * What a language brings to a runtime program: runtime/ has everything else. All calls happen in
 * one thread.
 */

#include "link/spec.h"
#include "runtime/request.h"

typedef struct Engine {
    const char *name; /* "php" */

    /**
     * In the template, once, before any fork: starts the language. 0, or -errno with *ret_reason, a
     * text that says why and that the caller frees. *ret_version: "PHP 8.2.36", static or kept.
     */
    int (*start)(const RuntimeSpec *spec, char **ret_reason, const char **ret_version);

    /** In each worker after the fork, confined already. 0 or -errno. */
    int (*worker_start)(const RuntimeSpec *spec);

    /**
     * Runs one request to its very end; the caller sends END_REQUEST if request_finish() was not
     * called. Returns the application status (an exit code), or -errno when this worker must not
     * take another request.
     */
    int (*run)(Request *r);

    /** In the worker, before it exits. */
    void (*worker_stop)(void);
} Engine;

/** The main() of every runtime program with its own engine. */
int runtime_main(int argc, char **argv, const Engine *engine);
