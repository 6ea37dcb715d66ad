#pragma once

/*
 * The words of a command line: options into a Ctl, and which of them were given.
 */

#include "ctl/ctl.h"

/* Options that only some verbs have; bits. */
enum {
    TAKES_JSON = 1 << 0,
    TAKES_FULL = 1 << 1,
    TAKES_VERBOSE = 1 << 2,
    TAKES_ALL = 1 << 3,
    TAKES_DRY_RUN = 1 << 4,
    TAKES_RESTART = 1 << 5,
    TAKES_FORCE = 1 << 6,
    TAKES_UNDO = 1 << 7,
    TAKES_QUIET = 1 << 8,
    TAKES_KEEP_SOCKET = 1 << 9,
    TAKES_ONCE = 1 << 10,
    TAKES_FOLLOW = 1 << 11,
    TAKES_LINES = 1 << 12,
    TAKES_SINCE = 1 << 13,
    TAKES_SLOW = 1 << 14,
    TAKES_ACCESS = 1 << 15,
    TAKES_REQUEST = 1 << 16,
    TAKES_TIMEOUT = 1 << 17,
    TAKES_STATUS = 1 << 18,
    TAKES_INFO = 1 << 19,
    TAKES_MODULES = 1 << 20,
    TAKES_CALLS = 1 << 21,
};

/** Reads the options; optind is the first operand then. Returns -1 to go on, with the bits of what
 * was given; -2 for --help; else the exit status, having said what is wrong. */
int options_parse(Ctl *ctl, int argc, char **argv, unsigned *ret_given);

/** As it is written: "--full"; of several bits the lowest. */
const char *options_name(unsigned bits);

/** Prints the lines of the options for --help. */
void options_print(void);
