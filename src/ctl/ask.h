#pragma once

/*
 * Requests to the managers of pools over their control sockets.
 */

#include "ctl/ctl.h"
#include "link/control.h"

/* What a manager has answered to a request that it did. */
typedef struct Answer {
    char *text; /* for people: one line without control characters, "" for none */
    int fd;     /* that came with it, or -1 */
} Answer;

#define ANSWER_NONE ((Answer){.fd = -1})

void answer_done(Answer *answer);
#define _cleanup_answer_ _cleanup_(answer_done)

/** Connects to the manager of a pool. The descriptor; -ENOENT: nobody listens, and nothing was said
 * about it; another -errno, having said why. */
int ask_connect(const Ctl *ctl, const char *pool);

/** Whether there is a file for the pool. */
bool ask_has_pool(const Ctl *ctl, const char *pool);

/** Says that nobody listens: there is no such pool, or it does not run. */
void ask_complain_nobody(const Ctl *ctl, const char *pool);

/** Sends the request and waits for its answer, which the caller frees. 0, or -errno having said
 * why: that of the manager when it has refused. */
int ask(const Ctl *ctl, const char *pool, int fd, ControlVerb verb, uint64_t argument,
        Answer *ret_answer);

/** For a verb that asks one running pool: checks the name and connects. The descriptor, or -errno
 * with the exit status in *ret_status, having said why. */
int ask_open(const Ctl *ctl, const char *pool, int *ret_status);
