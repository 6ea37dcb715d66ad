#pragma once

/*
 * Where the sockets that systemd passed are not what the pool file says. Only what the file says is
 * compared: a file without these directives fits every socket unit. Host names are not resolved and
 * fit every address with their port.
 */

#include "manager/listeners.h"

#define MISMATCH_MAX 16 /* one per directive */

typedef struct Mismatch {
    const char *directive;
    char unit_has[256];
} Mismatch;

/** Finds the directives with which the sockets do not agree, in a fixed order; how many. */
size_t mismatch_find(const Listeners *l, const PoolConfig *c, Mismatch ret[static MISMATCH_MAX]);
