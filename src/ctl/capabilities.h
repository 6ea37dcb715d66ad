#pragma once

#include <stdbool.h>

/* What some verbs need besides. */
enum {
    CAPABILITIES_KEEP_CHOWN = 1 << 0, /* to give files to others */
    CAPABILITIES_KEEP_IDS = 1 << 1,   /* SETUID and SETGID, to become the user of a pool */
};

/**
 * Gives up all capabilities. Run as ExecReload= of a pool, fpmctl gets those of the manager. Root
 * keeps DAC_OVERRIDE: control sockets lie in folders that only their manager's user and group may
 * enter; and what keeps (CAPABILITIES_KEEP_…) says. 0 or -errno.
 */
int capabilities_drop(unsigned keeps);

/** Whether files may be given to others. */
bool capabilities_has_chown(void);

/** Whether this process may become another user. */
bool capabilities_has_ids(void);
