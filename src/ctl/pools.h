#pragma once

/*
 * Pool files: NAME.conf of the configuration folders is the file of pool NAME.
 */

#include "ctl/ctl.h"

typedef struct PoolFile {
    char *name;
    char *path;   /* NULL: none was found */
    bool by_path; /* only this file counts, not folders and drop-ins */
} PoolFile;

typedef struct PoolFiles {
    PoolFile *items;
    size_t n;
} PoolFiles;

void pool_files_done(PoolFiles *files);
#define _cleanup_pool_files_ _cleanup_(pool_files_done)

/** Adds the pool of that name, whether there is a file or not. 0 or -ENOMEM. */
int pool_files_add_pool(PoolFiles *files, const char *folders, const char *pool);

/** Adds a file; the pool's name is the stem of the path. 0 or -ENOMEM. */
int pool_files_add_path(PoolFiles *files, const char *path);

/** Adds every pool of the folders that is not masked, sorted by name. 0 or -errno; -ENOENT: none of
 * the folders exists. */
int pool_files_add_folders(PoolFiles *files, const char *folders);

/** Reads the file of a pool, with its drop-ins. Returns and issues as config_load_to_check(); a
 * name that no pool can have is an error, too. */
int pool_file_load(const Ctl *ctl, const PoolFile *file, ConfigIssues *issues, PoolConfig **ret);
