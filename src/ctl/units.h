#pragma once

/*
 * What systemd says about the units of a pool. Nobody has to answer: the pool may run without
 * systemd.
 */

#include "base/buffer.h"

typedef struct Units Units;

typedef struct UnitState {
    char active[16];  /* ActiveState= of the unit: "active", "inactive", "failed", … */
    char enabled[24]; /* UnitFileState=: "enabled", "disabled", …; "" when there is no such file */
    char text[256];   /* StatusText= of a service: what its manager says of itself */
    char listen[512]; /* of a socket unit: its addresses, separated by blanks */
} UnitState;

/** Connects to systemd, directly as root, else over the system bus; user: to that of the user. 0 or
 * -errno. */
int units_open(Units **ret, bool user);
Units *units_close(Units *units);
DEFINE_CLEANUP(Units, units_close)

/** Asks for fpmd@POOL.KIND, kind being "socket" or "service". 0 or -errno; *ret is then unchanged.
 */
int units_get(Units *units, const char *pool, const char *kind, UnitState *ret);

/**
 * Appends a property of any type as words with blanks between, an entry of a list a line: "Stream
 * /run/a.sock\nStream 127.0.0.1:9000". What was asked about the same unit before may be answered as
 * it was then. 0 or -errno; -ENOENT: the unit has no such property.
 */
int units_read(Units *units, const char *unit, const char *property, Buffer *b);

/** Appends the names of the units of pools that run or are about to, a line break before and behind
 * each. 0 or -errno. */
int units_list_running(Units *units, Buffer *b);

/** The same of those that are loaded and not just inactive: also the ones that have failed. */
int units_list_loaded(Units *units, Buffer *b);
