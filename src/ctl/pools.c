#include "ctl/pools.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* Takes over both texts, also when it fails; either may be NULL for lack of memory. */
static int add(PoolFiles *files, char *name_taken, char *path_taken)
{
    _cleanup_free_ char *name = name_taken, *path = path_taken;
    PoolFile *grown;

    if (!name || !path)
        return -ENOMEM;
    grown = reallocarray(files->items, files->n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    files->items = grown;
    files->items[files->n++] = (PoolFile){TAKE_PTR(name), TAKE_PTR(path)};
    return 0;
}

static char *join(const char *dir, const char *name, const char *suffix)
{
    char *path;

    return asprintf(&path, "%s/%s%s", dir, name, suffix) < 0 ? NULL : path;
}

static bool has_suffix(const char *name)
{
    size_t n = strlen(name);

    return n > strlen(SUFFIX) && strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    return strndup(name, strlen(name) - (has_suffix(name) ? strlen(SUFFIX) : 0));
}

int pool_files_add_pool(PoolFiles *files, const char *dir, const char *pool)
{
    return add(files, strdup(pool), join(dir, pool, SUFFIX));
}

int pool_files_add_path(PoolFiles *files, const char *path)
{
    return add(files, stem(path), strdup(path));
}

static int is_pool_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && has_suffix(entry->d_name);
}

int pool_files_add_folder(PoolFiles *files, const char *dir)
{
    struct dirent **entries = NULL;
    int n, r = 0;

    n = scandir(dir, &entries, is_pool_file, alphasort);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = add(files, stem(entries[i]->d_name), join(dir, entries[i]->d_name, ""));
        free(entries[i]);
    }
    free(entries);
    return r;
}
