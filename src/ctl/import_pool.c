#include "conf/directives.h"
#include "conf/verify.h"
#include "ctl/import.h"
#include "status/escape.h"
#include "unit/wants.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static void pool_done(ImportPool *pool)
{
    pool_config_free(pool->config);
    buffer_done(&pool->issues);
    texts_done(&pool->taken);
    texts_done(&pool->moved);
    texts_done(&pool->looks);
    texts_done(&pool->lines);
    texts_done(&pool->write_paths);
    texts_done(&pool->aliases);
    texts_done(&pool->files);
}

void import_pools_done(Import *import)
{
    for (size_t i = 0; i < import->n_pools; i++)
        pool_done(&import->pools[i]);
    free(import->pools);
    import->pools = NULL;
    import->n_pools = 0;
}

/* Other sections of the same file are told of with their own pools. */
static bool concerns(const ImportPool *pool, const ConfigIssue *issue)
{
    return !issue->file || strcmp(issue->file, pool->file->path) != 0 || issue->line == 0 ||
           source_has_line(pool->source, issue->line) || pool->file->n_pools == 1;
}

static DirectiveFate fate_of(const char *name)
{
    const Directive *d = name ? directive_find(name, strlen(name)) : NULL;

    return d ? d->fate : FATE_HONOURED;
}

/* file:line and what is said there, without what a terminal would not show. */
static int add_look(ImportPool *pool, const ConfigIssue *issue)
{
    _cleanup_free_ char *text = config_issue_to_string(issue);

    if (!text)
        return -ENOMEM;
    return texts_add_once(&pool->looks, text);
}

/* Errors stand in the way, warnings need a look, what systemd does is told of elsewhere. */
static int sort_issues(ImportPool *pool, const ConfigIssues *issues, bool errors_refuse)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < issues->n; i++) {
        ConfigIssue *issue = &issues->items[i];

        if (!concerns(pool, issue))
            continue;
        if (issue->severity == CONFIG_ERROR && errors_refuse) {
            r = ctl_write_issues(&pool->issues, &(ConfigIssues){.items = issue, .n = 1});
            pool->result = IMPORT_REFUSED;
        } else if (fate_of(issue->directive) != FATE_SYSTEMD)
            r = add_look(pool, issue);
    }
    if (errors_refuse && issues->n_errors > 0 && !pool->config)
        pool->result = IMPORT_REFUSED;
    return r;
}

static int load(ImportPool *pool)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    int r = config_load_to_check(pool->file->path, pool->source->name, &issues, &pool->config);

    if (r == -ENOMEM)
        return r;
    return sort_issues(pool, &issues, true);
}

/* Adds a line to the pool's drop-in. */
static int add_line(ImportPool *pool, const char *directive, const char *value)
{
    return texts_add(&pool->lines, "%s = %s", directive, value);
}

/* /etc/php/8.1/fpm/… was served by PHP 8.1. */
static int choose_runtime(const Import *import, ImportPool *pool)
{
    _cleanup_free_ char *program = NULL, *runtime = NULL;
    char version[16];

    if (!source_version(pool->file->path, version) ||
        pool_config_origin(pool->config, "runtime").line > 0)
        return 0;
    if (asprintf(&runtime, "php%s", version) < 0) {
        runtime = NULL;
        return -ENOMEM;
    }
    if (strcmp(runtime, FPMD_DEFAULT_RUNTIME) == 0)
        return 0;
    if (asprintf(&program, "%s/%s", import->ctl->libexec_dir, runtime) < 0) {
        program = NULL;
        return -ENOMEM;
    }
    if (access(program, X_OK) < 0)
        return texts_add(
            &pool->looks,
            "it was served by PHP %s, and there is no %s: the default runtime " FPMD_DEFAULT_RUNTIME
            " would serve it",
            version, program);
    free(pool->config->runtime);
    pool->config->runtime = TAKE_PTR(runtime);
    return add_line(pool, "runtime", pool->config->runtime);
}

/* Whether the pool's own file says it. What comes from the [global] of a file that is cut up would
 * stay behind. */
static bool is_given(const Import *import, const ImportPool *pool, const char *directive)
{
    ConfigOrigin origin = pool_config_origin(pool->config, directive);

    if (origin.line == 0)
        return false;
    return strcmp(origin.file, pool->file->path) != 0 ||
           source_is_whole(&import->sources, pool->source) ||
           source_has_line(pool->source, origin.line);
}

/* What [global] says for all pools; of what is given twice the last counts. */
static int add_globals(Import *import, ImportPool *pool)
{
    const Sources *s = &import->sources;
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n_globals; i++) {
        const SourceGlobal *g = &s->globals[i];
        const Directive *d = directive_find(g->name, strlen(g->name));
        bool is_last = true;

        for (size_t k = i + 1; k < s->n_globals; k++)
            is_last &= strcasecmp(s->globals[k].name, g->name) != 0;
        if (d && is_last && d->fate == FATE_HONOURED && (d->scope & SCOPE_POOL) &&
            !is_given(import, pool, d->name))
            r = add_line(pool, d->name, g->value);
    }
    return r;
}

/* What [global] says of things that no pool does: once for all. 0 or -ENOMEM. */
int import_examine_globals(Import *import)
{
    const Sources *s = &import->sources;
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n_globals; i++) {
        const SourceGlobal *g = &s->globals[i];
        const Directive *d = directive_find(g->name, strlen(g->name));

        if (!d)
            r = texts_add(&import->looks, "%s:%u: %s: there is no such directive", g->file, g->line,
                          g->name);
        else if (d->fate == FATE_SYSTEMD)
            r = texts_add(&import->moved, "%s:%u: %s: %s", g->file, g->line, d->name, d->instead);
        else if (d->fate == FATE_REFUSED)
            r = texts_add(&import->looks, "%s:%u: %s: has no effect: %s", g->file, g->line, d->name,
                          d->instead);
    }
    return r;
}

/* Users, folders and the like that the pool needs when it starts. */
static int verify(const Import *import, ImportPool *pool)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    PoolIds ids = {0};
    int r = config_verify_paths(pool->config, import->ctl->libexec_dir, &issues);

    if (r == 0 || r == -EINVAL)
        r = config_resolve_ids(pool->config, true, &issues, &ids);
    if (r == 0)
        pool_ids_done(&ids);
    return r == -ENOMEM ? r : sort_issues(pool, &issues, false);
}

static bool has_setting(const UnitSettings *s, const char *directive)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].directive, directive) == 0)
            return true;
    return false;
}

static int add_setting(ImportPool *pool, const UnitSetting *s)
{
    char name[256];

    unit_name(s->unit, pool->source->name, name);
    return *s->value
               ? texts_add(&pool->moved, "%s: %s=%s of %s", s->directive, s->name, s->value, name)
               : 0;
}

/* Directives that the socket unit does, also where it has the value without being told. */
static bool is_of_socket(const char *name)
{
    static const char *const names[] = {"listen", "listen.owner", "listen.group", "listen.mode",
                                        "listen.backlog"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* What becomes of each directive that the file gives. */
static int count_directives(ImportPool *pool, const UnitSettings *settings)
{
    const PoolConfig *c = pool->config;
    size_t n;
    const Directive *table = directives_get(&n);
    int r = 0;

    for (size_t i = 0; r == 0 && i < settings->n; i++)
        r = add_setting(pool, &settings->items[i]);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (c->origins[i].line == 0 || !(table[i].scope & SCOPE_POOL) ||
            has_setting(settings, table[i].name))
            continue;
        if (table[i].fate == FATE_SYSTEMD || is_of_socket(table[i].name))
            r = texts_add(&pool->moved, "%s: %s", table[i].name,
                          table[i].instead ? table[i].instead : "as the socket unit has it");
        else if (table[i].fate == FATE_HONOURED && !directive_is_array(&table[i]))
            r = texts_add(&pool->taken, "%s", table[i].name);
    }
    for (size_t i = 0; r == 0 && i < c->n_ini; i++)
        r = texts_add(&pool->taken, "%s[%s]", ini_kind_to_string(c->ini[i].kind), c->ini[i].key);
    for (size_t i = 0; r == 0 && i < c->n_env; i++)
        r = texts_add(&pool->taken, "env[%s]", c->env[i].name);
    return r;
}

static int examine_units(ImportPool *pool)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_unit_settings_ UnitSettings settings = {0};
    int r = unit_settings_make(pool->config, UNIT_SCOPE_SYSTEM, &issues, &settings);

    if (r == -ENOMEM)
        return r;
    r = sort_issues(pool, &issues, true);
    return r < 0 ? r : count_directives(pool, &settings);
}

/* The service that runs the pool now, as Debian names it, or as everybody else does. */
static void name_service(ImportPool *pool)
{
    char version[16];

    if (source_version(pool->file->path, version))
        snprintf(pool->fpm_unit, sizeof(pool->fpm_unit), "php%s-fpm.service", version);
    else
        snprintf(pool->fpm_unit, sizeof(pool->fpm_unit), "php-fpm.service");
}

/* Whether systemd listens for the pool. Asking about 300 units that are not loaded would keep it
 * busy for seconds, hence only about those that are enabled. */
static bool is_running(const Import *import, const ImportPool *pool)
{
    static const char *const wants[] = {"sockets.target.wants", "fpmd.target.wants"};
    UnitState state = {0};
    bool enabled = false;

    for (size_t i = 0; !enabled && i < ARRAY_SIZE(wants); i++) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof(path), "%s/%s/fpmd@%s.socket", import->ctl->unit_dir,
                         wants[i], pool->source->name);

        enabled =
            n < (int)sizeof(path) && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    }
    return enabled && import->units &&
           units_get(import->units, pool->source->name, "socket", &state) == 0 &&
           strcmp(state.active, "active") == 0;
}

static int examine_listeners(const Import *import, ImportPool *pool)
{
    int r = 0;

    /* A connection would start it. */
    pool->is_running = is_running(import, pool);
    for (size_t i = 0; r == 0 && !pool->is_running && i < pool->config->n_listen; i++) {
        const ListenAddress *a = &pool->config->listen[i];
        Listener l = import_find_listener(a);

        if (!l.is_there)
            continue;
        if (strncmp(l.program, "php-fpm", 7) == 0 && strstr(l.unit, ".service"))
            snprintf(pool->fpm_unit, sizeof(pool->fpm_unit), "%.63s", l.unit);
        if (l.pid > 0)
            r = texts_add(&pool->looks, "%s (process %d%s%s) listens at %s: systemctl stop %s",
                          l.program, (int)l.pid, *l.unit ? ", " : "", l.unit, a->text,
                          *l.unit ? l.unit : pool->fpm_unit);
        else
            r = texts_add(&pool->looks,
                          "something listens at %s; if it is PHP-FPM: systemctl stop %s", a->text,
                          pool->fpm_unit);
    }
    return r;
}

int import_examine(Import *import, ImportPool *pool)
{
    int r;

    name_service(pool);
    if (pool->source->problem) {
        pool->result = IMPORT_REFUSED;
        r = escape_text(&pool->issues, pool->source->problem);
        return r < 0 ? r : buffer_append(&pool->issues, "\n", 1);
    }
    r = load(pool);
    if (r < 0 || import_is_refused(pool) || !pool->config)
        return r;
    r = choose_runtime(import, pool);
    if (r == 0)
        r = add_globals(import, pool);
    if (r == 0)
        r = verify(import, pool);
    if (r == 0)
        r = import_examine_web(import, pool);
    if (r == 0)
        r = examine_units(pool);
    if (r == 0)
        r = examine_listeners(import, pool);
    if (r == 0 && pool->config)
        r = import_examine_mail(import, pool);
    if (r == 0 && pool->config)
        r = import_examine_logs(pool);
    return r;
}

static bool share_address(const ImportPool *a, const ImportPool *b, const char **ret)
{
    for (size_t i = 0; i < a->config->n_listen; i++)
        for (size_t k = 0; k < b->config->n_listen; k++)
            if (strcmp(a->config->listen[i].text, b->config->listen[k].text) == 0) {
                *ret = a->config->listen[i].text;
                return true;
            }
    return false;
}

int import_examine_all(Import *import)
{
    const char *address;
    int r = 0;

    for (size_t i = 0; i < import->n_pools; i++)
        for (size_t k = 0; r == 0 && k < import->n_pools; k++) {
            ImportPool *a = &import->pools[i], *b = &import->pools[k];

            if (i != k && a->config && b->config && share_address(a, b, &address))
                r = texts_add(&a->looks, "listen: %s is also that of pool %s (%s:%u)", address,
                              b->source->name, b->file->path, b->source->line);
        }
    return r;
}
