#pragma once

/*
 * Where the manager makes processes; nowhere else in manager/.
 */

#include <sys/types.h>

typedef struct Generation Generation;
typedef struct Manager Manager;
typedef struct PoolSetup PoolSetup;

/** Executes the template of a generation, confined. 0 or -errno (logged). */
int spawn_template(Generation *g);

/** Executes the porter, confined, with the slot of m->porter and these peers of its link and
 * outputs. The pid or -errno. */
pid_t spawn_porter(Manager *m, const PoolSetup *setup, int link_peer, int out, int err);

/** The program file of the porter. */
void spawn_porter_path(const Manager *m, char *path, size_t size);

/**
 * Forks a child that runs f with the writing end of a pipe and does not return from it; *ret_fd is
 * the reading end. The caller waits for the child. The pid or -errno.
 */
pid_t spawn_child(void (*f)(int fd, void *userdata), void *userdata, int *ret_fd);
