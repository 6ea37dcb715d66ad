#pragma once

/*
 * The filter of system calls that a generation lives under (sandbox/seccomp.h): the template enters
 * it before its language starts, each worker adds its stage.
 */

#include "link/spec.h"
#include "sandbox/seccomp.h"

/**
 * Enters the template's stage and builds that of the workers, *ret_worker; NULL with
 * sandbox.seccomp = off, which spec->moot then says. With sandbox.report the manager gets the
 * listener by spec->report_fd, which is closed: nobody here keeps either. 0, or -errno and
 * *ret_error.
 */
int filter_enter(RuntimeSpec *spec, SeccompFilter **ret_worker, const char **ret_error);
