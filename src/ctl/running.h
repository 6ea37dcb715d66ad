#pragma once

/*
 * Which pools run on this machine: those that have a control socket, whether they still have a file
 * or not.
 */

#include "ctl/ctl.h"

/** The names of pools with a control socket, sorted; whether somebody listens there is another
 * question. 0 or -errno; the caller frees with running_free(). */
int running_list(const Ctl *ctl, char ***ret_names, size_t *ret_n);

void running_free(char **names, size_t n);
