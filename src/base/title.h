#pragma once

/*
 * The titles of processes, where ps(1) and pgrep(1) look: the command line, and the short name.
 */

#include "base/macro.h"

/**
 * Takes the memory of the arguments; its size is the bound of every title. The manager passes
 * blanks as a second argument to make room. To be called before anything keeps a pointer to an
 * argument; argv[0] becomes a copy.
 */
void title_init(int argc, char **argv);

/** name: at most 15 bytes, for comm; the title is cut where there is no room. */
void title_set(const char *name, const char *format, ...) _printf_(2, 3);
