#include "ctl/pools.h"
#include "base/exit_status.h"
#include "conf/folders.h"
#include "ctl/import_source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
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
    files->items[files->n++] =
        (PoolFile){.name = TAKE_PTR(name), .path = TAKE_PTR(path), .by_path = by_path};
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
    files->n_files++;
    return add(files, strdup(pool), path, false);
}

bool pool_is_path(const char *word)
{
    const char *dot = strrchr(word, '.');

    return strchr(word, '/') || (dot && strcmp(dot, SUFFIX) == 0);
}

static int add_copy(PoolFiles *files, const char *name, const char *path)
{
    char *copy = strdup(path);

    return copy ? add(files, strdup(name), copy, true) : -ENOMEM;
}

static bool has_pool(const Sources *s, const char *name)
{
    for (size_t i = 0; i < s->n_pools; i++)
        if (strcasecmp(s->pools[i].name, name) == 0)
            return true;
    return false;
}

static int add_sections(PoolFiles *files, const Sources *s, const char *path)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n_pools; i++) {
        r = add_copy(files, s->pools[i].name, path);
        if (r == 0)
            files->items[files->n - 1].is_one_of_many = s->n_pools > 1;
    }
    for (size_t i = 0; i < s->n_files; i++)
        files->n_files += !s->files[i].only_globals;
    return r;
}

/* What cannot be read is told by whoever reads it next. */
static int add_file(PoolFiles *files, const char *path)
{
    _cleanup_(sources_done) Sources s = {0};
    _cleanup_free_ char *name = stem(path);
    int r = name ? sources_add(&s, path) : -ENOMEM;

    if (r == -ENOMEM)
        return r;
    if (r == 0 && s.n_pools > 0 && !has_pool(&s, name))
        return add_sections(files, &s, path);
    files->n_files++;
    return add_copy(files, name, path);
}

static int is_pool_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);

    return entry->d_name[0] != '.' && n > suffix && strcmp(entry->d_name + n - suffix, SUFFIX) == 0;
}

static int add_folder(PoolFiles *files, const char *folder)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_pool_file, alphasort), r = 0;

    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        bool slash = folder[strlen(folder) - 1] == '/';
        _cleanup_free_ char *path = NULL;

        if (r == 0 && asprintf(&path, "%s%s%s", folder, slash ? "" : "/", entries[i]->d_name) < 0) {
            path = NULL;
            r = -ENOMEM;
        }
        if (r == 0)
            r = add_file(files, path);
        free(entries[i]);
    }
    free(entries);
    return r == 0 && n == 0 ? -ENODATA : r;
}

int pool_files_add_path(PoolFiles *files, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return add_folder(files, path);
    return add_file(files, path);
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

int pool_file_require(const Ctl *ctl, const char *pool, PoolConfig **ret)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_free_ char *path = NULL;
    _cleanup_buffer_ Buffer b = {0};
    PoolFile file = {.name = (char *)(uintptr_t)pool};
    int r = pool_file_load(ctl, &file, &issues, ret);

    if (r == 0)
        return 0;
    if (config_check_pool_name(pool) == 0 &&
        config_find_pool(ctl->config_dir, pool, &path) == -ENOENT)
        ctl_complain("%s: there is no such pool: no %s.conf in %s", pool, pool, ctl->config_dir);
    else if (ctl_write_issues(&b, &issues) == 0 && b.size > 0)
        fwrite(b.data, 1, b.size, stderr);
    return EXIT_STATUS_CONFIG;
}
