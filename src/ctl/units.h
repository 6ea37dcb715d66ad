#pragma once

/*
 * What systemd says about the units of a pool. Nobody has to answer: the pool may run without
 * systemd.
 */

#include "base/macro.h"

typedef struct Units Units;

typedef struct UnitState {
    char active[16];  /* ActiveState= of the unit: "active", "inactive", "failed", … */
    char enabled[24]; /* UnitFileState=: "enabled", "disabled", …; "" when there is no such file */
    char listen[512]; /* of a socket unit: its addresses, separated by blanks */
} UnitState;

/** Connects to systemd, directly as root, else over the system bus. 0 or -errno. */
int units_open(Units **ret);
Units *units_close(Units *units);
DEFINE_CLEANUP(Units, units_close)

/** Asks for fpmd@POOL.KIND, kind being "socket" or "service". 0 or -errno; *ret is then unchanged.
 */
int units_get(Units *units, const char *pool, const char *kind, UnitState *ret);
