#pragma once

/*
 * Whether a process belongs to the pool: the manager's template and workers, and whatever they have
 * started; of a manager that crashed before us, too.
 */

#include "base/macro.h"

#include <sys/types.h>

/**
 * Looks upwards from pid. The manager is a subreaper, so what scripts start stays below it, however
 * often it forks. What an earlier manager left is known by its system call filters. A process whose
 * ancestors cannot be seen (ProtectProc=, hidepid) belongs to the pool unless we have a control
 * group and it is not in there; one that has died does. 0, which stands for a process of another
 * pid namespace, does not.
 */
bool ancestry_is_ours(pid_t pid);
