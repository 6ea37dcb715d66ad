#include "unit/private.h"

#include <errno.h>
#include <string.h>

typedef enum PathUse {
    USE_READ,
    USE_TREE, /* code with data: written to as far as its owner lets, but never the system's own */
    USE_WRITE,
    USE_FILE, /* a file that may have to be made: the folder is what counts */
} PathUse;

/* How a value holds its paths. */
typedef enum PathForm {
    FORM_ONE,
    FORM_LIST,    /* colons between */
    FORM_SESSION, /* N;MODE;PATH, of session.save_path */
} PathForm;

/* Settings of php.ini that name paths. */
static const struct {
    const char *key;
    PathUse use;
    PathForm form;
    bool before_chroot; /* the template reads it while it starts */
} settings[] = {
    {"doc_root", USE_TREE, FORM_ONE, false},
    {"open_basedir", USE_TREE, FORM_LIST, false},
    {"include_path", USE_READ, FORM_LIST, false},
    {"auto_prepend_file", USE_READ, FORM_ONE, false},
    {"auto_append_file", USE_READ, FORM_ONE, false},
    {"session.save_path", USE_WRITE, FORM_SESSION, false},
    {"upload_tmp_dir", USE_WRITE, FORM_ONE, false},
    {"sys_temp_dir", USE_WRITE, FORM_ONE, false},
    {"error_log", USE_FILE, FORM_ONE, false},
    {"mail.log", USE_FILE, FORM_ONE, false},
    {"soap.wsdl_cache_dir", USE_WRITE, FORM_ONE, false},
    {"xdebug.output_dir", USE_WRITE, FORM_ONE, false},
    {"xdebug.log", USE_FILE, FORM_ONE, false},
    {"curl.cainfo", USE_READ, FORM_ONE, false},
    {"openssl.cafile", USE_READ, FORM_ONE, false},
    {"openssl.capath", USE_READ, FORM_ONE, false},
    {"opcache.file_cache", USE_WRITE, FORM_ONE, true},
    {"opcache.error_log", USE_FILE, FORM_ONE, true},
    {"opcache.preload", USE_READ, FORM_ONE, true},
    {"opcache.blacklist_filename", USE_READ, FORM_ONE, true},
    {"ffi.preload", USE_READ, FORM_ONE, true},
    {"browscap", USE_READ, FORM_ONE, true},
    {"extension_dir", USE_READ, FORM_ONE, true},
    {"extension", USE_READ, FORM_ONE, true},
    {"zend_extension", USE_READ, FORM_ONE, true},
};

static const char *const env_names[] = {"TMPDIR", "TMP", "TEMP"};

typedef struct Collector {
    const PoolConfig *config;
    ConfigIssues *issues;
    PathWants wants;
} Collector;

void path_wants_done(PathWants *wants)
{
    for (size_t i = 0; i < wants->n; i++)
        free(wants->items[i].path);
    free(wants->items);
    *wants = (PathWants){0};
}

bool path_is_below(const char *path, const char *root)
{
    size_t n = strlen(root);

    return strncmp(path, root, n) == 0 && (path[n] == 0 || path[n] == '/' || root[n - 1] == '/');
}

/* Without double slashes, "." and ".."; in place. */
static void simplify(char *path)
{
    char *out = path, *state = NULL;
    _cleanup_free_ char *copy = strdup(path);

    if (!copy)
        return;
    for (char *part = strtok_r(copy, "/", &state); part; part = strtok_r(NULL, "/", &state)) {
        if (strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0) {
            while (out > path && *--out != '/')
                ;
            continue;
        }
        *out++ = '/';
        out = stpcpy(out, part);
    }
    if (out == path)
        *out++ = '/';
    *out = 0;
}

/* The kernel's own; folders of the system, unless they are named to be written to; a relative log
 * file, which the default prefix put below /usr. There is nothing to widen. */
static bool is_left_alone(const char *path, PathUse use)
{
    static const char *const kernel[] = {"/dev", "/proc", "/sys"};
    static const char *const system[] = {"/usr", "/etc",   "/bin", "/sbin",
                                         "/lib", "/lib64", "/boot"};

    if (strcmp(path, "/") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(kernel); i++)
        if (path_is_below(path, kernel[i]))
            return true;
    for (size_t i = 0; (use == USE_TREE || use == USE_FILE) && i < ARRAY_SIZE(system); i++)
        if (path_is_below(path, system[i]))
            return true;
    return false;
}

/* PrivateTmp= makes these anew for each pool. */
static bool is_private_tmp(const char *path)
{
    return path_is_below(path, "/tmp") || path_is_below(path, "/var/tmp");
}

/* Only unit.… means the folder of the machine: everything else names the pool's own, about which a
 * unit has nothing to say. */
static bool is_own_tmp(Collector *k, const char *directive, const char *path)
{
    if (!is_private_tmp(path) || strncmp(directive, "unit.", strlen("unit.")) == 0)
        return false;
    if (path_is_below(path, "/tmp/") || path_is_below(path, "/var/tmp/"))
        unit_issue(k->issues, CONFIG_WARNING, k->config, directive,
                   "%s is in the private %s of the pool, which no other service sees and which is "
                   "empty at a start; unit.read_write_paths = %s shows the one of the machine",
                   path, path[1] == 't' ? "/tmp" : "/var/tmp", path);
    return true;
}

/* base: the root folder before the path, NULL: none. Relative paths are passed over. */
static int add(Collector *k, const char *base, const char *text, size_t n, PathUse use,
               const char *directive)
{
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_free_ char *path = NULL;
    PathWant *grown;
    int r = 0;

    if (n == 0 || text[0] != '/')
        return 0;
    if (base)
        r = buffer_append(&b, base, strlen(base));
    if (r == 0)
        r = buffer_append(&b, text, n);
    path = r == 0 ? buffer_steal(&b) : NULL;
    if (!path)
        return -ENOMEM;
    simplify(path);
    if (use == USE_FILE)
        *MAX(strrchr(path, '/'), path + 1) = 0;
    if (is_left_alone(path, use))
        return 0;
    if (!unit_can_say(path)) {
        unit_issue(k->issues, CONFIG_ERROR, k->config, directive,
                   "a path with control characters cannot be given to systemd, expected "
                   "another path");
        return 0;
    }
    if (is_own_tmp(k, directive, path))
        return 0;
    grown = reallocarray(k->wants.items, k->wants.n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    k->wants.items = grown;
    grown[k->wants.n++] = (PathWant){TAKE_PTR(path), use != USE_READ, directive};
    return 0;
}

static int add_text(Collector *k, const char *base, const char *text, PathUse use,
                    const char *directive)
{
    return text ? add(k, base, text, strlen(text), use, directive) : 0;
}

static int add_list(Collector *k, const char *base, const char *text, size_t n, PathUse use,
                    const char *directive)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i <= n;) {
        const char *colon = memchr(text + i, ':', n - i);
        size_t length = colon ? (size_t)(colon - text) - i : n - i;

        r = add(k, base, text + i, length, use, directive);
        i += length + 1;
    }
    return r;
}

static int add_words(Collector *k, const WordList *words, PathUse use, const char *directive)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < words->n; i++)
        r = add_text(k, NULL, words->items[i], use, directive);
    return r;
}

/* The text of a value of php.ini without quotes and outer blanks; NULL: no memory, "" when it has a
 * variable, whose value is known to PHP alone. */
static char *unquote(const char *text)
{
    char *clean = malloc(strlen(text) + 1), *out = clean, quote = 0;

    if (!clean)
        return NULL;
    for (const char *p = text + strspn(text, " \t"); *p; p++) {
        if (quote ? *p == quote : *p == '"' || *p == '\'')
            quote = quote ? 0 : *p;
        else if (quote == '"' && *p == '\\' && p[1] && strchr("\"\\$", p[1]))
            *out++ = *++p;
        else if (*p == '$' && p[1] == '{' && quote != '\'') {
            *clean = 0;
            return clean;
        } else
            *out++ = *p;
    }
    while (out > clean && (out[-1] == ' ' || out[-1] == '\t'))
        out--;
    *out = 0;
    return clean;
}

static int add_setting(Collector *k, const IniSetting *setting, size_t i)
{
    const char *base = settings[i].before_chroot ? NULL : k->config->chroot;
    _cleanup_free_ char *text = unquote(setting->text);
    const char *last = text ? strrchr(text, ';') : NULL;

    if (!text)
        return -ENOMEM;
    if (settings[i].form == FORM_LIST)
        return add_list(k, base, text, strlen(text), settings[i].use, settings[i].key);
    return add_text(k, base, settings[i].form == FORM_SESSION && last ? last + 1 : text,
                    settings[i].use, settings[i].key);
}

static int collect_settings(Collector *k)
{
    const PoolConfig *c = k->config;
    int r = 0;

    for (size_t n = 0; r == 0 && n < c->n_ini; n++)
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(settings); i++)
            if (strcmp(c->ini[n].key, settings[i].key) == 0)
                r = add_setting(k, &c->ini[n], i);
    for (size_t n = 0; r == 0 && n < c->n_env; n++)
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(env_names); i++)
            if (strcmp(c->env[n].name, env_names[i]) == 0)
                r = add_text(k, c->chroot, c->env[n].value, USE_WRITE, "env");
    return r;
}

static int collect_directives(Collector *k)
{
    const PoolConfig *c = k->config;
    int r = add_text(k, NULL, c->chroot, USE_TREE, "chroot");

    if (r == 0)
        r = add_text(k, c->chroot, c->chdir, USE_TREE, "chdir");
    if (r == 0)
        r = add_text(k, NULL, c->php_ini, USE_READ, "php_ini");
    if (r == 0 && c->php_ini_scan_dir)
        r = add_list(k, NULL, c->php_ini_scan_dir, strlen(c->php_ini_scan_dir), USE_READ,
                     "php_ini_scan_dir");
    if (r == 0 && !config_access_log_is_journal(c))
        r = add_text(k, NULL, c->access_log, USE_FILE, "access.log");
    if (r == 0 && c->slowlog_timeout_usec > 0)
        r = add_text(k, NULL, c->slowlog, USE_FILE, "slowlog");
    if (r == 0)
        r = add_words(k, &c->unit_read_write_paths, USE_WRITE, "unit.read_write_paths");
    if (r == 0)
        r = add_words(k, &c->unit_read_only_paths, USE_READ, "unit.read_only_paths");
    return r;
}

/* Parents before children; of the same path, the one that is written to first. */
static int compare(const void *a, const void *b)
{
    const PathWant *x = a, *y = b;
    int r = strcmp(x->path, y->path);

    return r != 0 ? r : (int)y->write - (int)x->write;
}

static bool is_covered(const PathWants *wants, const PathWant *want)
{
    for (size_t i = 0; i < wants->n; i++)
        if (path_is_below(want->path, wants->items[i].path) &&
            (wants->items[i].write || !want->write) &&
            is_private_tmp(want->path) == is_private_tmp(wants->items[i].path))
            return true;
    return false;
}

int path_wants_make(const PoolConfig *c, ConfigIssues *issues, PathWants *ret)
{
    Collector k = {.config = c, .issues = issues};
    PathWants kept = {0};
    int r = collect_directives(&k);

    if (r == 0)
        r = collect_settings(&k);
    if (r < 0) {
        path_wants_done(&k.wants);
        return r;
    }
    if (k.wants.n > 0)
        qsort(k.wants.items, k.wants.n, sizeof(*k.wants.items), compare);
    kept.items = k.wants.items;
    for (size_t i = 0; i < k.wants.n; i++) {
        PathWant want = k.wants.items[i];

        if (is_covered(&kept, &want))
            free(want.path);
        else
            kept.items[kept.n++] = want;
    }
    *ret = kept;
    return 0;
}
