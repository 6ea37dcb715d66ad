#include "ctl/compare.h"
#include "ctl/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/var/log/fpmd"

/* What keeps the user from writing to the file: a folder, or the file itself; what names it. NULL:
 * nothing does. */
static const char *find_obstacle(const Reader *reader, char *path, bool *ret_is_folder)
{
    char *slash = strrchr(path, '/');
    struct stat st;
    bool is_there = stat(path, &st) == 0;

    *ret_is_folder = true;
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        /* Making a file is writing to its folder. */
        unsigned wanted = p == slash && !is_there ? W_OK | X_OK : X_OK;
        bool may;

        *p = 0;
        may = stat(path, &st) == 0 && reader_may(reader, path, wanted, &st);
        if (!may)
            return path;
        *p = '/';
    }
    *ret_is_folder = false;
    return is_there && !reader_may(reader, path, W_OK, &st) ? path : NULL;
}

/* 0 or -ENOMEM. */
static int check_log(const Reader *reader, const PoolConfig *c, const char *directive,
                     const char *path, ConfigSeverity severity, ConfigIssues *issues)
{
    _cleanup_free_ char *copy = strdup(path);
    const char *obstacle;
    bool is_folder, is_there;

    if (!copy)
        return -ENOMEM;
    obstacle = find_obstacle(reader, copy, &is_folder);
    if (!obstacle)
        return 0;
    is_there = access(obstacle, F_OK) == 0;
    config_issues_add_at(
        issues, severity, c, directive,
        "the manager's user %s cannot write %s (%s %s), and a start or reload of the pool fails, "
        "expected a file below " FOLDER ", or: %s %s %s",
        reader->name, path, obstacle, is_there ? "does not let it" : "does not exist",
        is_folder ? "install -d -m 2750 -o" : "chown", reader->name, obstacle);
    return 0;
}

int logs_check(const char *user, const PoolConfig *c, ConfigSeverity severity, ConfigIssues *issues)
{
    Reader reader;
    int r = 0;

    if (!reader_find(user, &reader))
        return 0;
    if (c->access_log && !config_access_log_is_journal(c))
        r = check_log(&reader, c, "access.log", c->access_log, severity, issues);
    if (r == 0 && c->slowlog && c->slowlog_timeout_usec > 0)
        r = check_log(&reader, c, "slowlog", c->slowlog, severity, issues);
    return r;
}
