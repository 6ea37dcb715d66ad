#pragma once

/*
 * The control socket of a manager: SOCK_SEQPACKET at CONTROL_PATH of the pool. One request, one
 * reply, per connection as often as wanted.
 *
 * Who may: SO_PEERCRED uid 0 or the manager's uid anything; others that the file mode lets in
 * (group fpmd) only STATUS.
 */

#include "base/macro.h"

#define CONTROL_VERSION   2
#define CONTROL_TEXT_SIZE 4096
#define CONTROL_LIMIT_SEC 5
#define CONTROL_DIR                                                                                \
    "/run/fpmd-control" /* default; $RUNTIME_DIRECTORY or --control-dir otherwise:                 \
                           DIR/POOL/control */

typedef enum ControlVerb {
    CONTROL_STATUS = 1, /* reply carries a snapshot fd (status/snapshot.h) */
    CONTROL_RELOAD, /* reply comes when the new generation serves, or was refused: text says why */
    CONTROL_REEXEC, /* reply comes when the new program has taken over, or why it has not */
    CONTROL_DRAIN,  /* pings answer 503; reply comes when nobody but pings has come for the time of
                       the argument in microseconds (0: the manager chooses), and the pool is about
                       to leave */
    CONTROL_TRACE,  /* the call stack of the worker whose pid is the argument; the reply comes when
                       it is there, and carries a trace area (board/trace.h) */
    CONTROL_END,    /* ends the worker whose pid is the argument: its client gets 503 */
    CONTROL_REOPEN, /* opens the files of access.log and slowlog anew, as SIGUSR1 does */
    _CONTROL_VERB_MAX,
} ControlVerb;

typedef struct ControlRequest {
    uint32_t version;
    uint32_t verb;
    uint64_t argument; /* 0 where the verb has none */
} ControlRequest;

typedef struct ControlReply {
    uint32_t version;
    int32_t result;               /* 0, or -errno */
    char text[CONTROL_TEXT_SIZE]; /* NUL-terminated, for people */
} ControlReply;

/** Connects to the control socket of a pool below dir; who listens there is not known yet
 * (SO_PEERCRED). The fd or -errno (-ETIMEDOUT after CONTROL_LIMIT_SEC). */
int control_connect(const char *dir, const char *pool);

/** Sends a request and waits for its reply; *ret_fd is an fd that came with it, or -1. A status and
 * a trace are waited for CONTROL_LIMIT_SEC, the others as long as the connection lasts. 0 or -errno
 * (-ETIMEDOUT).
 */
int control_call(int fd, ControlVerb verb, uint64_t argument, ControlReply *ret, int *ret_fd);
