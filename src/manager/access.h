#pragma once

/*
 * Who may connect to the socket files of a pool: listen.owner, listen.group, listen.mode,
 * listen.acl_users and listen.acl_groups, as ids.
 */

#include "conf/config.h"
#include "manager/names.h"

/* One named entry of an access control list, which may connect. */
typedef struct AccessEntry {
    bool is_group;
    uid_t id;
} AccessEntry;

typedef struct SocketAccess {
    uid_t uid; /* NAMES_NO_ID: as it comes */
    gid_t gid; /* of listen.group, or the primary one of an owner given by name */
    mode_t mode;
    AccessEntry *acl; /* any: owner and group do not count */
    size_t n_acl;
} SocketAccess;

/** Looks the names up. 0; -ENOENT with *ret_reason (to be freed) for one that there is not;
 * -ENOMEM. */
int access_resolve(const PoolConfig *c, NamesSource source, SocketAccess *ret, char **ret_reason);
void access_done(SocketAccess *a);

/** Writes mode and list of a as the POSIX access list of the file. 0 or -errno. */
int access_write_acl(const SocketAccess *a, const char *path);

/** Reads the named entries of a file that may write, which is what connect(2) asks for: *ret is
 * freed by the caller. 0, also when the file has none, or -errno. */
int access_read_acl(const char *path, AccessEntry **ret, size_t *ret_n);

/** Whether both have the same entries for users, or for groups, in any order. */
bool access_same_acl(const AccessEntry *a, size_t n_a, const AccessEntry *b, size_t n_b,
                     bool of_groups);
