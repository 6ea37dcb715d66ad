#pragma once

/*
 * Whether a user may read or write files, by their permissions: asked by root, who may everything.
 */

#include "base/macro.h"

#include <sys/stat.h>
#include <sys/types.h>

#define READER_MAX_GROUPS 256

typedef struct Reader {
    const char *name;
    uid_t uid;
    gid_t groups[READER_MAX_GROUPS];
    int n_groups;
} Reader;

/** Looks the user up; the name is borrowed. False: there is none. */
bool reader_find(const char *name, Reader *ret);

/** Whether the permissions of what is at the path grant what is wanted (of R_OK, W_OK and X_OK),
 * which are then in *ret. True as well where nothing is there, and where an ACL says more than the
 * permissions. */
bool reader_may(const Reader *reader, const char *path, unsigned wanted, struct stat *ret);

/** Whether the user is in the group. */
bool reader_has_group(const Reader *reader, gid_t gid);
