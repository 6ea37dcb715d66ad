#pragma once

/*
 * How many starts of a pool have failed in a row, kept in a file from one manager to the next: in
 * the folder that systemd gives a service and keeps over its automatic restarts
 * (RuntimeDirectoryPreserve=restart). What is no counter in it, or somebody else's, counts as none.
 */

#include "base/macro.h"

/** The file in the first folder of $RUNTIME_DIRECTORY, to be freed; NULL: there is no such folder,
 * or no memory. */
char *counter_path(void);

/** The number in the file; 0 when there is none. */
unsigned counter_read(const char *path);

/** Replaces the file as a whole. 0 or -errno. */
int counter_write(const char *path, unsigned n);

void counter_remove(const char *path);
