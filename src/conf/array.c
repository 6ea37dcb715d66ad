#include "conf/gathered.h"
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
    ssize_t found = gathered_find(c->gathered, KEY_ENV, setting.name);
    EnvSetting *grown, *old;

    if (found >= 0) {
        old = &c->env[found];
        if (!may_replace(old->layer, r)) {
            report(r, CONFIG_WARNING, label, "is given again, the first one stays in force");
            return 0;
        }
        free(setting.name);
        free(old->value);
        setting.name = old->name; /* gathered points to it */
        *old = setting;
        return 1;
    }
    grown = reallocarray(c->env, c->n_env + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    c->env = grown;
    if (gathered_add(c->gathered, KEY_ENV, setting.name, c->n_env) < 0)
        return -ENOMEM;
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

static int join_ini(IniSetting *old, const char *text)
{
    size_t n = strlen(old->text);
    char *grown = realloc(old->text, n + strlen(text) + 2);

    if (!grown)
        return -ENOMEM;
    old->text = grown;
    stpcpy(stpcpy(grown + n, n > 0 && *text ? "," : ""), text);
    return 0;
}

/* Lists that every line lengthens. */
static bool is_list(const char *key)
{
    return strcmp(key, "disable_functions") == 0 || strcmp(key, "disable_classes") == 0;
}

static int append_ini(PoolConfig *c, IniSetting setting, bool is_found)
{
    IniSetting *grown = reallocarray(c->ini, c->n_ini + 1, sizeof(*grown));
    KeyClass class = is_admin(setting.kind) ? KEY_INI_ADMIN : KEY_INI;

    if (!grown)
        return -ENOMEM;
    c->ini = grown;
    if (!is_found && gathered_add(c->gathered, class, setting.key, c->n_ini) < 0)
        return -ENOMEM;
    c->ini[c->n_ini++] = setting;
    return 1;
}

int setting_sort_arrays(PoolConfig *c)
{
    _cleanup_free_ IniSetting *admin = NULL;
    size_t n_plain = 0, n_admin = 0;

    if (c->n_ini == 0)
        return 0;
    admin = calloc(c->n_ini, sizeof(*admin));
    if (!admin)
        return -ENOMEM;
    for (size_t i = 0; i < c->n_ini; i++)
        if (is_admin(c->ini[i].kind))
            admin[n_admin++] = c->ini[i];
        else
            c->ini[n_plain++] = c->ini[i];
    memcpy(c->ini + n_plain, admin, n_admin * sizeof(*admin));
    c->gathered = gathered_free(c->gathered);
    return 0;
}

/* PHP-FPM loads every extension, disables what all lines of a disable_… list say, and keeps the
 * first line of everything else; a drop-in's line replaces. Returns 1 when the key and text of
 * setting have been taken, 0 when not, -ENOMEM. */
static int put_ini(PoolConfig *c, IniSetting setting, const char *label, const Reporter *r)
{
    ssize_t found =
        gathered_find(c->gathered, is_admin(setting.kind) ? KEY_INI_ADMIN : KEY_INI, setting.key);
    IniSetting *old = found >= 0 ? &c->ini[found] : NULL;

    if (!old || is_load_order(setting.key))
        return append_ini(c, setting, old != NULL);
    if (is_list(setting.key))
        return join_ini(old, setting.text);
    if (!may_replace(old->layer, r)) {
        report(r, CONFIG_WARNING, label, "is given again, line %u stays in force", old->line);
        return 0;
    }
    free(setting.key);
    free(old->text);
    setting.key = old->key; /* gathered points to it */
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

/* The list holds each once; drop-ins add to it. */
static int add_word(WordList *list, char **text)
{
    char **grown;

    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i], *text) == 0)
            return 0;
    grown = reallocarray(list->items, list->n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    list->items = grown;
    list->items[list->n++] = TAKE_PTR(*text);
    return 0;
}

static int add_uri(PoolConfig *c, const Directive *d, const LexItem *item, const char *pool,
                   const Reporter *r)
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
        return add_word((void *)((char *)c + d->field), &text);
    return 0;
}

char *setting_label(const char *name, Slice key)
{
    char *label = malloc(strlen(name) + key.n + 3);

    if (label)
        stpcpy(mempcpy(stpcpy(stpcpy(label, name), "["), key.p, key.n), "]");
    return label;
}

/* Whether one more entry may be looked at. */
static int count_entry(PoolConfig *c, const Directive *d, const Reporter *r)
{
    size_t n;

    if (!c->gathered)
        c->gathered = gathered_new(directives_count());
    if (!c->gathered)
        return -ENOMEM;
    n = ++c->gathered->n_entries[directive_index(d)];
    if (n == CONFIG_MAX_ENTRIES + 1)
        report(r, CONFIG_ERROR, d->name, "is one entry too many, expected at most %d in a pool",
               CONFIG_MAX_ENTRIES);
    return n <= CONFIG_MAX_ENTRIES;
}

int setting_apply_array(PoolConfig *c, const Directive *d, const LexItem *item, const char *pool,
                        const Reporter *r)
{
    _cleanup_free_ char *label = NULL;
    const char *file = setting_intern(c, r->file);
    int k = file ? count_entry(c, d, r) : -ENOMEM;

    if (k <= 0)
        return k;
    if (c->origins[directive_index(d)].line == 0)
        c->origins[directive_index(d)] = (ConfigOrigin){file, r->line};
    if (d->type == TYPE_URIS)
        return add_uri(c, d, item, pool, r);
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
