#include "conf/folders.h"
#include "conf/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int config_parse(const char *text, size_t n, const char *path, const char *name,
                 ConfigIssues *issues, PoolConfig **ret_config)
{
    _cleanup_(loader_done) Loader l = {.issues = issues, .name = name, .in_memory = true};
    int r = loader_begin(&l, path);

    if (r == 0)
        r = loader_add(&l, text, n, path);
    return r < 0 ? r : loader_finish(&l, path, false, ret_config);
}

static int load(const char *path, const char *name, bool keep_broken, ConfigIssues *issues,
                PoolConfig **ret_config)
{
    _cleanup_(loader_done) Loader l = {.issues = issues, .name = name};
    int r = loader_begin(&l, path);

    if (r == 0)
        r = loader_add_file(&l, path);
    return r < 0 ? r : loader_finish(&l, path, keep_broken, ret_config);
}

int config_load(const char *path, const char *name, ConfigIssues *issues, PoolConfig **ret_config)
{
    return load(path, name, false, issues, ret_config);
}

int config_load_to_check(const char *path, const char *name, ConfigIssues *issues,
                         PoolConfig **ret_config)
{
    return load(path, name, true, issues, ret_config);
}

/* What keeps a pool's files from being found, at the name that its file would have in the most
 * important folder. */
static int report_missing(const char *folders, const char *name, int error, ConfigIssues *issues)
{
    size_t n = strcspn(folders, ":");
    const char *more = folders[n] ? folders + n + 1 : "";
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%.*s/%.64s.conf", (int)n, folders, name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    if (error == -ERFKILL)
        config_issues_add(issues, CONFIG_ERROR, path, 0, NULL,
                          "the pool is masked by a link to /dev/null");
    else if (error == -ENOENT)
        config_issues_add(issues, CONFIG_ERROR, path, 0, NULL, "cannot be read: %s%s%s",
                          strerror(ENOENT), *more ? ", nor is there one in " : "", more);
    else
        config_issues_add(issues, CONFIG_ERROR, path, 0, NULL,
                          "the folders %s cannot be searched: %s", folders, strerror(-error));
    return error == -ERFKILL ? -ENOENT : error;
}

int config_load_pool(const char *folders, const char *name, ConfigIssues *issues,
                     PoolConfig **ret_config)
{
    _cleanup_(loader_done) Loader l = {.issues = issues, .name = name};
    _cleanup_(config_files_done) ConfigFiles files = {0};
    int r = loader_begin(&l, NULL);

    if (r < 0)
        return r;
    r = config_find_files(folders, name, &files);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return report_missing(folders, name, r, issues);
    if (files.no_folder)
        config_issues_add(issues, CONFIG_ERROR, files.no_folder, 0, NULL,
                          "is not a folder, expected one with drop-ins (*.conf) of the pool %s",
                          name);
    r = loader_add_file(&l, files.path);
    if (r < 0)
        return r;
    for (size_t i = 0; i < files.n_dropins; i++)
        if (loader_add_file(&l, files.dropins[i]) == -ENOMEM)
            return -ENOMEM;
    return loader_finish(&l, files.path, true, ret_config);
}
