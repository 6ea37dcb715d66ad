#pragma once

/*
 * Relative paths of a pool get a prefix before them, as in PHP-FPM: that of the pool, else /usr,
 * which is the one compiled into Debian's PHP-FPM. Inside of conf/ only.
 */

#include "conf/setting.h"

/**
 * Completes prefix, chroot (with "$prefix" at its start or relative), chdir, the files of logs,
 * unix sockets and, where no chroot is set, the settings of PHP that are paths. The places for
 * issues are those of the directives; r has the place of the pool. 0 or -ENOMEM.
 */
int complete_paths(PoolConfig *c, const Reporter *r);
