#pragma once

/*
 * Captured stdout and stderr of our processes: a pipe, cut into lines, each a journal record. What
 * a process writes is hostile text; it becomes a MESSAGE= and nothing else.
 */

#include "log/log.h"

#include <systemd/sd-event.h>

#define OUTPUT_LINE_MAX 2048 /* longer lines become several records */

typedef struct Output {
    int fd; /* -1: closed */
    sd_event_source *source;
    const char *stream; /* "stdout", "stderr" */
    LogMessage message;
    int priority;
    pid_t pid; /* whose; 0: not known yet */
    unsigned generation;
    char *line; /* what has no newline yet */
    size_t size;
} Output;

/** Makes the pipe; *ret_peer is the writing end for the process. 0 or -errno. */
int output_open(Output *o, sd_event *event, const char *stream, LogMessage message, int priority,
                unsigned generation, int *ret_peer);

/** As output_open(), with the pipe and the process of an earlier program. 0 or -errno, then fd is
 * still the caller's. */
int output_adopt(Output *o, sd_event *event, const char *stream, LogMessage message, int priority,
                 unsigned generation, int fd, pid_t pid);

/** Logs the line that is not complete. */
void output_flush(Output *o);

/** Takes what is there, logs it with the line that is not complete, closes. */
void output_close(Output *o);
