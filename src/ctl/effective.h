#pragma once

/*
 * What is in force for a pool: one entry for each directive, and for each key of an array.
 */

#include "conf/directives.h"

typedef struct Effective {
    const Directive *directive;
    const char *key;     /* of an array, "" in a list; NULL: none */
    char *value;         /* NULL: not set */
    bool raw;            /* the value is as in a file, with its quotes */
    ConfigOrigin origin; /* a line of 0: the default */
} Effective;

typedef struct EffectiveList {
    Effective *items; /* in the order of the table of directives */
    size_t n;
} EffectiveList;

void effective_done(EffectiveList *list);

/** Looks which php.ini there is besides the pool's files. 0 or -ENOMEM. Texts of the entries belong
 * to the list and to c. */
int effective_make(const PoolConfig *c, EffectiveList *ret);
