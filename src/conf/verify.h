#pragma once

/*
 * Checks that need the machine: users, groups, files, directories, the runtime program.
 */

#include "conf/config.h"

typedef struct PoolIds {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary: of the user database and of supplementary_groups */
    size_t n_groups;
    char *user_name; /* NULL for a number without an entry */
    char *home;
    bool keep; /* no user asked for: stay what we are */
} PoolIds;

void pool_ids_done(PoolIds *ids);

/**
 * Looks up user, group and all supplementary groups. privileged: whether this process may change
 * ids; without it "user" and "group" other than our own are ignored with a warning, with it "user"
 * is mandatory and must not be root. supplementary_groups join the groups, each once; without
 * privilege those that we are not in are warned of. Names of listen.owner, listen.group and the
 * listen.acl_… that do not exist are warnings. Problems are added to issues (file and line of the
 * directive where known). Returns 0, -EINVAL for problems in issues, -ENOMEM.
 */
int config_resolve_ids(const PoolConfig *c, bool privileged, ConfigIssues *issues,
                       PoolIds *ret_ids);

/** As config_resolve_ids(), without a look at the names of the socket. */
int config_resolve_worker_ids(const PoolConfig *c, bool privileged, ConfigIssues *issues,
                              PoolIds *ret_ids);

/** Adds an issue for each name of listen.owner, listen.group and listen.acl_… that does not exist;
 * directive: only of this one; NULL: of all. 0 or -ENOMEM. */
int config_verify_socket_names(const PoolConfig *c, const char *directive, ConfigSeverity severity,
                               ConfigIssues *issues);

/** Checks that prefix, chroot, chdir (below chroot), php_ini, php_ini_scan_dir and
 * libexec_dir/runtime exist and are of the right type, and that what sandbox.read, sandbox.write
 * and sandbox.exec_paths name exists; passes over what only this process may not look at. 0 or
 * -EINVAL.
 */
int config_verify_paths(const PoolConfig *c, const char *libexec_dir, ConfigIssues *issues);
