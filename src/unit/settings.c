#include "unit/private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const templates[] = {
    [UNIT_SOCKET] = "fpmd@.socket",
    [UNIT_STATUS_SOCKET] = "fpmd-status@.socket",
    [UNIT_SERVICE] = "fpmd@.service",
};

const char *unit_template(UnitKind kind)
{
    return templates[kind];
}

void unit_name(UnitKind kind, const char *pool, char ret[static 256])
{
    const char *name = templates[kind], *suffix = strchr(name, '.');

    snprintf(ret, 256, "%.*s%.200s%s", (int)(suffix - name), name, pool, suffix);
}

void unit_settings_done(UnitSettings *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].value);
        free(s->items[i].plain);
    }
    free(s->items);
    *s = (UnitSettings){0};
}

bool unit_settings_has(const UnitSettings *s, UnitKind kind)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->items[i].unit == kind)
            return true;
    return false;
}

/* Takes over the texts, also when it fails. */
static int add(UnitSettings *s, UnitSetting setting)
{
    UnitSetting *grown = setting.value ? reallocarray(s->items, s->n + 1, sizeof(*grown)) : NULL;

    if (!grown) {
        free(setting.value);
        free(setting.plain);
        return -ENOMEM;
    }
    s->items = grown;
    s->items[s->n++] = setting;
    return 0;
}

int settings_add(UnitSettings *s, UnitKind unit, const char *section, const char *name,
                 const char *directive, const char *format, ...)
{
    char *value;
    va_list args;

    va_start(args, format);
    if (vasprintf(&value, format, args) < 0)
        value = NULL;
    va_end(args);
    return add(s, (UnitSetting){unit, section, name, value, NULL, directive});
}

int settings_add_word(UnitSettings *s, UnitKind unit, const char *section, const char *name,
                      const char *directive, const char *prefix, const char *word,
                      const char *special)
{
    _cleanup_buffer_ Buffer b = {0};
    char *plain;

    if (buffer_append(&b, prefix, strlen(prefix)) < 0 || unit_escape(&b, word, special) < 0)
        return -ENOMEM;
    plain = strdup(word);
    if (!plain)
        return -ENOMEM;
    return add(s, (UnitSetting){unit, section, name, buffer_steal(&b), plain, directive});
}

ConfigOrigin unit_directive_origin(const PoolConfig *c, const char *directive)
{
    if (!directive)
        return (ConfigOrigin){0};
    for (size_t i = 0; i < c->n_ini; i++)
        if (strcmp(c->ini[i].key, directive) == 0)
            return (ConfigOrigin){c->ini[i].file, c->ini[i].line};
    for (size_t i = 0; i < c->n_env && strcmp(directive, "env") == 0; i++)
        return (ConfigOrigin){c->env[i].file, c->env[i].line};
    return pool_config_origin(c, directive);
}

void unit_issue(ConfigIssues *issues, ConfigSeverity severity, const PoolConfig *c,
                const char *directive, const char *format, ...)
{
    ConfigOrigin origin = unit_directive_origin(c, directive);
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    config_issues_add(issues, severity, origin.file ? origin.file : c->path, origin.line, directive,
                      "%s", text);
}
