#include "conf/complete.h"
#include "conf/loader.h"
#include "base/fd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX_BYTES (1024 * 1024)

/* Of all files of a pool together: what is read between two ticks of the manager's watchdog. */
#define MAX_BYTES     (4 * 1024 * 1024)
#define MAX_HEADERS   4096
#define MAX_INCLUDES  4096
#define MAX_ADDRESSES 4096

/* Of Loader.place. */
enum {
    PLACE_NOWHERE = -2, /* before the first section header: global */
    PLACE_GLOBAL = -1,
};

static int load_text(Loader *l, const char *text, size_t n, const char *file);

void loader_done(Loader *l)
{
    for (size_t i = 0; i < l->n_sections; i++) {
        free(l->sections[i].name);
        pool_config_free(l->sections[i].config);
    }
    free(l->sections);
    pool_config_free(l->global);
}

static bool is_target(const Loader *l, const char *section)
{
    return strcasecmp(section, l->name) == 0;
}

static Section *find_section(const Loader *l, const char *name)
{
    for (size_t i = 0; i < l->n_sections; i++)
        if (strcasecmp(l->sections[i].name, name) == 0)
            return &l->sections[i];
    return NULL;
}

/* Goes on with the pool of that name, which may have been begun before. */
static int enter_pool(Loader *l, const char *name, const char *file, unsigned line)
{
    _cleanup_(pool_config_freep) PoolConfig *config = NULL;
    _cleanup_free_ char *copy = NULL;
    Section *section = find_section(l, name);
    const char *interned;

    if (section) {
        l->place = section - l->sections;
        return 0;
    }
    section = reallocarray(l->sections, l->n_sections + 1, sizeof(*section));
    if (!section)
        return -ENOMEM;
    l->sections = section;
    copy = strdup(name);
    config = copy ? pool_config_new(is_target(l, name) ? l->name : name) : NULL;
    interned = config ? setting_intern(config, file) : NULL;
    if (!interned)
        return -ENOMEM;
    l->place = (ssize_t)l->n_sections;
    config->section = (ConfigOrigin){interned, line};
    l->sections[l->n_sections++] = (Section){TAKE_PTR(copy), TAKE_PTR(config), interned, line};
    return 0;
}

/* Ends the reading of all files. */
static _printf_(5, 6) void stop(Loader *l, const char *file, unsigned line, const char *directive,
                                const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    config_issues_add(l->issues, CONFIG_ERROR, file, line, directive, "%s", text);
    l->is_full = true;
}

static int enter_section(Loader *l, Slice name, const char *file, unsigned line)
{
    _cleanup_free_ char *copy = NULL;

    if (++l->n_headers > MAX_HEADERS) {
        stop(l, file, line, NULL, "is one section too many, expected at most %d", MAX_HEADERS);
        return 0;
    }
    copy = strndup(name.p, name.n);
    if (!copy)
        return -ENOMEM;
    if (strcasecmp(copy, "global") == 0) {
        l->place = PLACE_GLOBAL;
        return 0;
    }
    return enter_pool(l, copy, file, line);
}

static Reporter reporter(const Loader *l, const char *file, unsigned line)
{
    const char *section = l->place >= 0 ? l->sections[l->place].name : NULL;

    return (Reporter){.issues = l->issues,
                      .file = file,
                      .line = line,
                      .layer = l->layer,
                      .other_pool = section && !is_target(l, section) ? section : NULL};
}

/* Whether the directive may be given in this place and form; reports it if not. */
static bool check_form(const Loader *l, const Directive *d, const LexItem *item, const Reporter *r)
{
    if (directive_is_array(d) != item->has_key) {
        report(r, CONFIG_ERROR, d->name,
               item->has_key ? "has a key, expected %s = value"
                             : "has no key, expected %s[KEY] = value",
               d->name);
        return false;
    }
    if (l->place >= 0 && !(d->scope & SCOPE_POOL)) {
        report(r, CONFIG_ERROR, d->name,
               "is not a directive of a pool, expected it below the section header [global]");
        return false;
    }
    if (l->place == PLACE_GLOBAL && !(d->scope & SCOPE_GLOBAL)) {
        report(r, CONFIG_ERROR, d->name,
               "is a directive of a pool, expected it below the section header [%s]", l->name);
        return false;
    }
    return true;
}

static int load_directive(Loader *l, const LexItem *item, const char *file, unsigned line)
{
    const Directive *d = directive_find(item->name.p, item->name.n);
    Reporter r = reporter(l, file, line);
    const char *pool;
    PoolConfig *c;

    if (!d) {
        setting_report_unknown(item, &r);
        return 0;
    }
    if (l->place == PLACE_NOWHERE && !(d->scope & SCOPE_GLOBAL)) {
        /* One error for a forgotten header; what follows is checked as if it were there. */
        int k = enter_pool(l, l->name, file, line);

        if (k < 0)
            return k;
        r = reporter(l, file, line);
        report(&r, CONFIG_ERROR, d->name,
               "is a directive of a pool but no section has begun, expected the line [%s] above it",
               l->name);
    }
    if (!check_form(l, d, item, &r))
        return 0;
    c = l->place >= 0 ? l->sections[l->place].config : l->global;
    pool = l->place >= 0 ? c->name : NULL;
    return directive_is_array(d) ? setting_apply_array(c, d, item, pool, &r)
                                 : setting_apply(c, d, item, pool, &r);
}

/* Whether a file is too much; line: of the include of another file, or 0. */
static bool add_bytes(Loader *l, size_t n, const char *path, const char *file, unsigned line)
{
    l->n_bytes += n;
    if (l->n_bytes > MAX_BYTES)
        stop(l, file, line, line > 0 ? "include" : NULL,
             "with %.100s the files of the pool have more than %d MB together, expected less",
             line > 0 ? path : "it", MAX_BYTES / 1024 / 1024);
    return l->n_bytes > MAX_BYTES;
}

static int load_included(Loader *l, const char *path, const Reporter *r)
{
    _cleanup_free_ char *text = NULL;
    ssize_t place = l->place;
    const char *error;
    size_t n = 0;
    int k;

    error = include_enter(&l->stack, path);
    if (error) {
        report(r, CONFIG_ERROR, "include", "%s: %s", path, error);
        l->is_full |= l->stack.n_files >= INCLUDE_MAX_FILES;
        return 0;
    }
    k = fd_read_file(path, FILE_MAX_BYTES, &text, &n);
    if (k == -ENOMEM)
        return k;
    if (k < 0)
        report(r, CONFIG_ERROR, "include", "%s cannot be read: %s", path, strerror(-k));
    else if (!add_bytes(l, n, path, r->file, r->line))
        k = load_text(l, text, n, path);
    include_leave(&l->stack);
    /* The lines after an include belong to the section before it, whatever the file began. */
    l->place = place;
    return k == -ENOMEM ? k : 0;
}

static int load_include(Loader *l, const LexItem *item, const char *file, unsigned line)
{
    _cleanup_(include_list_done) IncludeList list = {0};
    Reporter r = reporter(l, file, line);
    int k = 0;

    if (l->in_memory || item->has_key) {
        report(&r, CONFIG_ERROR, "include",
               item->has_key ? "has a key, expected include = pattern"
                             : "cannot be followed in a text that is not a file");
        return 0;
    }
    if (++l->n_includes > MAX_INCLUDES) {
        stop(l, file, line, "include", "is one too many, expected at most %d", MAX_INCLUDES);
        return 0;
    }
    k = include_find(item->value, file, &r, &list);
    for (size_t i = 0; k == 0 && !l->is_full && i < list.found.gl_pathc; i++)
        k = load_included(l, list.found.gl_pathv[i], &r);
    return k;
}

static int load_text(Loader *l, const char *text, size_t n, const char *file)
{
    Lexer lexer;
    LexItem item;
    int k = 0;

    lexer_init(&lexer, text, n);
    while (k == 0 && !l->is_full) {
        Reporter r;

        lexer_next(&lexer, &item);
        if (item.kind == LEX_END)
            break;
        if (item.kind == LEX_ERROR) {
            r = reporter(l, file, lexer.line);
            report(&r, CONFIG_ERROR, NULL, "%s", item.error);
        } else if (item.kind == LEX_SECTION)
            k = enter_section(l, item.name, file, lexer.line);
        else if (item.name.n == 7 && memcmp(item.name.p, "include", 7) == 0)
            k = load_include(l, &item, file, lexer.line);
        else
            k = load_directive(l, &item, file, lexer.line);
    }
    return k;
}

int loader_begin(Loader *l, const char *path)
{
    l->place = PLACE_NOWHERE;
    l->n_errors = l->issues->n_errors;
    if (config_check_pool_name(l->name) < 0) {
        config_issues_add(l->issues, CONFIG_ERROR, path, 0, NULL,
                          "'%.64s' cannot be the name of a pool, expected 1 to 64 letters, digits, "
                          "'_', '.' and '-', not beginning with the last two",
                          l->name);
        return -EINVAL;
    }
    l->global = pool_config_new("global");
    return l->global ? 0 : -ENOMEM;
}

static void check_section(const Loader *l, const char *path)
{
    if (!find_section(l, l->name))
        config_issues_add(
            l->issues, CONFIG_ERROR, path, 0, NULL,
            l->n_sections > 0
                ? "there is no section for this pool, expected a line [%s]; the first "
                  "section is [%s]"
                : "there is no section for this pool, expected a line [%s]",
            l->name, l->n_sections > 0 ? l->sections[0].name : "");
}

int loader_add(Loader *l, const char *text, size_t n, const char *path)
{
    int k = 0;

    if (l->layer > 0)
        k = enter_pool(l, l->name, path, 0);
    if (k == 0)
        k = load_text(l, n > 0 ? text : "", n, path);
    if (k < 0)
        return k;
    if (l->layer++ == 0 && !l->is_full)
        check_section(l, path);
    return 0;
}

int loader_add_file(Loader *l, const char *path)
{
    _cleanup_free_ char *text = NULL;
    const char *error;
    size_t n = 0;
    int k;

    if (l->is_full)
        return 0;
    error = include_enter(&l->stack, path);
    if (error) {
        config_issues_add(l->issues, CONFIG_ERROR, path, 0, NULL, "cannot be read: %s", error);
        return -EINVAL;
    }
    k = fd_read_file(path, FILE_MAX_BYTES, &text, &n);
    if (k < 0)
        config_issues_add(l->issues, CONFIG_ERROR, path, 0, NULL, "cannot be read: %s",
                          strerror(-k));
    else if (!add_bytes(l, n, path, path, 0))
        k = loader_add(l, text, n, path);
    include_leave(&l->stack);
    return k;
}

/* A socket of two pools can only be bound by one of them. */
static void check_shared(Loader *l, const Section *target, size_t other)
{
    const PoolConfig *c = target->config, *o = l->sections[other].config;
    Reporter r, there;

    l->place = (ssize_t)other;
    r = reporter(l, l->sections[other].file, l->sections[other].line);
    there = reporter_at(&r, o, "listen");
    for (size_t i = 0; i < o->n_listen; i++)
        for (size_t k = 0; k < c->n_listen; k++)
            if (listen_conflicts(&o->listen[i], &c->listen[k]))
                report(&there, CONFIG_ERROR, "listen",
                       "'%.200s' cannot be bound besides '%.200s' of [%s], expected an address of "
                       "its own",
                       o->listen[i].text, c->listen[k].text, c->name);
}

/* Each is compared with many others. */
static bool check_number(const Loader *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n_sections; i++) {
        const PoolConfig *c = l->sections[i].config;

        n += c->n_listen + c->n_status_listen;
        if (n > MAX_ADDRESSES) {
            config_issues_add_at(l->issues, CONFIG_ERROR, c,
                                 c->n_listen > 0 ? "listen" : "pm.status_listen",
                                 "there are too many addresses, expected at most %d in all files "
                                 "of a pool",
                                 MAX_ADDRESSES);
            return false;
        }
    }
    return true;
}

int loader_finish(Loader *l, const char *path, bool keep_broken, PoolConfig **ret_config)
{
    Section *target = NULL;
    bool broken;

    if (!check_number(l))
        return -EINVAL;

    for (size_t i = 0; i < l->n_sections; i++) {
        Section *s = &l->sections[i];
        Reporter r;

        l->place = (ssize_t)i;
        r = reporter(l, s->file, s->line);
        if (setting_sort_arrays(s->config) < 0 || setting_inherit(s->config, l->global) < 0 ||
            complete_paths(s->config, &r) < 0 || check_pool(s->config, &r) < 0)
            return -ENOMEM;
        if (is_target(l, s->name))
            target = s;
    }
    for (size_t i = 0; target && i < l->n_sections; i++)
        if (&l->sections[i] != target)
            check_shared(l, target, i);
    broken = l->issues->n_errors > l->n_errors;
    if (!target || (broken && !keep_broken))
        return -EINVAL;
    target->config->path = strdup(path);
    if (!target->config->path)
        return -ENOMEM;
    *ret_config = TAKE_PTR(target->config);
    return broken ? -EINVAL : 0;
}
