#pragma once

/*
 * What is needed while array directives of one section are read: where a key is in the lists of the
 * PoolConfig, and how many entries there were of each kind. Inside of conf/ only.
 */

#include "base/macro.h"

#include <sys/types.h>

/* More than anybody writes, and few enough that a manager reads them between two ticks of its
 * watchdog. */
#define CONFIG_MAX_ENTRIES 4096

/* Which list a key is in; php_value and php_admin_value are kept apart, because PHP applies both.
 */
typedef enum KeyClass {
    KEY_ENV,
    KEY_INI,
    KEY_INI_ADMIN,
} KeyClass;

typedef struct Key {
    const char *text; /* of the list; NULL: a free place */
    KeyClass class;
    size_t item; /* of the list */
} Key;

typedef struct Gathered {
    Key *keys; /* a hash table with linear probing */
    size_t n_keys, n_places;
    size_t *n_entries; /* of each directive */
} Gathered;

Gathered *gathered_new(size_t n_directives);
Gathered *gathered_free(Gathered *g);

/** The item that has the key; -ENOENT. */
ssize_t gathered_find(const Gathered *g, KeyClass class, const char *text);

/** Remembers a key that is not there. text has to live as long. 0 or -ENOMEM. */
int gathered_add(Gathered *g, KeyClass class, const char *text, size_t item);
