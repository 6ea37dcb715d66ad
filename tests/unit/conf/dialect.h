#pragma once

/*
 * Lines of pool files, what PHP-FPM 8.2 makes of them (as php-fpm -tt prints it) and what fpmd
 * does. Where the two differ it is on purpose, and "why" says which rule it is.
 */

#include <stddef.h>

typedef struct DialectCase {
    const char *line;
    const char *php_fpm; /* NULL: it refuses the file */
    const char *fpmd;    /* NULL: an error */
    const char *why;     /* NULL: both are the same */
} DialectCase;

extern const DialectCase dialect_cases[];
extern const size_t n_dialect_cases;

/** Sets the environment variables that the lines name. */
void dialect_set_environment(void);

/* The section around a line; another name for a pool may stand for "www". */
#define DIALECT_SECTION                                                                            \
    "[%s]\nuser = www-data\npm = static\npm.max_children = 1\nlisten = 127.0.0.1:%u\n"             \
    "ping.path = /ping\n%s\n"
