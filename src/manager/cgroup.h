#pragma once

/*
 * The processes of our service. Part of manager/manager.h.
 */

#include "manager/manager.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"

/* ---- cgroup.c ---- */

/**
 * The folder of the cgroup of our service, to be freed, wherever below it we are ourselves. NULL:
 * it is not one of our units: under another service manager or in a login session the cgroup holds
 * processes that are none of our business.
 */
char *cgroup_folder(void);

/** The same from the text of /proc/PID/cgroup. */
char *cgroup_folder_of(const char *lines);

/** The processes of one group, and those of the groups below too (depth: 0); at most n. How many.
 */
size_t cgroup_list_group(const char *folder, pid_t *pids, size_t n);
size_t cgroup_list_tree(const char *folder, unsigned depth, pid_t *pids, size_t n);

/**
 * Kills every process of this service's cgroup but ourselves, until none is left. Does nothing when
 * the cgroup is not that of a fpmd@ service. Returns how many were killed.
 */
unsigned cgroup_sweep(void);

/** Lets all of them answer their clients with an HTTP status and end, and waits for that: half a
 * second at most. */
void cgroup_end_requests(int http_status);

/** The other processes in the cgroup of our service, at most n of them; how many, 0 when it is not
 * one. */
size_t cgroup_list(pid_t *pids, size_t n);

/** Whether it is one: its processes are the pool's and nobody else's. */
bool cgroup_is_of_service(void);
