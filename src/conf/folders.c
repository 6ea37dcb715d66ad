#include "conf/config.h"
#include "conf/folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define SUFFIX ".conf"

/* A file of one of the folders. */
typedef struct Entry {
    char *name;
    char *path;
    unsigned rank; /* of its folder, 0 is the most important */
    bool is_masked;
} Entry;

typedef struct Entries {
    Entry *items;
    size_t n;
} Entries;

static void entries_done(Entries *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].name);
        free(list->items[i].path);
    }
    free(list->items);
}

void config_files_done(ConfigFiles *files)
{
    free(files->path);
    free(files->no_folder);
    config_free_names(files->dropins, files->n_dropins);
    *files = (ConfigFiles){0};
}

void config_free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* The null device, whatever the link to it looks like. */
static bool is_null(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

static int is_conf_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && n > strlen(SUFFIX) &&
           strcmp(entry->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static int add_entry(Entries *list, const char *folder, const char *name, unsigned rank)
{
    Entry *grown = reallocarray(list->items, list->n + 1, sizeof(*grown));
    Entry entry = {.rank = rank};
    struct stat st;

    if (!grown)
        return -ENOMEM;
    list->items = grown;
    if (asprintf(&entry.path, "%s/%s", folder, name) < 0)
        return -ENOMEM;
    /* A link into nowhere is listed: reading it says what is wrong. */
    if (stat(entry.path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            free(entry.path);
            return 0;
        }
        entry.is_masked = is_null(&st);
    }
    entry.name = strdup(name);
    if (!entry.name) {
        free(entry.path);
        return -ENOMEM;
    }
    list->items[list->n++] = entry;
    return 0;
}

static int add_folder(Entries *list, const char *folder, unsigned rank)
{
    struct dirent **found = NULL;
    int n = scandir(folder, &found, is_conf_file, alphasort), r = 0;

    if (n < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = add_entry(list, folder, found[i]->d_name, rank);
        free(found[i]);
    }
    free(found);
    return r;
}

static int compare_entries(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    int r = strcmp(x->name, y->name);

    return r != 0 ? r : (x->rank > y->rank) - (x->rank < y->rank);
}

/* Of the same name the first counts, and none when that is masked. */
static void merge_entries(Entries *list)
{
    size_t kept = 0;

    if (list->n > 0)
        qsort(list->items, list->n, sizeof(*list->items), compare_entries);
    for (size_t i = 1; i < list->n; i++)
        if (strcmp(list->items[i].name, list->items[i - 1].name) == 0)
            list->items[i].is_masked = true;
    for (size_t i = 0; i < list->n; i++) {
        if (!list->items[i].is_masked) {
            list->items[kept++] = list->items[i];
            continue;
        }
        free(list->items[i].name);
        free(list->items[i].path);
    }
    list->n = kept;
}

/* Something under the name of a folder that is none, nor a link to one. */
static bool is_no_folder(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0)
        return !S_ISDIR(st.st_mode);
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* The files of all folders/below, merged; below may be "". ret_no_folder: the first folder/below
 * that is not a folder, unchanged where there is none. */
static int find_entries(const char *folders, const char *below, Entries *list, char **ret_no_folder)
{
    _cleanup_free_ char *copy = strdup(folders);
    char *state = NULL;
    unsigned rank = 0;

    if (!copy)
        return -ENOMEM;
    for (char *f = strtok_r(copy, ":", &state); f; f = strtok_r(NULL, ":", &state)) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s%s%s", f, *below ? "/" : "", below) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        r = add_folder(list, path, rank++);
        if (r < 0)
            return r;
        if (ret_no_folder && *below && !*ret_no_folder && is_no_folder(path))
            *ret_no_folder = TAKE_PTR(path);
    }
    merge_entries(list);
    return 0;
}

int config_find_pool(const char *folders, const char *name, char **ret_path)
{
    _cleanup_free_ char *copy = strdup(folders);
    char *state = NULL;

    if (!copy)
        return -ENOMEM;
    if (config_check_pool_name(name) < 0)
        return -EINVAL;
    for (char *f = strtok_r(copy, ":", &state); f; f = strtok_r(NULL, ":", &state)) {
        _cleanup_free_ char *path = NULL;
        struct stat st;

        if (asprintf(&path, "%s/%s" SUFFIX, f, name) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        if (lstat(path, &st) < 0) {
            if (errno != ENOENT && errno != ENOTDIR)
                return -errno;
            continue;
        }
        if (stat(path, &st) == 0 && is_null(&st))
            return -ERFKILL;
        *ret_path = TAKE_PTR(path);
        return 0;
    }
    return -ENOENT;
}

int config_find_files(const char *folders, const char *name, ConfigFiles *ret)
{
    _cleanup_(config_files_done) ConfigFiles files = {0};
    _cleanup_(entries_done) Entries list = {0};
    _cleanup_free_ char *below = NULL;
    int r = config_find_pool(folders, name, &files.path);

    if (r < 0)
        return r;
    if (asprintf(&below, "%s" SUFFIX ".d", name) < 0) {
        below = NULL;
        return -ENOMEM;
    }
    r = find_entries(folders, below, &list, &files.no_folder);
    if (r < 0)
        return r;
    files.dropins = calloc(list.n + 1, sizeof(*files.dropins));
    if (!files.dropins)
        return -ENOMEM;
    for (; files.n_dropins < list.n; files.n_dropins++)
        files.dropins[files.n_dropins] = TAKE_PTR(list.items[files.n_dropins].path);
    *ret = files;
    files = (ConfigFiles){0};
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int config_list_pools(const char *folders, char ***ret_names, size_t *ret_n)
{
    _cleanup_(entries_done) Entries list = {0};
    char **names;
    int r = find_entries(folders, "", &list, NULL);

    if (r < 0)
        return r;
    names = calloc(list.n + 1, sizeof(*names));
    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < list.n; i++) {
        names[i] = TAKE_PTR(list.items[i].name);
        names[i][strlen(names[i]) - strlen(SUFFIX)] = 0;
    }
    /* "a-b.conf" came before "a.conf". */
    qsort(names, list.n, sizeof(*names), compare_names);
    *ret_names = names;
    *ret_n = list.n;
    return 0;
}
