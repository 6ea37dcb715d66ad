#pragma once

/*
 * Users and groups of listening sockets, by name or number. Apart from the foreground only the
 * local files are read: modules of the name service switch are foreign code, see manager/lookup.h.
 */

#include "base/macro.h"

#include <sys/types.h>

#define NAMES_NO_ID ((uid_t)-1)

typedef enum NamesSource {
    NAMES_LOCAL,   /* /etc/passwd and /etc/group */
    NAMES_MODULES, /* then nsswitch.conf(5) */
} NamesSource;

/** The user of that name, with the primary group (NAMES_NO_ID when text is a number). 0 or
 * -ENOENT. */
int names_user(const char *text, NamesSource source, uid_t *ret_uid, gid_t *ret_gid);

/** The group of that name or number. 0 or -ENOENT. */
int names_group(const char *text, NamesSource source, gid_t *ret_gid);

/** The local name of an id, or its number. */
void names_of_user(uid_t uid, char *ret, size_t size);
void names_of_group(gid_t gid, char *ret, size_t size);
