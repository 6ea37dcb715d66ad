#pragma once

/*
 * Cuts the text of a pool file into sections and entries. Allocates nothing: what it returns are
 * slices of the text. The dialect is PHP-FPM's: each line for itself, ";" begins a comment outside
 * of quotes, the value reaches to the end of the line.
 */

#include "base/macro.h"

typedef struct Slice {
    const char *p;
    size_t n;
} Slice;

typedef struct Lexer {
    const char *p, *end;
    unsigned line; /* of the item returned last */
} Lexer;

typedef enum LexKind {
    LEX_END,
    LEX_SECTION, /* name */
    LEX_ENTRY,   /* name, perhaps key, value */
    LEX_ERROR,   /* error; the next call goes on with the next line */
} LexKind;

typedef struct LexItem {
    LexKind kind;
    Slice name;
    Slice key; /* without quotes */
    bool has_key;
    Slice value; /* raw: with its quotes, without comment and outer blanks */
    const char *error;
} LexItem;

void lexer_init(Lexer *l, const char *text, size_t n);
void lexer_next(Lexer *l, LexItem *ret);
