#pragma once

/*
 * A cgroup (version 2) of its own for each worker, where the pool file limits what one may take
 * (pm.worker_memory_max, pm.worker_tasks_max). systemd delegates the controllers to the service
 * (Delegate=), whose cgroup then looks like this:
 *
 *     fpmd@POOL.service            systemd's; no process, controllers on for what is below
 *         manager                  manager, templates, porter, and workers until their HELLO
 *         worker-PID               a worker and what it starts
 *         .control                 systemd's: ExecReload=, ExecStopPost=
 *
 * A group above others that have controllers may not hold processes (cgroups(7), "no internal
 * processes"); so the manager moves itself and what it finds there, and systemd's ExecStopPost=
 * takes the controllers off again, since the next manager begins in the upper group while workers
 * of a crashed one still finish.
 *
 * The files belong to the manager's user, and no worker has that user: what it cannot write it
 * cannot change, nor can it leave its group.
 */

#include "conf/verify.h"

#include <sys/types.h>

typedef struct Worker Worker;

/** Whether workers of such a pool get one. */
bool worker_cgroup_is_wanted(const PoolConfig *c);

/**
 * Makes the cgroup of the service ready for them, if they are wanted. folder: cgroup_folder(), may
 * be NULL; mount: CGROUP_MOUNT. 0, or -errno with an issue that says what is missing and how to get
 * it.
 */
int worker_cgroup_prepare(const char *folder, const char *mount, const PoolConfig *c,
                          const PoolIds *ids, ConfigIssues *issues);

/** Makes the group of a worker, sets its limits and moves it there. 0 or -errno; *ret_file: the
 * file that it was about, static. */
int worker_cgroup_make(const char *folder, const PoolConfig *c, pid_t pid, const char **ret_file);

/**
 * Puts a worker that waits (LINK_FORK_WAIT) into its group and lets it go on; one that cannot be
 * put there is killed (logged).
 */
void worker_cgroup_enter(Worker *w);

/** Whether its memory was full: the kernel has killed for that in the group. */
bool worker_cgroup_ran_out(const char *folder, pid_t pid);

/** Removes the groups that nobody is in. */
void worker_cgroups_trim(const char *folder);

/** After the manager: takes the controllers off, so that the next one can begin in the group. */
void worker_cgroups_release(const char *folder);
