#pragma once

/*
 * The files that a pool file may ask for: access.log, which workers append to, and slowlog, which
 * the manager does. The manager opens both as its own user, and anew when it gets SIGUSR1 or
 * CONTROL_REOPEN, and when it finds that the file has been renamed or removed (logrotate).
 */

#include "conf/config.h"

#include <sys/types.h>

typedef struct Manager Manager;
typedef struct PoolSetup PoolSetup;

/** Opens the files of a setup that is about to be used. 0; -errno with an issue for each that
 * cannot be used: the start or the reload is refused. */
int logfiles_open(PoolSetup *s, ConfigIssues *issues);

/** The same for a setup that an earlier program has used: what cannot be opened is logged, and
 * missing. */
void logfiles_adopt(PoolSetup *s);

/** The file of access.log for the spec of a generation of this setup; -1: none. The fd stays the
 * setup's. */
int logfiles_access_fd(const PoolSetup *s);

/** Opens all files anew and tells templates and workers (LINK_REOPEN). 0; the first -errno
 * (logged): then the old file is used on. */
int logfiles_reopen(Manager *m);

/** Looks, at most once a second, whether a file is not where it was; from the beat. */
void logfiles_look(Manager *m, uint64_t now_usec);

/** Appends an entry to slowlog of a setup, if it has one. */
void logfiles_write_slow(Manager *m, const PoolSetup *s, const char *text, size_t n);

void logfiles_setup_done(PoolSetup *s);
