#pragma once

/*
 * The ids of a pool's user, looked up in a child process: the modules of the name service switch
 * (LDAP, SSSD, systemd) are foreign code that stays mapped once loaded, and may hang. The child has
 * no capability and tells its findings through a pipe.
 */

#include "conf/verify.h"

/** As config_resolve_ids(); in addition -ETIMEDOUT, with an issue that says so, when the lookup
 * hangs. */
int lookup_ids(const PoolConfig *c, bool privileged, ConfigIssues *issues, PoolIds *ret);
