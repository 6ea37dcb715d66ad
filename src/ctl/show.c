#include "base/exit_status.h"
#include "ctl/effective.h"
#include "ctl/pools.h"
#include "status/escape.h"
#include "unit/wants.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What is known of one pool. */
typedef struct Shown {
    const PoolConfig *config;
    EffectiveList list;
    UnitSettings units;
} Shown;

/* In quotes where the file's syntax needs them, so that the output can be read as a pool file. */
static int write_value(Buffer *b, const Effective *e)
{
    static const char special[] = ";\"'=|&^~!()$\\{}[]";
    size_t n = strlen(e->value);
    bool quote = !e->raw && (strcspn(e->value, special) < n || n == 0 || e->value[0] == ' ' ||
                             e->value[n - 1] == ' ');
    int r = 0;

    if (!quote)
        return buffer_append(b, e->value, n);
    r = buffer_append(b, "\"", 1);
    for (const char *p = e->value; r == 0 && *p; p++) {
        if (strchr("\"\\$", *p))
            r = buffer_append(b, "\\", 1);
        if (r == 0)
            r = buffer_append(b, p, 1);
    }
    return r < 0 ? r : buffer_append(b, "\"", 1);
}

/* A honoured directive is a line of the file; what has no value or no effect is a comment. */
static int write_entry(Buffer *b, const Effective *e)
{
    const Directive *d = e->directive;
    bool given = e->origin.line > 0;
    bool comment = !e->value || (!given && d->fate != FATE_HONOURED);
    size_t start = b->size;
    int r =
        buffer_printf(b, e->key ? "%s%s[%s] = " : "%s%s = ", comment ? ";" : "", d->name, e->key);

    if (r == 0 && e->value)
        r = write_value(b, e);
    if (r == 0)
        r = buffer_printf(b, "%*s ; ", MAX(0, 44 - (int)(b->size - start)), "");
    if (r == 0 && given)
        r = escape_text(b, e->origin.file);
    if (r == 0)
        r = given ? buffer_printf(b, ":%u", e->origin.line)
                  : buffer_printf(b, e->value ? "default" : "not set");
    if (r == 0 && d->fate != FATE_HONOURED)
        r = buffer_printf(b, ", %s: %s", directive_fate_to_string(d->fate), d->instead);
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

static int write_entries(Buffer *b, const EffectiveList *list, bool global)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < list->n; i++)
        if ((list->items[i].directive->scope == SCOPE_GLOBAL) == global)
            r = write_entry(b, &list->items[i]);
    return r;
}

static int write_units(Buffer *b, const Shown *shown)
{
    char name[256];
    int r = buffer_printf(b,
                          shown->units.n > 0
                              ? "\n; What this asks of units (fpmctl apply %s):\n"
                              : "\n; The units of pool %s need no settings of their own.\n",
                          shown->config->name);

    for (size_t i = 0; r == 0 && i < shown->units.n; i++) {
        const UnitSetting *s = &shown->units.items[i];

        unit_name(s->unit, shown->config->name, name);
        r = buffer_printf(b, ";   %s [%s] %s=", name, s->section, s->name);
        if (r == 0)
            r = escape_text(b, s->value);
        if (r == 0)
            r = buffer_printf(b, " (%s)\n", s->directive);
    }
    return r;
}

static int write_text(Buffer *b, const Shown *shown)
{
    const PoolConfig *c = shown->config;
    int r = buffer_printf(b, "; Files read:\n");

    for (size_t i = 0; r == 0 && i < c->n_files; i++) {
        r = buffer_printf(b, ";   ");
        if (r == 0)
            r = escape_text(b, c->files[i]);
        if (r == 0)
            r = buffer_append(b, "\n", 1);
    }
    if (r == 0)
        r = buffer_append(b, "\n", 1);
    if (r == 0)
        r = write_entries(b, &shown->list, true);
    if (r == 0)
        r = buffer_printf(b, "\n[%s]\n", c->name);
    if (r == 0)
        r = write_entries(b, &shown->list, false);
    return r < 0 ? r : write_units(b, shown);
}

/* "key": "text", or null. */
static int write_member(Buffer *b, const char *key, const char *text)
{
    int r = buffer_printf(b, "\"%s\": ", key);

    if (r < 0)
        return r;
    return text ? escape_json(b, text) : buffer_append(b, "null", 4);
}

static int write_json_entry(Buffer *b, const Effective *e, bool first)
{
    int r = buffer_printf(b, "%s\n    {", first ? "" : ",");

    if (r == 0)
        r = write_member(b, "directive", e->directive->name);
    if (r == 0 && e->key && *e->key) {
        r = buffer_printf(b, ", ");
        if (r == 0)
            r = write_member(b, "key", e->key);
    }
    if (r == 0)
        r = buffer_printf(b, ", ");
    if (r == 0)
        r = write_member(b, "value", e->value);
    if (r == 0)
        r = buffer_printf(b, ", \"fate\": \"%s\", ", directive_fate_to_string(e->directive->fate));
    if (r == 0)
        r = write_member(b, "file", e->origin.line > 0 ? e->origin.file : NULL);
    if (r == 0 && e->origin.line > 0)
        r = buffer_printf(b, ", \"line\": %u", e->origin.line);
    return r < 0 ? r : buffer_append(b, "}", 1);
}

static int write_json_unit(Buffer *b, const Shown *shown, const UnitSetting *s, bool first)
{
    char name[256];
    int r;

    unit_name(s->unit, shown->config->name, name);
    r = buffer_printf(b, "%s\n    {\"unit\": \"%s\", \"section\": \"%s\", \"setting\": \"%s\", ",
                      first ? "" : ",", name, s->section, s->name);
    if (r == 0)
        r = write_member(b, "value", s->value);
    if (r == 0)
        r = buffer_printf(b, ", ");
    if (r == 0)
        r = write_member(b, "directive", s->directive);
    return r < 0 ? r : buffer_append(b, "}", 1);
}

static int write_json(Buffer *b, const Shown *shown)
{
    const PoolConfig *c = shown->config;
    int r = buffer_printf(b, "{\n  \"pool\": \"%s\",\n  \"files\": [", c->name);

    for (size_t i = 0; r == 0 && i < c->n_files; i++) {
        r = buffer_printf(b, i > 0 ? ", " : "");
        if (r == 0)
            r = escape_json(b, c->files[i]);
    }
    if (r == 0)
        r = buffer_printf(b, "],\n  \"directives\": [");
    for (size_t i = 0; r == 0 && i < shown->list.n; i++)
        r = write_json_entry(b, &shown->list.items[i], i == 0);
    if (r == 0)
        r = buffer_printf(b, "\n  ],\n  \"units\": [");
    for (size_t i = 0; r == 0 && i < shown->units.n; i++)
        r = write_json_unit(b, shown, &shown->units.items[i], i == 0);
    return r < 0 ? r : buffer_printf(b, shown->units.n > 0 ? "\n  ]\n}\n" : "]\n}\n");
}

static int show(const Ctl *ctl, const PoolConfig *c, ConfigIssues *issues, Buffer *b)
{
    Shown shown = {.config = c};
    int r = unit_settings_make(c, ctl->user ? UNIT_SCOPE_USER : UNIT_SCOPE_SYSTEM, issues,
                               &shown.units);

    if (r == 0 || r == -EINVAL)
        r = effective_make(c, &shown.list);
    if (r == 0)
        r = ctl->json ? write_json(b, &shown) : write_text(b, &shown);
    effective_done(&shown.list);
    unit_settings_done(&shown.units);
    return r;
}

/* What is shown is one pool. 0; -EINVAL, having said why. */
static int complain_of_many(const PoolFiles *files, const char *path)
{
    _cleanup_buffer_ Buffer names = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < files->n; i++) {
        r = buffer_printf(&names, i > 0 ? ", [" : "[");
        if (r == 0)
            r = escape_text(&names, files->items[i].name);
        if (r == 0)
            r = buffer_printf(&names, "]");
    }
    if (r < 0)
        return r;
    if (files->n <= 1)
        return 0;
    ctl_complain("%s has several pools, expected one: %.*s; fpmctl import --dry-run %s tells what "
                 "becomes of each",
                 path, (int)names.size, names.data, path);
    return -EINVAL;
}

/* The pool that the operand means. 0, or the exit status, having said why. */
static int find_pool(const Ctl *ctl, PoolFiles *files, const char *word)
{
    int r = pool_is_path(word) ? pool_files_add_path(files, word)
                               : pool_files_add_pool(files, ctl->config_dir, word);

    if (r == 0)
        r = complain_of_many(files, word);
    else if (r == -ENODATA)
        ctl_complain("there is no pool file (*.conf) in %s", word);
    else
        ctl_complain("%s: %s", word, strerror(-r));
    if (r == 0)
        return EXIT_STATUS_OK;
    return r == -ENOMEM ? EXIT_STATUS_FAILURE : EXIT_STATUS_CONFIG;
}

int verb_show(const Ctl *ctl, int n, char **operands)
{
    _cleanup_pool_files_ PoolFiles files = {0};
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_config_freep) PoolConfig *c = NULL;
    _cleanup_buffer_ Buffer b = {0}, complaints = {0};
    int loaded, r = find_pool(ctl, &files, operands[0]);

    if (r != EXIT_STATUS_OK)
        return r;
    loaded = pool_file_load(ctl, &files.items[0], &issues, &c);
    if (loaded == 0)
        r = show(ctl, c, &issues, &b);
    if (r == 0)
        r = ctl_write_issues(&complaints, &issues);
    if (r < 0) {
        ctl_complain("%s", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    if (complaints.size > 0)
        fwrite(complaints.data, 1, complaints.size, stderr);
    if (loaded < 0)
        return EXIT_STATUS_CONFIG;
    r = ctl_print(&b);
    return r == EXIT_STATUS_OK && issues.n_errors > 0 ? EXIT_STATUS_CONFIG : r;
}
