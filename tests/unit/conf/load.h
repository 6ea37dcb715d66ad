#pragma once

/*
 * A pool file from a text, for the tests of conf.
 */

#include "conf/config.h"

#include <string.h>

#define MINIMAL "[www]\npm = static\npm.max_children = 2\n"

typedef struct Loaded {
    PoolConfig *c;
    ConfigIssues issues;
    int r;
} Loaded;

static inline Loaded parse(const char *text)
{
    Loaded l = {0};

    l.r = config_parse(text, strlen(text), "t.conf", "www", &l.issues, &l.c);
    return l;
}

static inline void loaded_done(Loaded *l)
{
    config_issues_done(&l->issues);
    l->c = pool_config_free(l->c);
}
#define _cleanup_loaded_ _cleanup_(loaded_done)

/** Whether an issue reads exactly like this. */
static inline bool has_issue(const ConfigIssues *issues, const char *text)
{
    bool found = false;

    for (size_t i = 0; i < issues->n && !found; i++) {
        char *s = config_issue_to_string(&issues->items[i]);

        found = s && strcmp(s, text) == 0;
        free(s);
    }
    return found;
}
