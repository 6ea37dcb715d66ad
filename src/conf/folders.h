#pragma once

/*
 * Which files make a pool. Folders are a list with ':' between, the most important first
 * (FPMD_CONFIG_FOLDERS: the administrator's in /etc, then the packages'). A link to /dev/null masks
 * what less important folders have under its name.
 */

#include "base/macro.h"

typedef struct ConfigFiles {
    char *path;     /* the pool file */
    char **dropins; /* in the order in which they are read: a later one replaces */
    size_t n_dropins;
    char *no_folder; /* a NAME.conf.d that is there and is not a folder; NULL: there is none */
} ConfigFiles;

void config_files_done(ConfigFiles *files);

/**
 * The pool's file: NAME.conf of the first folder that has it. 0 and a path to free; -ENOENT: there
 * is none; -ERFKILL: it is masked; -EINVAL: such a name cannot be; another -errno when a folder
 * that might have it cannot be looked into.
 */
int config_find_pool(const char *folders, const char *name, char **ret_path);

/** The pool's file and its drop-ins NAME.conf.d/STEM.conf. As config_find_pool(). */
int config_find_files(const char *folders, const char *name, ConfigFiles *ret);

/**
 * The names of all pools of the folders: sorted, each once, without those that are masked. They
 * need not be names that a pool can have (config_check_pool_name()). A folder that does not exist
 * is passed over. 0 or -errno; the caller frees with config_free_names().
 */
int config_list_pools(const char *folders, char ***ret_names, size_t *ret_n);

void config_free_names(char **names, size_t n);
