#pragma once

/*
 * Exit statuses of all our processes. Each set-up step of a process has its own, so that an
 * obituary can say which step failed. 64…78 are those of sysexits.h; 200…245 belong to systemd's
 * executor and are left alone.
 */

#include "base/macro.h"

typedef enum ExitStatus {
    EXIT_STATUS_OK = 0,
    EXIT_STATUS_FAILURE = 1,
    EXIT_STATUS_USAGE = 64,
    EXIT_STATUS_SOFTWARE = 70,
    EXIT_STATUS_IDLE = 77, /* the pool left because it was idle; the socket unit starts it again */
    EXIT_STATUS_CONFIG = 78,

    EXIT_STATUS_FDS = 100, /* arranging the descriptors that a runtime inherits */
    EXIT_STATUS_RLIMITS,
    EXIT_STATUS_GROUPS,
    EXIT_STATUS_GID,
    EXIT_STATUS_UID,
    EXIT_STATUS_CAPABILITIES,
    EXIT_STATUS_NO_NEW_PRIVS,
    EXIT_STATUS_SECUREBITS,
    EXIT_STATUS_EXEC,
    EXIT_STATUS_SPEC, /* the runtime could not read its spec */
    EXIT_STATUS_CHDIR,
    EXIT_STATUS_SECCOMP,
    EXIT_STATUS_LANDLOCK,
    EXIT_STATUS_SCOREBOARD,
    EXIT_STATUS_EVENTS,  /* a worker could not register its event sources */
    EXIT_STATUS_RUNTIME, /* the language could not be started */
    EXIT_STATUS_FORK,
    EXIT_STATUS_LINK,
    EXIT_STATUS_CHROOT,
    EXIT_STATUS_ENDED, /* a worker was ended in its request, see LINK_SIGNAL_END */
    EXIT_STATUS_PORTER,
    EXIT_STATUS_STATE, /* the state of an earlier program could not be taken over */
} ExitStatus;

/** Returns the name of a status that this table knows, for example "uid", else NULL. */
const char *exit_status_to_string(int status);
