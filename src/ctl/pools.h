#pragma once

/*
 * Pool files: NAME.conf of the configuration folders is the file of pool NAME.
 */

#include "ctl/ctl.h"

typedef struct PoolFile {
    char *name;
    char *path;          /* NULL: none was found */
    bool by_path;        /* only this file counts, not folders and drop-ins */
    bool is_one_of_many; /* other pools of the file come before or after it */
} PoolFile;

typedef struct PoolFiles {
    PoolFile *items;
    size_t n;
    size_t n_files; /* that the pools are in */
} PoolFiles;

void pool_files_done(PoolFiles *files);
#define _cleanup_pool_files_ _cleanup_(pool_files_done)

/** Adds the pool of that name, whether there is a file or not. 0 or -ENOMEM. */
int pool_files_add_pool(PoolFiles *files, const char *folders, const char *pool);

/** Whether an operand is a path, not the name of a pool: it has a slash, or ends in ".conf". */
bool pool_is_path(const char *word);

/** Adds a file, or each *.conf of a folder, sorted. The pool of a file has its stem as a name where
 * there is such a section, or none at all; else there is one for each section of the file and of
 * its includes. 0; -ENODATA for a folder without such files; another -errno. */
int pool_files_add_path(PoolFiles *files, const char *path);

/** Adds every pool of the folders that is not masked, sorted by name. 0 or -errno; -ENOENT: none of
 * the folders exists. */
int pool_files_add_folders(PoolFiles *files, const char *folders);

/** Reads the file of a pool, with its drop-ins. Returns and issues as config_load_to_check(); a
 * name that no pool can have is an error, too. */
int pool_file_load(const Ctl *ctl, const PoolFile *file, ConfigIssues *issues, PoolConfig **ret);

/** The same for a verb that needs the file of one pool. 0, or the exit status, having said why. */
int pool_file_require(const Ctl *ctl, const char *pool, PoolConfig **ret);
