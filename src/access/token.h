#pragma once

/*
 * The pieces of a compiled access.format. Inside of access/ only.
 */

#include "access/format.h"

typedef enum TokenUnit {
    UNIT_NONE,
    UNIT_TOTAL, /* of CPU time */
    UNIT_USER,
    UNIT_SYSTEM,
    UNIT_SECONDS, /* of durations */
    UNIT_MILLISECONDS,
    UNIT_MICROSECONDS,
    UNIT_BYTES, /* of memory */
    UNIT_KILOBYTES,
    UNIT_MEGABYTES,
} TokenUnit;

typedef struct Token {
    char code; /* the letter behind '%'; 0: text as it is */
    TokenUnit unit;
    char *text; /* the text, or the argument in braces; NULL: none */
} Token;

struct AccessFormat {
    Token *tokens;
    size_t n;
};

/** Appends the tokens of text. As access_format_new(). */
int tokens_parse(AccessFormat *f, const char *text, char *error, size_t error_size);
