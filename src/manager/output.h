#pragma once

/*
 * Captured stdout and stderr of our processes: a pipe, cut into lines, each a journal record. What
 * a process writes is hostile text; it becomes a MESSAGE= and nothing else, but for "<3>" at its
 * begin, a priority as sd-daemon(3) has it.
 *
 * A line of a worker gets REQUEST_ID and REQUEST_URI of its request: of the mark before it in the
 * pipe (link/mark.h), or, where the worker could not know that something would be written, of the
 * request that runs when the line is read.
 */

#include "base/buffer.h"
#include "board/slot.h"
#include "link/mark.h"
#include "log/log.h"

#include <systemd/sd-event.h>

#define OUTPUT_LINE_MAX                                                                            \
    (48 * 1024) /* as LineMax= of journald.conf(5); longer ones become several */

typedef struct Output {
    int fd; /* -1: closed */
    sd_event_source *source;
    const char *stream; /* "stdout", "stderr" */
    LogMessage message;
    int priority;
    pid_t pid; /* whose; 0: not known yet */
    unsigned generation;
    bool has_marks;
    char mark[MARK_PREFIX_SIZE];
    const volatile BoardSlot *slot; /* NULL: of no worker, or not known yet; borrowed */
    char *request_id, *request_uri; /* of the last mark, NULL: of no request */
    Buffer line;                    /* what has no newline yet */
} Output;

/** Makes the pipe; *ret_peer is the writing end for the process. 0 or -errno. */
int output_open(Output *o, sd_event *event, const char *stream, LogMessage message, int priority,
                unsigned generation, int *ret_peer);

/** As output_open(), with the pipe and the process of an earlier program. 0 or -errno, then fd is
 * still the caller's. */
int output_adopt(Output *o, sd_event *event, const char *stream, LogMessage message, int priority,
                 unsigned generation, int fd, pid_t pid);

/** The worker is known now. key: of its marks, 0: it makes none. The slot has to live until
 * output_close(). */
void output_identify(Output *o, pid_t pid, uint64_t key, const volatile BoardSlot *slot);

/** Logs the line that is not complete. */
void output_flush(Output *o);

/** Takes what is there, logs it with the line that is not complete, closes. */
void output_close(Output *o);
