#include "ctl/pools.h"
#include "conf/folders.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".conf"

void pool_files_done(PoolFiles *files)
{
    for (size_t i = 0; i < files->n; i++) {
        free(files->items[i].name);
        free(files->items[i].path);
    }
    free(files->items);
    *files = (PoolFiles){0};
}

/* Takes over both texts, also when it fails; name may be NULL for lack of memory. */
static int add(PoolFiles *files, char *name_taken, char *path_taken, bool by_path)
{
    _cleanup_free_ char *name = name_taken, *path = path_taken;
    PoolFile *grown;

    if (!name)
        return -ENOMEM;
    grown = reallocarray(files->items, files->n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    files->items = grown;
    files->items[files->n++] = (PoolFile){TAKE_PTR(name), TAKE_PTR(path), by_path};
    return 0;
}

static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strlen(name), suffix = strlen(SUFFIX);

    return strndup(name, n > suffix && strcmp(name + n - suffix, SUFFIX) == 0 ? n - suffix : n);
}

int pool_files_add_pool(PoolFiles *files, const char *folders, const char *pool)
{
    char *path;

    if (config_find_pool(folders, pool, &path) < 0)
        path = NULL;
    return add(files, strdup(pool), path, false);
}

int pool_files_add_path(PoolFiles *files, const char *path)
{
    char *copy = strdup(path);

    return copy ? add(files, stem(path), copy, true) : -ENOMEM;
}

/* Without any of the folders the option is likely wrong. */
static bool has_folder(const char *folders)
{
    _cleanup_free_ char *copy = strdup(folders);
    char *state = NULL;

    if (!copy)
        return true;
    for (char *p = strtok_r(copy, ":", &state); p; p = strtok_r(NULL, ":", &state))
        if (access(p, F_OK) == 0 || errno != ENOENT)
            return true;
    return false;
}

int pool_files_add_folders(PoolFiles *files, const char *folders)
{
    char **names;
    size_t n;
    int r = config_list_pools(folders, &names, &n);

    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = pool_files_add_pool(files, folders, names[i]);
    config_free_names(names, n);
    return r == 0 && n == 0 && !has_folder(folders) ? -ENOENT : r;
}

int pool_file_load(const Ctl *ctl, const PoolFile *file, ConfigIssues *issues, PoolConfig **ret)
{
    if (config_check_pool_name(file->name) < 0) {
        config_issues_add(issues, CONFIG_ERROR, file->path ? file->path : file->name, 0, NULL,
                          "'%s' cannot be the name of a pool: 1 to 64 letters, digits, '_', '.' "
                          "and '-' are expected, the first none of the last two",
                          file->name);
        return -EINVAL;
    }
    if (file->by_path)
        return config_load_to_check(file->path, file->name, issues, ret);
    return config_load_pool(ctl->config_dir, file->name, issues, ret);
}
