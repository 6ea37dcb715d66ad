#include "conf/gathered.h"
#include "conf/setting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *pool_mode_to_string(PoolMode mode)
{
    static const char *const names[] = {
        [POOL_MODE_STATIC] = "static",
        [POOL_MODE_DYNAMIC] = "dynamic",
        [POOL_MODE_ONDEMAND] = "ondemand",
    };

    return (unsigned)mode < ARRAY_SIZE(names) ? names[mode] : NULL;
}

const char *sandbox_seccomp_to_string(SandboxSeccomp profile)
{
    static const char *const names[] = {
        [SANDBOX_SECCOMP_STRICT] = "strict",
        [SANDBOX_SECCOMP_DEFAULT] = "default",
        [SANDBOX_SECCOMP_OFF] = "off",
    };

    return (unsigned)profile < ARRAY_SIZE(names) ? names[profile] : NULL;
}

const char *ini_kind_to_string(IniKind kind)
{
    static const char *const names[] = {
        [INI_VALUE] = "php_value",
        [INI_FLAG] = "php_flag",
        [INI_ADMIN_VALUE] = "php_admin_value",
        [INI_ADMIN_FLAG] = "php_admin_flag",
    };

    return (unsigned)kind < ARRAY_SIZE(names) ? names[kind] : NULL;
}

int config_check_pool_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "0123456789_.-";
    size_t n = strspn(name, allowed);

    return n == 0 || n > 64 || name[n] || name[0] == '.' || name[0] == '-' ? -EINVAL : 0;
}

PoolConfig *pool_config_new(const char *name)
{
    _cleanup_(pool_config_freep) PoolConfig *c = calloc(1, sizeof(*c));
    size_t n;
    const Directive *d = directives_get(&n);

    if (!c)
        return NULL;
    c->name = strdup(name);
    c->origins = calloc(n, sizeof(*c->origins));
    c->texts = calloc(n, sizeof(*c->texts));
    if (!c->name || !c->origins || !c->texts)
        return NULL;
    c->rlimit_files = RLIMIT_KEEP;
    c->rlimit_core = RLIMIT_KEEP;
    c->process_priority = PRIORITY_KEEP;
    for (size_t i = 0; i < n; i++)
        if (setting_apply_default(c, d + i) < 0)
            return NULL;
    return TAKE_PTR(c);
}

static void words_done(WordList *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
}

static void free_lists(PoolConfig *c)
{
    WordList *words[] = {
        &c->supplementary_groups, &c->listen_acl_users,      &c->listen_acl_groups,
        &c->body_file_paths,      &c->unit_read_write_paths, &c->unit_read_only_paths,
        &c->access_suppress,      &c->sandbox_syscalls,      &c->sandbox_read,
        &c->sandbox_write,        &c->sandbox_exec_paths,    &c->sandbox_tcp_connect};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        words_done(words[i]);
    listen_free(c->listen, c->n_listen);
    listen_free(c->status_listen, c->n_status_listen);
    free(c->allowed_clients);
    for (size_t i = 0; i < c->n_env; i++) {
        free(c->env[i].name);
        free(c->env[i].value);
    }
    free(c->env);
    for (size_t i = 0; i < c->n_ini; i++) {
        free(c->ini[i].key);
        free(c->ini[i].text);
    }
    free(c->ini);
    for (size_t i = 0; i < c->n_limit_extensions; i++)
        free(c->limit_extensions[i]);
    free(c->limit_extensions);
    for (size_t i = 0; c->texts && i < directives_count(); i++)
        free(c->texts[i]);
    free(c->texts);
    for (size_t i = 0; i < c->n_files; i++)
        free(c->files[i]);
    free(c->files);
}

PoolConfig *pool_config_free(PoolConfig *c)
{
    if (!c)
        return NULL;
    free_lists(c);
    gathered_free(c->gathered);
    free(c->origins);
    free(c->name);
    free(c->path);
    free(c->user);
    free(c->group);
    free(c->prefix);
    free(c->chroot);
    free(c->chdir);
    free(c->status_path);
    free(c->ping_path);
    free(c->ping_response);
    free(c->access_log);
    free(c->access_format);
    free(c->slowlog);
    free(c->runtime);
    free(c->listen_owner);
    free(c->listen_group);
    free(c->php_ini);
    free(c->php_ini_scan_dir);
    free(c);
    return NULL;
}

ConfigOrigin pool_config_origin(const PoolConfig *c, const char *directive)
{
    const Directive *d = directive_find(directive, strlen(directive));

    return d && c->origins ? c->origins[directive_index(d)] : (ConfigOrigin){0};
}

void pool_config_place(const PoolConfig *c, const char *text, char *ret, size_t size)
{
    _cleanup_free_ char *directive = strndup(text, strcspn(text, ": "));
    ConfigOrigin origin = directive ? pool_config_origin(c, directive) : (ConfigOrigin){0};

    if (origin.line > 0)
        snprintf(ret, size, "%s:%u: %s", origin.file, origin.line, text);
    else
        snprintf(ret, size, "%s", text);
}

const char *pool_config_text(const PoolConfig *c, const char *directive)
{
    const Directive *d = directive_find(directive, strlen(directive));

    return d && c->texts ? c->texts[directive_index(d)] : NULL;
}
