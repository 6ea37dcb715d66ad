#include "ctl/import_walk.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 4096
/* A file and four levels of includes, as in PHP-FPM. */
#define DEPTH_MAX 5

void sources_done(Sources *s)
{
    for (size_t i = 0; i < s->n_files; i++) {
        free(s->files[i].path);
        free(s->files[i].text);
    }
    for (size_t i = 0; i < s->n_pools; i++) {
        free(s->pools[i].name);
        free(s->pools[i].lines);
        free(s->pools[i].problem);
    }
    for (size_t i = 0; i < s->n_globals; i++) {
        free(s->globals[i].name);
        free(s->globals[i].value);
        free(s->globals[i].file);
    }
    free(s->files);
    free(s->pools);
    free(s->globals);
    texts_done(&s->problems);
    *s = (Sources){0};
}

/* A file of which only the global section was read may come again. */
static bool is_known(const Sources *s, const char *path, bool only_globals)
{
    for (size_t i = 0; i < s->n_files; i++)
        if (strcmp(s->files[i].path, path) == 0 && (only_globals || !s->files[i].only_globals))
            return true;
    return false;
}

int source_read(Sources *s, const char *path, unsigned depth, bool only_globals)
{
    _cleanup_free_ char *text = NULL, *copy = NULL;
    SourceFile *grown;
    struct stat st;
    size_t n;
    int r;

    if (is_known(s, path, only_globals))
        return 0;
    if (depth >= DEPTH_MAX || s->n_files >= FILES_MAX)
        return -ELOOP;
    if (stat(path, &st) < 0)
        return -errno;
    r = S_ISREG(st.st_mode) ? fd_read_file(path, SOURCE_MAX_BYTES, &text, &n) : -EINVAL;
    if (r < 0)
        return r;
    copy = strdup(path);
    grown = copy ? reallocarray(s->files, s->n_files + 1, sizeof(*grown)) : NULL;
    if (!grown)
        return -ENOMEM;
    s->files = grown;
    grown[s->n_files++] = (SourceFile){.path = TAKE_PTR(copy),
                                       .text = TAKE_PTR(text),
                                       .n = n,
                                       .mode = st.st_mode,
                                       .only_globals = only_globals};
    return source_walk(s, s->n_files - 1, depth, only_globals);
}

/* The global settings under which PHP-FPM ran the pools of this folder, if it is one of its own. */
static int read_globals(Sources *s, const char *folder)
{
    _cleanup_free_ char *above = path_folder(folder), *path = NULL;
    int r;

    if (!above || asprintf(&path, "%s/php-fpm.conf", above) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = source_read(s, path, 0, true);
    return r == -ENOENT ? 0 : r;
}

static int is_pool_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int add_folder(Sources *s, const char *folder)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_pool_file, alphasort), r;

    if (n < 0)
        return -errno;
    r = read_globals(s, folder);
    for (int i = 0; i < n; i++) {
        char *path = NULL;

        if (r == 0 && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0) {
            path = NULL;
            r = -ENOMEM;
        }
        if (r == 0)
            r = source_read(s, path, 0, false);
        if (r < 0 && r != -ENOMEM)
            r = texts_add(&s->problems, "%s: cannot be read: %s", path, strerror(-r));
        free(path);
        free(entries[i]);
    }
    free(entries);
    return r;
}

/* Without resolving links: pool.d/www.conf may be one, and its own folder is what counts. */
static char *absolute(const char *path)
{
    _cleanup_free_ char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    size_t n = strlen(path);
    char *whole;

    while (n > 1 && path[n - 1] == '/')
        n--;
    if (asprintf(&whole, "%s%s%.*s", here ? here : "", here ? "/" : "", (int)n, path) < 0)
        return NULL;
    return whole;
}

int sources_add(Sources *s, const char *path)
{
    _cleanup_free_ char *whole = absolute(path), *folder = NULL;
    struct stat st;
    int r = 0;

    if (!whole)
        return -ENOMEM;
    if (stat(whole, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return add_folder(s, whole);
    folder = path_folder(whole);
    if (!folder)
        return -ENOMEM;
    if (strcmp(path_base(whole), "php-fpm.conf") != 0)
        r = read_globals(s, folder);
    return r < 0 ? r : source_read(s, whole, 0, false);
}
