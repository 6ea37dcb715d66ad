#pragma once

/**
 * Gives up all capabilities. Run as ExecReload= of a pool, fpmctl gets those of the manager. Root
 * keeps DAC_OVERRIDE: control sockets lie in folders that only their manager's user and group may
 * enter. 0 or -errno.
 */
int capabilities_drop(void);
