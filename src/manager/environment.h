#pragma once

/*
 * The environment of a pool's workers: what the pool file says, never what systemd told the
 * manager.
 */

#include "conf/config.h"
#include "conf/verify.h"

/**
 * Makes the NULL-terminated list of NAME=value: with clear_env only env[], USER and HOME; without
 * it also what the manager was given, less the variables that are addressed to the manager. NULL:
 * no memory. Freed with environment_free().
 */
char **environment_make(const PoolConfig *c, const PoolIds *ids);
char **environment_free(char **env);
DEFINE_CLEANUP(char *, environment_free)
