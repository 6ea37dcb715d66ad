#include "base/exit_status.h"

static const char *const names[] = {
    [EXIT_STATUS_OK] = "ok",
    [EXIT_STATUS_FAILURE] = "failure",
    [EXIT_STATUS_USAGE] = "usage",
    [EXIT_STATUS_SOFTWARE] = "software",
    [EXIT_STATUS_IDLE] = "idle",
    [EXIT_STATUS_CONFIG] = "config",
    [EXIT_STATUS_FDS] = "fds",
    [EXIT_STATUS_RLIMITS] = "rlimits",
    [EXIT_STATUS_GROUPS] = "groups",
    [EXIT_STATUS_GID] = "gid",
    [EXIT_STATUS_UID] = "uid",
    [EXIT_STATUS_CAPABILITIES] = "capabilities",
    [EXIT_STATUS_NO_NEW_PRIVS] = "no-new-privs",
    [EXIT_STATUS_SECUREBITS] = "securebits",
    [EXIT_STATUS_EXEC] = "exec",
    [EXIT_STATUS_SPEC] = "spec",
    [EXIT_STATUS_CHDIR] = "chdir",
    [EXIT_STATUS_SECCOMP] = "seccomp",
    [EXIT_STATUS_LANDLOCK] = "landlock",
    [EXIT_STATUS_SCOREBOARD] = "scoreboard",
    [EXIT_STATUS_EVENTS] = "events",
    [EXIT_STATUS_RUNTIME] = "runtime",
    [EXIT_STATUS_FORK] = "fork",
    [EXIT_STATUS_LINK] = "link",
    [EXIT_STATUS_CHROOT] = "chroot",
    [EXIT_STATUS_ENDED] = "ended",
    [EXIT_STATUS_PORTER] = "porter",
    [EXIT_STATUS_STATE] = "state",
};

const char *exit_status_to_string(int status)
{
    return status >= 0 && (size_t)status < ARRAY_SIZE(names) ? names[status] : NULL;
}
