#include "conf/setting.h"
#include "conf/value.h"
#include "base/parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* PHP's scanner makes these of bare words before PHP-FPM sees them. */
static const char *bare_word(Slice raw)
{
    static const char *const yes[] = {"yes", "on", "true"};
    static const char *const no[] = {"no", "off", "false", "none", "null"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (strlen(yes[i]) == raw.n && strncasecmp(yes[i], raw.p, raw.n) == 0)
            return "1";
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (strlen(no[i]) == raw.n && strncasecmp(no[i], raw.p, raw.n) == 0)
            return "";
    return NULL;
}

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
    const char *word = bare_word(item->value);
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

static int add_env(PoolConfig *c, const LexItem *item, const char *pool, const char *label,
                   const Reporter *r)
{
    _cleanup_free_ char *name = strndup(item->key.p, item->key.n), *value = NULL;
    EnvSetting *grown;
    int k;

    if (!name)
        return -ENOMEM;
    if (strchr(name, '=')) {
        report(r, CONFIG_ERROR, label, "the name has '=', expected the name of a variable");
        return 0;
    }
    k = env_value(item, pool, label, r, &value);
    if (k < 0)
        return k == -EINVAL ? 0 : k;
    for (size_t i = 0; i < c->n_env; i++)
        if (strcmp(c->env[i].name, name) == 0) {
            report(r, CONFIG_WARNING, label, "is given again, the first one stays in force");
            return 0;
        }
    grown = reallocarray(c->env, c->n_env + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    c->env = grown;
    c->env[c->n_env++] = (EnvSetting){TAKE_PTR(name), TAKE_PTR(value)};
    return 0;
}

static bool is_admin(IniKind kind)
{
    return kind == INI_ADMIN_VALUE || kind == INI_ADMIN_FLAG;
}

static bool key_is(const char *key, const char *const *keys)
{
    for (; *keys; keys++)
        if (strcmp(key, *keys) == 0)
            return true;
    return false;
}

/* What a setting gets that is there already: PHP-FPM loads every extension, disables what all lines
 * of a disable_… list say, and keeps the first line of everything else. */
static int merge_ini(PoolConfig *c, IniKind kind, const char *key, const char *text,
                     const char *label, const Reporter *r)
{
    static const char *const lists[] = {"disable_functions", "disable_classes", NULL};
    static const char *const repeated[] = {"extension", "zend_extension", NULL};
    _cleanup_free_ char *joined = NULL;
    IniSetting *old = NULL;

    for (size_t i = 0; i < c->n_ini && !old; i++)
        if (is_admin(c->ini[i].kind) == is_admin(kind) && strcmp(c->ini[i].key, key) == 0)
            old = &c->ini[i];
    if (!old || key_is(key, repeated))
        return 0;
    if (!key_is(key, lists)) {
        report(r, CONFIG_WARNING, label, "is given again, line %u stays in force", old->line);
        return 1;
    }
    joined = calloc(1, strlen(old->text) + strlen(text) + 4);
    if (!joined)
        return -ENOMEM;
    /* Quoted and unquoted parts side by side are one text for PHP. */
    stpcpy(stpcpy(stpcpy(joined, old->text), "\",\""), text);
    free(old->text);
    old->text = TAKE_PTR(joined);
    return 1;
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
    return 0;
}

static int ini_text(const LexItem *item, IniKind kind, const char *pool, const char *label,
                    const Reporter *r, char **ret)
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
    k = ini_text(item, kind, pool, label, r, &text);
    if (k == 0)
        k = merge_ini(c, kind, key, text, label, r);
    if (k != 0)
        return k == -ENOMEM ? k : 0;
    k = insert_ini(c, (IniSetting){kind, key, text, file, r->line});
    if (k == 0)
        key = text = NULL; /* the list has them now */
    return k;
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
        report(r, CONFIG_WARNING, d->name, "is accepted but has no effect in this version");
    return 0;
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
    label = calloc(1, strlen(d->name) + item->key.n + 3);
    if (!label)
        return -ENOMEM;
    stpcpy(mempcpy(stpcpy(stpcpy(label, d->name), "["), item->key.p, item->key.n), "]");
    return d->type == TYPE_ENV ? add_env(c, item, pool, label, r)
                               : add_ini(c, d->ini_kind, item, pool, label, r);
}
