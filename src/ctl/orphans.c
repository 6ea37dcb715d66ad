#include "ctl/apply.h"
#include "ctl/orphans.h"
#include "unit/wants.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The pool in "fpmd@POOL.socket.d"; NULL: another folder, or no memory. */
static char *pool_of(const char *folder, UnitKind kind)
{
    const char *template = unit_template(kind), *at = strchr(template, '@') + 1;
    size_t n = strlen(folder), before = (size_t)(at - template), behind = strlen(at) + 2;

    if (n <= before + behind || strncmp(folder, template, before) != 0 ||
        strncmp(folder + n - behind, at, behind - 2) != 0 || strcmp(folder + n - 2, ".d") != 0)
        return NULL;
    return strndup(folder + before, n - before - behind);
}

static bool has(const PoolFiles *files, const char *pool)
{
    for (size_t i = 0; i < files->n; i++)
        if (strcmp(files->items[i].name, pool) == 0)
            return true;
    return false;
}

static int look(const Ctl *ctl, const char *folder, const PoolFiles *files, PoolFiles *orphans)
{
    _cleanup_free_ char *path = NULL;
    int r = 0;

    if (asprintf(&path, "%s/%s/" APPLY_DROPIN, ctl->unit_dir, folder) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    if (access(path, F_OK) < 0)
        return 0;
    for (int kind = 0; r == 0 && kind < _UNIT_KIND_MAX; kind++) {
        _cleanup_free_ char *pool = pool_of(folder, (UnitKind)kind);

        if (pool && config_check_pool_name(pool) == 0 && !has(files, pool) && !has(orphans, pool))
            r = pool_files_add_pool(orphans, ctl->config_dir, pool);
    }
    return r;
}

int orphans_find(const Ctl *ctl, const PoolFiles *files, PoolFiles *orphans)
{
    DIR *dir = opendir(ctl->unit_dir);
    const struct dirent *entry;
    int r = 0;

    if (!dir)
        return errno == ENOENT ? 0 : -errno;
    while (r == 0 && (entry = readdir(dir)))
        if (strncmp(entry->d_name, "fpmd", strlen("fpmd")) == 0)
            r = look(ctl, entry->d_name, files, orphans);
    closedir(dir);
    return r;
}
