#pragma once

/*
 * A folder of its own for each test.
 */

#include "../run.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>

static char dir[64];

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

static inline void set_up(void)
{
    strcpy(dir, "/tmp/import-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static inline void tear_down(void)
{
    nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A path in our folder; the next call but three takes its room. */
static inline const char *in(const char *name)
{
    static char paths[4][160];
    static unsigned i;
    char *path = paths[i++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}
