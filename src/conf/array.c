#include "conf/setting.h"
#include "conf/value.h"
#include "base/parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static int array_expand(const LexItem *item, const char *pool, const char *label, const Reporter *r,
                        char **ret)
{
    _cleanup_free_ char *text = NULL;
    const char *error;
    int k = value_expand(item->value, &text, &error);

    if (k == -EINVAL)
        report(r, CONFIG_ERROR, label, "%s", error);
    if (k < 0)
        return k;
    *ret = value_replace_pool((Slice){text, strlen(text)}, pool);
    return *ret ? 0 : -ENOMEM;
}

static int env_value(const LexItem *item, const char *pool, const char *label, const Reporter *r,
                     char **ret)
{
    _cleanup_free_ char *text = NULL;
    const char *word = value_bare_word(item->value);
    int k = 0;

    if (word)
        text = strdup(word);
    else
        k = array_expand(item, pool, label, r, &text);
    if (k < 0 || !text)
        return k < 0 ? k : -ENOMEM;
    if (!text[0]) {
        report(r, CONFIG_ERROR, label, "the value is empty, expected a text");
        return -EINVAL;
    }
    if (text[0] == '$') {
        const char *own = getenv(text + 1);

        *ret = strdup(own ? own : "");
    } else
        *ret = TAKE_PTR(text);
    return *ret ? 0 : -ENOMEM;
}

/* Within the pool file and what it includes the first line with a key stays in force, as in
 * PHP-FPM; a drop-in replaces what was said before it. */
static bool may_replace(unsigned layer, const Reporter *r)
{
    return r->layer > layer;
}

static int put_env(PoolConfig *c, EnvSetting setting, const char *label, const Reporter *r)
{
    EnvSetting *grown, *old = NULL;

    for (size_t i = 0; i < c->n_env && !old; i++)
        if (strcmp(c->env[i].name, setting.name) == 0)
            old = &c->env[i];
    if (old && !may_replace(old->layer, r)) {
        report(r, CONFIG_WARNING, label, "is given again, the first one stays in force");
        return 0;
    }
    if (old) {
        free(old->name);
        free(old->value);
        *old = setting;
        return 1;
    }
    grown = reallocarray(c->env, c->n_env + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    c->env = grown;
    c->env[c->n_env++] = setting;
    return 1;
}

static int add_env(PoolConfig *c, const LexItem *item, const char *pool, const char *label,
                   const Reporter *r)
{
    _cleanup_free_ char *name = strndup(item->key.p, item->key.n), *value = NULL;
    const char *file = setting_intern(c, r->file);
    int k;

    if (!name || !file)
        return -ENOMEM;
    if (strchr(name, '=')) {
        report(r, CONFIG_ERROR, label, "the name has '=', expected the name of a variable");
        return 0;
    }
    k = env_value(item, pool, label, r, &value);
    if (k < 0)
        return k == -EINVAL ? 0 : k;
    k = put_env(c, (EnvSetting){name, value, file, r->line, r->layer}, label, r);
    if (k == 1)
        name = value = NULL; /* the list has them now */
    return MIN(k, 0);
}

static bool is_admin(IniKind kind)
{
    return kind == INI_ADMIN_VALUE || kind == INI_ADMIN_FLAG;
}

/* Orders to load something, which all count. */
static bool is_load_order(const char *key)
{
    return strcmp(key, "extension") == 0 || strcmp(key, "zend_extension") == 0;
}

/* The setting with which a new one has to share its key: php_value and php_admin_value are kept
 * apart, because PHP applies both. */
static IniSetting *find_ini(const PoolConfig *c, IniKind kind, const char *key)
{
    for (size_t i = 0; i < c->n_ini; i++)
        if (is_admin(c->ini[i].kind) == is_admin(kind) && strcmp(c->ini[i].key, key) == 0)
            return &c->ini[i];
    return NULL;
}

static int join_ini(IniSetting *old, const char *text)
{
    char *joined = malloc(strlen(old->text) + strlen(text) + 2);

    if (!joined)
        return -ENOMEM;
    stpcpy(stpcpy(stpcpy(joined, old->text), *old->text && *text ? "," : ""), text);
    free(old->text);
    old->text = joined;
    return 0;
}

/* Lists that every line lengthens. */
static bool is_list(const char *key)
{
    return strcmp(key, "disable_functions") == 0 || strcmp(key, "disable_classes") == 0;
}

static int insert_ini(PoolConfig *c, IniSetting setting)
{
    IniSetting *grown = reallocarray(c->ini, c->n_ini + 1, sizeof(*grown));
    size_t i = c->n_ini;

    if (!grown)
        return -ENOMEM;
    c->ini = grown;
    /* Admin settings are applied after the others. */
    while (!is_admin(setting.kind) && i > 0 && is_admin(c->ini[i - 1].kind))
        i--;
    memmove(c->ini + i + 1, c->ini + i, (c->n_ini - i) * sizeof(*grown));
    c->ini[i] = setting;
    c->n_ini++;
    return 1;
}

/* PHP-FPM loads every extension, disables what all lines of a disable_… list say, and keeps the
 * first line of everything else; a drop-in's line replaces. Returns 1 when the key and text of
 * setting have been taken, 0 when not, -ENOMEM. */
static int put_ini(PoolConfig *c, IniSetting setting, const char *label, const Reporter *r)
{
    IniSetting *old = find_ini(c, setting.kind, setting.key);

    if (!old || is_load_order(setting.key))
        return insert_ini(c, setting);
    if (is_list(setting.key))
        return join_ini(old, setting.text);
    if (!may_replace(old->layer, r)) {
        report(r, CONFIG_WARNING, label, "is given again, line %u stays in force", old->line);
        return 0;
    }
    free(old->key);
    free(old->text);
    *old = setting;
    return 1;
}

/* Names with commas between, as a plain text: what it is joined with may have other quotes. */
static int list_text(const LexItem *item, const char *pool, const char *label, const Reporter *r,
                     char **ret)
{
    if (!value_bare_word(item->value))
        return array_expand(item, pool, label, r, ret);
    *ret = strdup("");
    return *ret ? 0 : -ENOMEM;
}

static int ini_text(const LexItem *item, IniKind kind, const char *key, const char *pool,
                    const char *label, const Reporter *r, char **ret)
{
    _cleanup_free_ char *text = NULL;
    const char *error;
    bool flag;
    int k;

    if (kind == INI_VALUE || kind == INI_ADMIN_VALUE) {
        k = value_check_ini(item->value, &error);
        if (k < 0) {
            report(r, CONFIG_ERROR, label, "%s", error);
            return k;
        }
        if (is_list(key))
            return list_text(item, pool, label, r, ret);
        *ret = value_replace_pool(item->value, pool);
        return *ret ? 0 : -ENOMEM;
    }
    k = array_expand(item, pool, label, r, &text);
    if (k < 0)
        return k;
    if (parse_bool(strcasecmp(text, "null") == 0 ? "" : text, &flag) < 0) {
        report(r, CONFIG_ERROR, label, "'%.100s' is not valid, expected on or off", text);
        return -EINVAL;
    }
    *ret = strdup(flag ? "1" : "0");
    return *ret ? 0 : -ENOMEM;
}

static int add_ini(PoolConfig *c, IniKind kind, const LexItem *item, const char *pool,
                   const char *label, const Reporter *r)
{
    _cleanup_free_ char *key = strndup(item->key.p, item->key.n), *text = NULL;
    const char *file = setting_intern(c, r->file);
    int k;

    if (!key || !file)
        return -ENOMEM;
    if (strpbrk(key, "=;\"'[]{}|&~!()^")) {
        report(r, CONFIG_ERROR, label, "the key has a character that no setting of PHP has");
        return 0;
    }
    k = ini_text(item, kind, key, pool, label, r, &text);
    if (k < 0 || !text)
        return k == -ENOMEM ? k : 0;
    k = put_ini(c, (IniSetting){kind, key, text, file, r->line, r->layer}, label, r);
    if (k == 1)
        key = text = NULL; /* the list has them now */
    return MIN(k, 0);
}

static int check_uri(const Directive *d, const LexItem *item, const char *pool, const Reporter *r)
{
    _cleanup_free_ char *text = NULL;
    uint64_t number;
    int k;

    if (item->key.n > 0) {
        report(r, CONFIG_ERROR, d->name, "has a key, expected %s[] = /path", d->name);
        return 0;
    }
    k = array_expand(item, pool, d->name, r, &text);
    if (k < 0)
        return k == -EINVAL ? 0 : k;
    if (setting_check(d, text, &number) < 0)
        report(r, CONFIG_ERROR, d->name, "'%.100s' is not valid, expected %s", text,
               directive_type_to_string(d->type));
    else
        report(r, CONFIG_WARNING, d->name, "has no effect: %s", d->instead);
    return 0;
}

char *setting_label(const char *name, Slice key)
{
    char *label = malloc(strlen(name) + key.n + 3);

    if (label)
        stpcpy(mempcpy(stpcpy(stpcpy(label, name), "["), key.p, key.n), "]");
    return label;
}

int setting_apply_array(PoolConfig *c, const Directive *d, const LexItem *item, const char *pool,
                        const Reporter *r)
{
    _cleanup_free_ char *label = NULL;
    const char *file = setting_intern(c, r->file);

    if (!file)
        return -ENOMEM;
    if (c->origins[directive_index(d)].line == 0)
        c->origins[directive_index(d)] = (ConfigOrigin){file, r->line};
    if (d->type == TYPE_URIS)
        return check_uri(d, item, pool, r);
    if (item->key.n == 0) {
        report(r, CONFIG_ERROR, d->name, "has no key, expected %s[KEY] = value", d->name);
        return 0;
    }
    label = setting_label(d->name, item->key);
    if (!label)
        return -ENOMEM;
    return d->type == TYPE_ENV ? add_env(c, item, pool, label, r)
                               : add_ini(c, d->ini_kind, item, pool, label, r);
}
