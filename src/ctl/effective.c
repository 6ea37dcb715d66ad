#include "ctl/effective.h"
#include "base/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void effective_done(EffectiveList *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].value);
    free(list->items);
    *list = (EffectiveList){0};
}

static const void *field_of(const PoolConfig *c, const Directive *d)
{
    return (const char *)c + d->field;
}

static char *join_addresses(const ListenAddress *addresses, size_t n)
{
    Buffer b = {0};

    for (size_t i = 0; i < n; i++)
        if (buffer_printf(&b, "%s%s", i > 0 ? " " : "",
                          addresses[i].kind == LISTEN_UNIX ? addresses[i].path
                                                           : addresses[i].text) < 0) {
            buffer_done(&b);
            return NULL;
        }
    return buffer_steal(&b);
}

/* Where the runtime of PHP looks when the file does not say: the settings of PHP-FPM, if they are
 * there. 0; *ret NULL when PHP's own choice stays. */
static int default_ini(const PoolConfig *c, const Directive *d, char **ret)
{
    bool folder = strcmp(d->name, "php_ini_scan_dir") == 0;
    char *path;

    *ret = NULL;
    if (strncmp(c->runtime, "php", strlen("php")) != 0 ||
        (!folder && strcmp(d->name, "php_ini") != 0))
        return 0;
    if (asprintf(&path, "/etc/php/%s/fpm/%s", c->runtime + strlen("php"),
                 folder ? "conf.d" : "php.ini") < 0)
        return -ENOMEM;
    if (access(path, F_OK) == 0)
        *ret = path;
    else
        free(path);
    return 0;
}

/* Texts as they were given; of paths and numbers what was made of them, for a prefix may have
 * completed the ones, and other directives counted the others. */
static int set_given(const PoolConfig *c, Effective *e)
{
    const Directive *d = e->directive;
    const char *text = pool_config_text(c, d->name);

    if (d->field != DIRECTIVE_NO_FIELD && (d->type == TYPE_PATH || d->type == TYPE_LOG))
        text = *(char *const *)field_of(c, d);
    else if (d->type == TYPE_ADDRESSES) {
        bool status = strcmp(d->name, "pm.status_listen") == 0;

        e->value = join_addresses(status ? c->status_listen : c->listen,
                                  status ? c->n_status_listen : c->n_listen);
        return e->value ? 0 : -ENOMEM;
    }
    e->value = strdup(text ? text : "");
    return e->value ? 0 : -ENOMEM;
}

static int set_default(const PoolConfig *c, Effective *e)
{
    const Directive *d = e->directive;

    if (strcmp(d->name, "pm.start_servers") == 0 && c->pm == POOL_MODE_DYNAMIC)
        return asprintf(&e->value, "%u", c->pm_start_servers) < 0 ? -ENOMEM : 0;
    if (!d->fallback)
        return default_ini(c, d, &e->value);
    e->value = strdup(d->fallback);
    return e->value ? 0 : -ENOMEM;
}

/* Takes over the value, also when it fails. */
static int add(EffectiveList *list, Effective e)
{
    Effective *grown = reallocarray(list->items, list->n + 1, sizeof(*grown));

    if (!grown) {
        free(e.value);
        return -ENOMEM;
    }
    list->items = grown;
    grown[list->n++] = e;
    return 0;
}

static int add_plain(const PoolConfig *c, const Directive *d, EffectiveList *list)
{
    Effective e = {.directive = d, .origin = pool_config_origin(c, d->name)};
    int r = e.origin.line > 0 ? set_given(c, &e) : set_default(c, &e);

    return r < 0 ? r : add(list, e);
}

static int add_ini(const Directive *d, const IniSetting *setting, EffectiveList *list)
{
    bool flag = setting->kind == INI_FLAG || setting->kind == INI_ADMIN_FLAG;
    Effective e = {
        .directive = d, .key = setting->key, .raw = true, .origin = {setting->file, setting->line}};

    e.value = strdup(!flag ? setting->text : strcmp(setting->text, "1") == 0 ? "on" : "off");
    return e.value ? add(list, e) : -ENOMEM;
}

static int add_uris(const PoolConfig *c, const Directive *d, EffectiveList *list)
{
    const WordList *uris = field_of(c, d);
    int r = 0;

    for (size_t i = 0; r == 0 && i < uris->n; i++) {
        Effective e = {.directive = d,
                       .key = "",
                       .value = strdup(uris->items[i]),
                       .origin = pool_config_origin(c, d->name)};

        r = e.value ? add(list, e) : -ENOMEM;
    }
    return r;
}

static int add_array(const PoolConfig *c, const Directive *d, EffectiveList *list)
{
    int r = d->type == TYPE_URIS ? add_uris(c, d, list) : 0;

    for (size_t i = 0; r == 0 && d->type == TYPE_ENV && i < c->n_env; i++) {
        Effective e = {.directive = d,
                       .key = c->env[i].name,
                       .value = strdup(c->env[i].value),
                       .origin = {c->env[i].file, c->env[i].line}};

        r = e.value ? add(list, e) : -ENOMEM;
    }
    for (size_t i = 0; r == 0 && d->type == TYPE_INI && i < c->n_ini; i++)
        if (c->ini[i].kind == d->ini_kind)
            r = add_ini(d, &c->ini[i], list);
    return r;
}

int effective_make(const PoolConfig *c, EffectiveList *ret)
{
    _cleanup_(effective_done) EffectiveList list = {0};
    size_t n;
    const Directive *d = directives_get(&n);
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = directive_is_array(d + i) ? add_array(c, d + i, &list) : add_plain(c, d + i, &list);
    if (r < 0)
        return r;
    *ret = list;
    list = (EffectiveList){0};
    return 0;
}
