#include "ctl/compare.h"

#include "sandbox/needs.h"
#include "unit/wants.h"

#include <stdlib.h>
#include <string.h>

#define SHELL "/bin/sh"

/* Settings of PHP in a pool file that are paths which workers read or write. */
static const struct {
    const char *key;
    bool is_written;
} settings[] = {
    {"session.save_path", true}, {"upload_tmp_dir", true},     {"sys_temp_dir", true},
    {"error_log", true},         {"opcache.file_cache", true}, {"soap.wsdl_cache_dir", true},
    {"opcache.preload", false},  {"auto_prepend_file", false}, {"auto_append_file", false},
    {"doc_root", false},
};

/* Below one of the list as it is written, or as links lead. Below chroot links lead elsewhere. */
static bool is_covered(const PoolConfig *c, const char *path, const WordList *list)
{
    _cleanup_free_ char *real = c->chroot ? NULL : realpath(path, NULL);

    for (size_t i = 0; i < list->n && !config_list_is_none(list); i++) {
        const char *root = list->items[i] + (list->items[i][0] == '-');
        _cleanup_free_ char *real_root = c->chroot ? NULL : realpath(root, NULL);

        if (path_is_below(path, root) || (real && real_root && path_is_below(real, real_root)))
            return true;
    }
    return false;
}

static bool is_needed(const char *path, bool is_written)
{
    size_t n;
    const Need *table = needs(&n);

    for (size_t i = 0; i < n; i++)
        if ((table[i].right == NEED_SCRATCH || table[i].right == NEED_DEVICE ||
             (table[i].right == NEED_READ && !is_written)) &&
            path_is_below(path, table[i].path))
            return true;
    return false;
}

static bool may(const PoolConfig *c, const char *path, bool is_written)
{
    if (is_needed(path, is_written) || is_covered(c, path, &c->sandbox_write))
        return true;
    return !is_written && is_covered(c, path, &c->sandbox_read);
}

/* What a setting of PHP names, without its quotes; NULL: no absolute path. The caller frees. */
static char *path_of(const IniSetting *s)
{
    const char *text = s->text + strspn(s->text, " \t\"'"), *last;
    size_t n = strcspn(text, " \t\"'");

    /* "2;0700;/path": levels of folders and the mode before it. */
    last = strcmp(s->key, "session.save_path") == 0 ? memrchr(text, ';', n) : NULL;
    if (last) {
        n -= (size_t)(last + 1 - text);
        text = last + 1;
    }
    return n > 0 && *text == '/' ? strndup(text, n) : NULL;
}

/* The sessions of other handlers are no files. */
static bool has_other_sessions(const PoolConfig *c)
{
    for (size_t i = 0; i < c->n_ini; i++)
        if (strcmp(c->ini[i].key, "session.save_handler") == 0 && !strstr(c->ini[i].text, "files"))
            return true;
    return false;
}

static void check_setting(const PoolConfig *c, const IniSetting *s, bool is_written,
                          ConfigIssues *issues)
{
    const char *list = is_written ? "sandbox.write" : "sandbox.read";
    _cleanup_free_ char *path = path_of(s);

    if (!path || may(c, path, is_written))
        return;
    /* Preloading happens before the root is changed. */
    if (c->chroot && strcmp(s->key, "opcache.preload") == 0)
        return;
    unit_issue(issues, CONFIG_WARNING, c, s->key,
               "%s is outside of %s, so PHP will be denied to %s it; expected it in that list",
               path, list, is_written ? "write" : "read");
}

static void check_shell(const PoolConfig *c, ConfigIssues *issues)
{
    const WordList *list = &c->sandbox_exec_paths;

    if (list->n == 0 || config_list_is_none(list) || is_covered(c, SHELL, list))
        return;
    config_issues_add_at(issues, CONFIG_WARNING, c, "sandbox.exec_paths",
                         "exec(), system(), popen() and mail() start programs by " SHELL
                         ", which is not in the list; expected it there, or none");
}

void grants_check(const PoolConfig *c, ConfigIssues *issues)
{
    for (size_t i = 0; i < c->n_ini; i++)
        for (size_t k = 0; k < ARRAY_SIZE(settings); k++) {
            const WordList *list = settings[k].is_written ? &c->sandbox_write : &c->sandbox_read;

            if (strcmp(c->ini[i].key, settings[k].key) != 0 || list->n == 0)
                continue;
            if (k == 0 && has_other_sessions(c))
                continue;
            check_setting(c, &c->ini[i], settings[k].is_written, issues);
        }
    if (c->chdir && c->sandbox_read.n > 0 && !may(c, c->chdir, false))
        config_issues_add_at(issues, CONFIG_WARNING, c, "chdir",
                             "%s is outside of sandbox.read: scripts stand there and are denied to "
                             "read it; expected it in that list",
                             c->chdir);
    check_shell(c, issues);
}
