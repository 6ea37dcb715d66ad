#pragma once

/*
 * The table of verbs.
 */

#include "ctl/options.h"

typedef struct Verb {
    const char *name;
    const char *operands;
    const char *help;
    int min, max;   /* operands; max -1: any number */
    unsigned takes; /* TAKES_… */
    unsigned keeps; /* CAPABILITIES_KEEP_… */
    int (*run)(const Ctl *ctl, int n, char **operands);
} Verb;

/** All of them, in the order of the alphabet. */
const Verb *verbs_get(size_t *ret_n);

/** NULL: there is none of that name. */
const Verb *verbs_find(const char *name);
