#pragma once

/*
 * Pool files against the units that systemd has loaded.
 */

#include "ctl/ctl.h"
#include "ctl/units.h"
#include "unit/wants.h"

/** Adds a warning for each setting that the pool's file asks of its units and that they do not
 * have, and for units that run with former settings. Also adds what a unit file cannot say. 0, or
 * -errno when systemd did not answer. */
int compare_units(const Ctl *ctl, Units *units, const PoolConfig *c, ConfigIssues *issues);

/** Whether somebody has changed the service of a pool, or of all, from how it was shipped. */
bool compare_has_dropins(const Ctl *ctl, const char *pool);

/** The user that the service unit names (User=), NULL: the manager's. The caller frees. 0 or
 * -errno.
 */
int compare_user(Units *units, const char *pool, char **ret_user);

/**
 * For directives that systemd does: what the unit has comes into the warning that the file's reader
 * gave. Those that it has as the file says are moved to notes. units NULL: there is nobody to ask.
 * With --verbose a note on each other directive of the file that has no issue. 0 or -ENOMEM.
 */
int fates_tell(const Ctl *ctl, Units *units, const PoolConfig *c, ConfigIssues *issues,
               ConfigIssues *notes);

/** Warns of a sendmail that works by being set-id, which no_new_privs of the units turns off. */
void sendmail_check(const PoolConfig *c, ConfigIssues *issues);

/** Warns of paths that are shown to the service by way of symbolic links, which a bind mount does
 * not follow later. */
void links_check(const PoolConfig *c, const UnitSettings *s, ConfigIssues *issues);

/** Warns of settings of PHP and of chdir whose paths are outside of sandbox.read or sandbox.write,
 * and of sandbox.exec_paths without the shell. */
void grants_check(const PoolConfig *c, ConfigIssues *issues);

/** Warns of more descriptors than systemd has itself. */
void limits_check(const PoolConfig *c, ConfigIssues *issues);

/** Adds an error for each user or group of the sockets' settings that does not exist: the unit
 * would fail. 0 or -ENOMEM. */
int names_check(const PoolConfig *c, const UnitSettings *s, ConfigIssues *issues);

/** Warns of files of the pool, folders with drop-ins and folders on the way that user may not read;
 * a user that does not exist is passed over. 0 or -ENOMEM. */
int readable_check(const char *folders, const char *user, const PoolConfig *c,
                   ConfigIssues *issues);

/** Adds an issue for each file of a log (access.log, slowlog) that user may not open for writing; a
 * user that does not exist is passed over. 0 or -ENOMEM. */
int logs_check(const char *user, const PoolConfig *c, ConfigSeverity severity,
               ConfigIssues *issues);
