#pragma once

/*
 * What a worker of every pool may do to files whatever the pool file says: a table, each row with
 * its reason. Nothing in it is a site's own; what is readable here is readable for everybody on an
 * ordinary machine, so that a list of the pool file is about the rest. In a pool with chroot it
 * counts below the new root too.
 */

#include "base/macro.h"

typedef enum NeedRight {
    NEED_READ,    /* with sandbox.read: read files and list folders */
    NEED_DEVICE,  /* with sandbox.read and sandbox.write: read and write this device */
    NEED_SCRATCH, /* with either: read, write, make and remove files */
    NEED_LOADER,  /* with sandbox.exec_paths other than none: execute */
    _NEED_RIGHT_MAX,
} NeedRight;

/** "read", "read and write", … for people. */
const char *need_right_to_string(NeedRight right);

typedef struct Need {
    const char *path; /* may be missing */
    NeedRight right;
    const char *reason;
} Need;

/** All of them. */
const Need *needs(size_t *ret_n);
