#pragma once

/*
 * Finding the pools in the lines of a file. Between import_source.c and import_walk.c only.
 */

#include "ctl/import_source.h"

#define SOURCE_MAX_BYTES (1024 * 1024)

/** Reads a file unless it was read. 0 or -errno. */
int source_read(Sources *s, const char *path, unsigned depth, bool only_globals);

/** Takes the pools, or with only_globals just what comes before them, out of a file that was read,
 * and of those that it includes. 0 or -ENOMEM. */
int source_walk(Sources *s, size_t file, unsigned depth, bool only_globals);
