#pragma once

/*
 * Opening log files. A manager that runs as root may be told to write into a folder of the pool's
 * user, who could put a symbolic link to any file there: as root only links of root are followed.
 */

#include "base/macro.h"

#include <sys/types.h>

/** As open(2), never waiting. The fd; -ELOOP: a link of somebody else is in the way; -errno. */
int logpath_open(const char *path, int flags, mode_t mode);
