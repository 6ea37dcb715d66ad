#include "conf/folders.h"
#include "ctl/compare.h"
#include "ctl/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void warn(const Reader *reader, const char *file, const char *closed, const struct stat *st,
                 unsigned wanted, ConfigIssues *issues)
{
    const char *group = reader_has_group(reader, st->st_gid) ? NULL : "";

    config_issues_add(issues, CONFIG_WARNING, file, 0, NULL,
                      "the manager's user %s cannot read it, and a start or reload of the pool "
                      "fails, expected %s%s%s%s%schmod %s %s",
                      reader->name, group ? "chgrp " : "", group ? reader->name : "",
                      group ? " " : "", group ? closed : "", group ? " and " : "",
                      !S_ISDIR(st->st_mode) ? "g+r"
                      : wanted & R_OK       ? "g+rx"
                                            : "g+x",
                      closed);
}

/* The folders on the way, and what is there. Whether it can be read. */
static bool check_way(const Reader *reader, const char *path, const char *file, unsigned wanted,
                      ConfigIssues *issues)
{
    _cleanup_free_ char *way = strdup(path);
    struct stat st;

    for (char *p = way ? strchr(way + 1, '/') : NULL; p; p = strchr(p + 1, '/')) {
        bool open;

        *p = 0;
        open = reader_may(reader, way, X_OK, &st);
        if (!open)
            warn(reader, file, way, &st, X_OK, issues);
        *p = '/';
        if (!open)
            return false;
    }
    if (way && !reader_may(reader, way, wanted, &st)) {
        warn(reader, file, way, &st, wanted, issues);
        return false;
    }
    return true;
}

static bool check_path(const Reader *reader, const char *path, unsigned wanted,
                       ConfigIssues *issues)
{
    _cleanup_free_ char *real = realpath(path, NULL);

    if (!check_way(reader, path, path, wanted, issues))
        return false;
    return !real || strcmp(real, path) == 0 || check_way(reader, real, path, wanted, issues);
}

/* The folders NAME.conf.d, in which the manager looks for drop-ins. 0 or -ENOMEM. */
static int check_folders(const Reader *reader, const char *folders, const char *pool,
                         ConfigIssues *issues)
{
    _cleanup_free_ char *copy = strdup(folders);
    char *state = NULL;

    if (!copy)
        return -ENOMEM;
    for (char *f = strtok_r(copy, ":", &state); f; f = strtok_r(NULL, ":", &state)) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s.conf.d", f, pool) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        if (access(path, F_OK) == 0)
            check_path(reader, path, R_OK | X_OK, issues);
    }
    return 0;
}

int readable_check(const char *folders, const char *user, const PoolConfig *c, ConfigIssues *issues)
{
    _cleanup_(config_files_done) ConfigFiles files = {0};
    Reader reader;
    int r;

    if (!reader_find(user, &reader))
        return 0;
    r = check_folders(&reader, folders, c->name, issues);
    if (r == 0)
        r = config_find_files(folders, c->name, &files);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    check_path(&reader, files.path, R_OK, issues);
    for (size_t i = 0; i < files.n_dropins; i++)
        check_path(&reader, files.dropins[i], R_OK, issues);
    /* And what these include. */
    for (size_t i = 0; i < c->n_files; i++) {
        bool is_known = strcmp(c->files[i], files.path) == 0;

        for (size_t k = 0; k < files.n_dropins; k++)
            is_known |= strcmp(c->files[i], files.dropins[k]) == 0;
        if (!is_known)
            check_path(&reader, c->files[i], R_OK, issues);
    }
    return 0;
}
