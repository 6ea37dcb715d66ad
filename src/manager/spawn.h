#pragma once

/*
 * Where the manager makes processes; nowhere else in manager/.
 */

#include <sys/types.h>

typedef struct Generation Generation;

/** Executes the template of a generation, confined. 0 or -errno (logged). */
int spawn_template(Generation *g);

/**
 * Forks a child that runs f with the writing end of a pipe and does not return from it; *ret_fd is
 * the reading end. The caller waits for the child. The pid or -errno.
 */
pid_t spawn_child(void (*f)(int fd, void *userdata), void *userdata, int *ret_fd);
