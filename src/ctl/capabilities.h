#pragma once

#include <stdbool.h>

/**
 * Gives up all capabilities. Run as ExecReload= of a pool, fpmctl gets those of the manager. Root
 * keeps DAC_OVERRIDE: control sockets lie in folders that only their manager's user and group may
 * enter. With keep_chown root keeps CHOWN, too, for a verb that gives files to others. 0 or -errno.
 */
int capabilities_drop(bool keep_chown);

/** Whether files may be given to others. */
bool capabilities_has_chown(void);
