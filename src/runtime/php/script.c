#include "runtime/php/script.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const names[] = {
    [SCRIPT_FILENAME] = "SCRIPT_FILENAME",
    [SCRIPT_PATH_TRANSLATED] = "PATH_TRANSLATED",
    [SCRIPT_PATH_INFO] = "PATH_INFO",
    [SCRIPT_NAME] = "SCRIPT_NAME",
    [SCRIPT_SERVER_SOFTWARE] = "SERVER_SOFTWARE",
    [SCRIPT_REDIRECT_URL] = "REDIRECT_URL",
    [SCRIPT_DOCUMENT_ROOT] = "DOCUMENT_ROOT",
    [SCRIPT_ORIG_FILENAME] = "ORIG_SCRIPT_FILENAME",
    [SCRIPT_ORIG_PATH_TRANSLATED] = "ORIG_PATH_TRANSLATED",
    [SCRIPT_ORIG_PATH_INFO] = "ORIG_PATH_INFO",
    [SCRIPT_ORIG_NAME] = "ORIG_SCRIPT_NAME",
};

const char *script_variable_to_string(ScriptVariable v)
{
    return (size_t)v < ARRAY_SIZE(names) ? names[v] : NULL;
}

/* What the rules work on: the script with the values it had before they began. */
typedef struct Resolve {
    Script *s;
    const ScriptRules *rules;
    const char *script;
    const char *name; /* the coming SCRIPT_NAME */
    const char *orig_filename, *orig_path_translated, *orig_path_info, *orig_name;
    bool apache; /* mod_proxy_fcgi: SCRIPT_FILENAME had its prefix */
    bool no_memory;
} Resolve;

static void set(Script *s, ScriptVariable v, const char *value)
{
    s->values[v] = value;
    if (!(s->changed & 1u << v))
        s->order[s->n_order++] = v;
    s->changed |= 1u << v;
}

/* A copy of n bytes that lives as long as the script; "" and no_memory when there is none. */
static const char *keep(Resolve *r, const char *text, size_t n)
{
    char *copy = r->s->n_owned < ARRAY_SIZE(r->s->owned) ? strndup(text, n) : NULL;

    if (!copy) {
        r->no_memory = true;
        return "";
    }
    r->s->owned[r->s->n_owned++] = copy;
    return copy;
}

static const char *keep_joined(Resolve *r, const char *head, size_t n, const char *tail)
{
    char *text = NULL;

    if (r->s->n_owned >= ARRAY_SIZE(r->s->owned) ||
        asprintf(&text, "%.*s%s", (int)n, head, tail) < 0) {
        r->no_memory = true;
        return "";
    }
    r->s->owned[r->s->n_owned++] = text;
    return text;
}

/* IIS puts the script's name in front of PATH_INFO. */
static void fix_iis(Script *s)
{
    static const char iis[] = "Microsoft-IIS";
    const char *software = s->values[SCRIPT_SERVER_SOFTWARE];
    const char *name = s->values[SCRIPT_NAME], *info = s->values[SCRIPT_PATH_INFO];

    if (!software || !name || !info || strncmp(software, iis, sizeof(iis) - 1) != 0 ||
        strncmp(info, name, strlen(name)) != 0)
        return;
    set(s, SCRIPT_ORIG_PATH_INFO, info);
    info += strlen(name);
    set(s, SCRIPT_PATH_INFO, *info ? info : NULL);
}

/*
 * Apache's mod_proxy_fcgi sends proxy:fcgi://host:port/path?query as SCRIPT_FILENAME,
 * mod_proxy_balancer the same with its own prefix (bugs.php.net/54152).
 */
static void fix_apache(Resolve *r)
{
    static const char *const prefixes[] = {"proxy:fcgi://", "proxy:balancer://"};
    const char *filename = r->s->values[SCRIPT_FILENAME], *path;

    for (size_t i = 0; filename && i < ARRAY_SIZE(prefixes); i++) {
        size_t n = strlen(prefixes[i]);

        if (strncasecmp(filename, prefixes[i], n) != 0)
            continue;
        path = strchr(filename + n, '/');
        r->apache = path;
        path = path ? path : filename;
        path = keep(r, path, strcspn(path, "?"));
        set(r->s, SCRIPT_FILENAME, path);
        r->script = path;
        return;
    }
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Whether the end of text is the tail, or the tail with its %XX decoded; *ret_size: of that end. */
static bool ends_in_path(const char *text, const char *tail, size_t *ret_size)
{
    size_t n_text = strlen(text), n = 0;
    _cleanup_free_ char *decoded = malloc(strlen(tail) + 1);

    if (!decoded)
        return false;
    for (const char *p = tail; *p; p++) {
        if (*p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
            decoded[n++] = (char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
            p += 2;
        } else
            decoded[n++] = *p;
    }
    if (n_text <= n || memcmp(text + n_text - n, decoded, n) != 0)
        return false;
    *ret_size = n;
    return true;
}

/* SCRIPT_NAME becomes name, what it was stays in ORIG_SCRIPT_NAME. */
static void set_name(Resolve *r, const char *name)
{
    if (r->orig_name && name && strcmp(r->orig_name, name) == 0) {
        r->s->uri = r->orig_name;
        return;
    }
    if (r->orig_name)
        set(r->s, SCRIPT_ORIG_NAME, r->orig_name);
    set(r->s, SCRIPT_NAME, name);
    r->s->uri = name;
}

/* Splits what follows the file (tail, at the end of the script's path) from the variables. */
static void split_path_info(Resolve *r, const char *tail)
{
    const char *info = r->s->values[SCRIPT_PATH_INFO], *name = r->name;
    size_t n_tail = strlen(tail), n_info = info ? strlen(info) : 0, n_end;

    if (r->apache) {
        if (n_tail == 0 || (info && strcmp(info, tail) == 0))
            return;
        /* Apache sends no PATH_INFO, its SCRIPT_NAME has the tail too. */
        if (info) {
            set(r->s, SCRIPT_ORIG_PATH_INFO, info);
            set_name(r, info);
        } else if (name && ends_in_path(name, tail, &n_end)) {
            set(r->s, SCRIPT_ORIG_NAME, r->orig_name);
            r->name = keep(r, name, strlen(name) - n_end);
            set(r->s, SCRIPT_NAME, r->name);
            r->s->uri = r->name;
        }
        set(r->s, SCRIPT_PATH_INFO, keep(r, tail, n_tail));
        return;
    }
    /* Only a PATH_INFO longer than the tail has a head to cut off: anything else would index
     * before its start (CVE-2019-11043). */
    if (!info || n_info <= n_tail)
        return;
    set(r->s, SCRIPT_ORIG_PATH_INFO, info);
    set_name(r, keep(r, info, n_info - n_tail));
    set(r->s, SCRIPT_PATH_INFO, info + n_info - n_tail);
}

/* PATH_TRANSLATED is where PATH_INFO would be below the document root. */
static void set_path_translated(Resolve *r, const char *file)
{
    const char *root = r->s->values[SCRIPT_DOCUMENT_ROOT];
    const char *info = r->s->values[SCRIPT_PATH_INFO];
    size_t n;

    info = info ? info : "";
    if (root) {
        n = strlen(root);
        if (n > 0 && root[n - 1] == '/')
            n--;
        if (r->orig_path_translated)
            set(r->s, SCRIPT_ORIG_PATH_TRANSLATED, r->orig_path_translated);
        set(r->s, SCRIPT_PATH_TRANSLATED, keep_joined(r, root, n, info));
    } else if (r->name && strstr(file, r->name)) {
        n = strlen(file) - strlen(r->name);
        if (r->orig_path_translated)
            set(r->s, SCRIPT_ORIG_PATH_TRANSLATED, r->orig_path_translated);
        set(r->s, SCRIPT_PATH_TRANSLATED, keep_joined(r, file, n, info));
    }
}

/* Cuts components off the path's end until a file is there. Returns its length, or 0. */
static size_t find_file(Resolve *r, char *path)
{
    for (;;) {
        char *cut = strrchr(path, '/');

        if (!cut)
            cut = strrchr(path, '\\');
        if (!cut)
            return 0;
        *cut = 0;
        if (*path && r->rules->is_file(path))
            return strlen(path);
    }
}

static void fix_missing(Resolve *r)
{
    char *path = strdup(r->script);
    size_t n;

    if (!path || r->s->n_owned >= ARRAY_SIZE(r->s->owned)) {
        free(path);
        r->no_memory = true;
        return;
    }
    r->s->owned[r->s->n_owned++] = path;
    n = find_file(r, path);
    if (n > 0) {
        split_path_info(r, r->script + n);
        if (!r->orig_filename || strcmp(r->orig_filename, path) != 0) {
            if (r->orig_filename)
                set(r->s, SCRIPT_ORIG_FILENAME, r->orig_filename);
            set(r->s, SCRIPT_FILENAME, path);
            r->script = path;
        }
        set_path_translated(r, path);
    } else {
        if (r->orig_filename)
            set(r->s, SCRIPT_ORIG_FILENAME, r->orig_filename);
        set(r->s, SCRIPT_FILENAME, NULL);
        r->script = NULL;
    }
    if (!r->s->uri)
        set_name(r, r->name);
}

static void fix_found(Resolve *r)
{
    if (!r->orig_filename || strcmp(r->script, r->orig_filename) != 0) {
        if (r->orig_filename)
            set(r->s, SCRIPT_ORIG_FILENAME, r->orig_filename);
        set(r->s, SCRIPT_FILENAME, r->script);
    }
    if (!r->apache && r->s->values[SCRIPT_REDIRECT_URL]) {
        if (r->orig_path_info) {
            set(r->s, SCRIPT_ORIG_PATH_INFO, r->orig_path_info);
            set(r->s, SCRIPT_PATH_INFO, NULL);
        }
        if (r->orig_path_translated) {
            set(r->s, SCRIPT_ORIG_PATH_TRANSLATED, r->orig_path_translated);
            set(r->s, SCRIPT_PATH_TRANSLATED, NULL);
        }
    }
    if (r->name != r->orig_name) {
        if (r->orig_name)
            set(r->s, SCRIPT_ORIG_NAME, r->orig_name);
        set(r->s, SCRIPT_NAME, r->name);
    }
    r->s->uri = r->name;
}

static void fix_path_info(Resolve *r)
{
    const char *root = r->rules->doc_root;
    const char *translated = r->s->values[SCRIPT_PATH_TRANSLATED];
    const char *redirect = r->s->values[SCRIPT_REDIRECT_URL];
    size_t n;

    r->orig_filename = r->s->values[SCRIPT_FILENAME];
    r->orig_path_translated = translated;
    r->orig_path_info = r->s->values[SCRIPT_PATH_INFO];
    r->orig_name = r->name = r->s->values[SCRIPT_NAME];
    if (!r->s->values[SCRIPT_DOCUMENT_ROOT] && root && *root)
        set(r->s, SCRIPT_DOCUMENT_ROOT, root);

    /* Apache's Action directive: script and name are those of the handler, the page is elsewhere.
     */
    if (!r->apache && translated && redirect && strcmp(translated, r->script) != 0) {
        r->script = translated;
        r->name = redirect;
    }
    n = strlen(r->script);
    if (n > 0 && (r->script[n - 1] == '/' || !r->rules->exists(r->script)))
        fix_missing(r);
    else
        fix_found(r);
}

static bool has_parent_component(const char *path)
{
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (p[0] == '.' && p[1] == '.' && (p[2] == 0 || p[2] == '/'))
            return true;
    }
    return false;
}

int script_resolve(Script *s, const char *const given[_SCRIPT_VARIABLE_MAX],
                   const ScriptRules *rules)
{
    Resolve r = {.s = s, .rules = rules};

    *s = (Script){0};
    memcpy(s->values, given, sizeof(s->values));
    r.script = given[SCRIPT_FILENAME] ? given[SCRIPT_FILENAME] : given[SCRIPT_PATH_TRANSLATED];
    if (!r.script)
        return 0;
    fix_iis(s);
    fix_apache(&r);
    if (rules->fix_pathinfo)
        fix_path_info(&r);
    else {
        s->uri = s->values[SCRIPT_PATH_INFO] ? s->values[SCRIPT_PATH_INFO] : s->values[SCRIPT_NAME];
        if (!rules->discard_path && s->values[SCRIPT_PATH_TRANSLATED])
            r.script = s->values[SCRIPT_PATH_TRANSLATED];
    }
    if (r.no_memory)
        return -ENOMEM;
    if (r.script && !has_parent_component(r.script))
        s->path = r.script;
    return 0;
}

void script_done(Script *s)
{
    for (size_t i = 0; i < s->n_owned; i++)
        free(s->owned[i]);
    *s = (Script){0};
}

bool script_extension_allowed(const char *path, const char *const *extensions, size_t n)
{
    size_t n_path = strlen(path);

    for (size_t i = 0; i < n; i++) {
        size_t n_extension = strlen(extensions[i]);

        if (n_extension <= n_path && strcmp(path + n_path - n_extension, extensions[i]) == 0)
            return true;
    }
    return n == 0;
}
