#pragma once

/*
 * What www.conf and fpmd.conf(5) say about a directive besides its row in the table of
 * conf/directives.h. Only the program that makes those two has it, no daemon.
 */

#include "conf/directives.h"

#define MANUAL_EXAMPLES 6

typedef struct Manual {
    const char *name; /* of the directive */
    /* Lines of www.conf, for arrays from the key on; NULL ends. None: the default of the table. */
    const char *examples[MANUAL_EXAMPLES];
    bool is_active; /* without ";" in www.conf */
    /* Paragraphs with an empty line between; what is between ` and ` is in bold type. NULL: the
     * sentence of the table says all. */
    const char *text;
} Manual;

/** The rows, each of another directive, and how many they are. */
const Manual *manuals_get(size_t *ret_n);

/** The row of a directive; NULL: there is none. */
const Manual *manual_find(const Directive *d);
