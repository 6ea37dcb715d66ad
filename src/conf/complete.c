#include "base/buffer.h"
#include "conf/complete.h"
#include "conf/value.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

#define PREFIX_DEFAULT "/usr"
#define PREFIX_WORD    "$prefix"

/* With one "/" between. */
static char *join(const char *prefix, const char *path)
{
    size_t n = strlen(prefix);
    char *joined;

    while (n > 0 && prefix[n - 1] == '/')
        n--;
    path += strspn(path, "/");
    joined = malloc(n + strlen(path) + 2);
    if (joined)
        stpcpy(stpcpy(mempcpy(joined, prefix, n), "/"), path);
    return joined;
}

/* Nobody writes a relative path to mean a folder of the distribution. */
static void warn_of_default(const PoolConfig *c, const char *label, const char *path,
                            const char *completed, const Reporter *there)
{
    if (path == c->prefix)
        report(there, CONFIG_WARNING, label, "'%.100s' is relative, so it means %.200s", path,
               completed);
    else if (!c->prefix)
        report(there, CONFIG_WARNING, label,
               "'%.100s' is relative and there is no prefix, so it means %.200s", path, completed);
}

static int complete_text(PoolConfig *c, char **path, const char *prefix, const char *directive,
                         const Reporter *r)
{
    Reporter there = reporter_at(r, c, directive);
    char *completed;

    if (!*path || (*path)[0] == '/')
        return 0;
    completed = join(prefix, *path);
    if (!completed)
        return -ENOMEM;
    warn_of_default(c, directive, *path, completed, &there);
    free(*path);
    *path = completed;
    return 0;
}

static int complete_chroot(PoolConfig *c, const char *prefix, const Reporter *r)
{
    const char *word = c->chroot ? strstr(c->chroot, PREFIX_WORD) : NULL;
    Reporter there = reporter_at(r, c, "chroot");
    char *completed;

    if (!word)
        return complete_text(c, &c->chroot, prefix, "chroot", r);
    if (word != c->chroot) {
        report(&there, CONFIG_ERROR, "chroot",
               "'%.100s' has " PREFIX_WORD " in its midst, expected it at the start", c->chroot);
        return 0;
    }
    word += strlen(PREFIX_WORD);
    completed = *word ? join(prefix, word) : strdup(prefix);
    if (!completed)
        return -ENOMEM;
    free(c->chroot);
    c->chroot = completed;
    return 0;
}

static int complete_addresses(PoolConfig *c, ListenAddress *list, size_t n, const char *prefix,
                              const char *directive, const Reporter *r)
{
    Reporter there = reporter_at(r, c, directive);
    const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

    for (size_t i = 0; i < n; i++) {
        char *completed;

        if (list[i].kind != LISTEN_UNIX)
            continue;
        if (list[i].path[0] == '/') {
            listen_simplify_path(list[i].path);
            continue;
        }
        completed = join(prefix, list[i].path);
        if (!completed)
            return -ENOMEM;
        listen_simplify_path(completed);
        warn_of_default(c, directive, list[i].path, completed, &there);
        if (strlen(completed) > room)
            report(&there, CONFIG_ERROR, directive,
                   "'%.200s' is too long for a socket, expected at most %zu bytes", completed,
                   room);
        free(list[i].path);
        list[i].path = completed;
    }
    return 0;
}

/* A raw text of php.ini syntax: parts in quotes and without side by side are one text. */
static int prepend_raw(char **raw, const char *prefix)
{
    _cleanup_buffer_ Buffer b = {0};
    char *text;
    int k = buffer_append(&b, "\"", 1);

    for (const char *p = strcmp(prefix, "/") == 0 ? "" : prefix; k == 0 && *p; p++)
        k = strchr("\"\\$", *p) ? buffer_printf(&b, "\\%c", *p) : buffer_append(&b, p, 1);
    if (k == 0)
        k = buffer_append(&b, "/\"", 2);
    if (k == 0)
        k = buffer_append(&b, *raw, strlen(*raw));
    text = k == 0 ? buffer_steal(&b) : NULL;
    if (!text)
        return -ENOMEM;
    free(*raw);
    *raw = text;
    return 0;
}

static bool is_path_setting(const char *key)
{
    /* Those of PHP-FPM 8.2. */
    static const char *const keys[] = {
        "error_log",
        "extension_dir",
        "mime_magic.magicfile",
        "sendmail_path",
        "session.cookie_path",
        "session_pgsql.sem_file_name",
        "soap.wsdl_cache_dir",
        "uploadprogress.file.filename_template",
        "xdebug.output_dir",
        "xdebug.profiler_output_dir",
        "xdebug.trace_output_dir",
        "xmms.path",
        "axis2.client_home",
        "blenc.key_file",
        "coin_acceptor.device",
    };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static int complete_ini(PoolConfig *c, IniSetting *s, const char *prefix, const Reporter *r)
{
    Slice raw = {s->text, strlen(s->text)};
    _cleanup_free_ char *text = NULL, *completed = NULL, *label = NULL;
    Reporter there = *r;
    const char *error;
    int k;

    if ((s->kind != INI_VALUE && s->kind != INI_ADMIN_VALUE) || !is_path_setting(s->key) ||
        value_bare_word(raw))
        return 0;
    k = value_expand(raw, &text, &error);
    if (k < 0)
        return k == -ENOMEM ? k : 0; /* an expression, which only PHP can compute */
    if (!text[0] || text[0] == '/' || (strcmp(s->key, "error_log") == 0 && !strcmp(text, "syslog")))
        return 0;
    completed = join(prefix, text);
    label = setting_label(ini_kind_to_string(s->kind), (Slice){s->key, strlen(s->key)});
    if (!completed || !label)
        return -ENOMEM;
    there.file = s->file;
    there.line = s->line;
    warn_of_default(c, label, text, completed, &there);
    return prepend_raw(&s->text, prefix);
}

int complete_paths(PoolConfig *c, const Reporter *r)
{
    const char *prefix;
    int k = complete_text(c, &c->prefix, PREFIX_DEFAULT, "prefix", r);

    for (size_t n = c->prefix ? strlen(c->prefix) : 0; n > 1 && c->prefix[n - 1] == '/'; n--)
        c->prefix[n - 1] = 0;
    prefix = c->prefix ? c->prefix : PREFIX_DEFAULT;
    if (k == 0)
        k = complete_chroot(c, prefix, r);
    if (k == 0)
        k = complete_text(c, &c->chdir, prefix, "chdir", r);
    if (k == 0 && !config_access_log_is_journal(c))
        k = complete_text(c, &c->access_log, prefix, "access.log", r);
    if (k == 0)
        k = complete_text(c, &c->slowlog, prefix, "slowlog", r);
    if (k == 0)
        k = complete_addresses(c, c->listen, c->n_listen, prefix, "listen", r);
    if (k == 0)
        k = complete_addresses(c, c->status_listen, c->n_status_listen, prefix, "pm.status_listen",
                               r);
    for (size_t i = 0; k == 0 && i < c->n_ini && !c->chroot; i++)
        k = complete_ini(c, &c->ini[i], prefix, r);
    return k;
}
