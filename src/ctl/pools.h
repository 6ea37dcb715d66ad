#pragma once

/*
 * Pool files: DIR/NAME.conf is the file of pool NAME.
 */

#include "base/macro.h"

typedef struct PoolFile {
    char *name;
    char *path;
} PoolFile;

typedef struct PoolFiles {
    PoolFile *items;
    size_t n;
} PoolFiles;

void pool_files_done(PoolFiles *files);
#define _cleanup_pool_files_ _cleanup_(pool_files_done)

/** Adds the file of a pool below dir. 0 or -ENOMEM. */
int pool_files_add_pool(PoolFiles *files, const char *dir, const char *pool);

/** Adds a file; the pool's name is the stem of the path. 0 or -ENOMEM. */
int pool_files_add_path(PoolFiles *files, const char *path);

/** Adds every *.conf of a folder that is not hidden, sorted by name. 0 or -errno. */
int pool_files_add_folder(PoolFiles *files, const char *dir);
