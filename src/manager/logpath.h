#pragma once

/*
 * Opening log files. A manager may be told to write into a folder of the pool's user, who could put
 * a symbolic link to any file there that the manager may write, such as the log of another pool:
 * only links of root and of the manager's own user are followed.
 */

#include "base/macro.h"

#include <sys/types.h>

/** As open(2), never waiting. The fd; -ELOOP: a link of somebody else is in the way; -errno. */
int logpath_open(const char *path, int flags, mode_t mode);
