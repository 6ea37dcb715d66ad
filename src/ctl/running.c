#include "ctl/running.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int is_pool_name(const struct dirent *entry)
{
    return config_check_pool_name(entry->d_name) == 0;
}

/* What nobody may look into counts as one: whoever connects says why it cannot be done. */
static int has_socket(const Ctl *ctl, const char *pool)
{
    _cleanup_free_ char *path = NULL;
    struct stat st;

    if (asprintf(&path, "%s/%s/control", ctl->control_dir, pool) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    if (stat(path, &st) < 0)
        return errno != ENOENT && errno != ENOTDIR;
    return S_ISSOCK(st.st_mode);
}

void running_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int running_list(const Ctl *ctl, char ***ret_names, size_t *ret_n)
{
    struct dirent **entries = NULL;
    int n_entries = scandir(ctl->control_dir, &entries, is_pool_name, alphasort), r = 0;
    char **names;
    size_t n = 0;

    if (n_entries < 0 && errno != ENOENT)
        return -errno;
    n_entries = MAX(n_entries, 0);
    names = calloc((size_t)n_entries + 1, sizeof(*names));
    if (!names)
        r = -ENOMEM;
    for (int i = 0; i < n_entries; i++) {
        int has = r == 0 ? has_socket(ctl, entries[i]->d_name) : 0;

        if (has > 0)
            names[n] = strdup(entries[i]->d_name);
        if (has < 0 || (has > 0 && !names[n++]))
            r = -ENOMEM;
        free(entries[i]);
    }
    free(entries);
    if (r < 0) {
        if (names)
            running_free(names, n);
        return r;
    }
    *ret_names = names;
    *ret_n = n;
    return 0;
}
