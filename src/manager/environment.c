#include "manager/environment.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* systemd.exec(5), "Environment Variables in Spawned Processes": those that are between the service
 * manager and us. */
static const char *const private_names[] = {
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "SYSTEMD_EXEC_PID",
    "RUNTIME_DIRECTORY",
    "MANAGERPID",
    "MAINPID",
    "FDSTORE",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "CREDENTIALS_DIRECTORY",
    "FPMD_CONFIG_DIR",
    "FPMD_CONTROL_DIR",
};

char **environment_free(char **env)
{
    for (char **p = env; p && *p; p++)
        free(*p);
    free(env);
    return NULL;
}

static size_t name_size(const char *setting)
{
    return (size_t)(strchrnul(setting, '=') - setting);
}

static bool is_private(const char *setting)
{
    for (size_t i = 0; i < ARRAY_SIZE(private_names); i++)
        if (strlen(private_names[i]) == name_size(setting) &&
            strncmp(setting, private_names[i], name_size(setting)) == 0)
            return true;
    return false;
}

/* Sets or replaces; the list has room. */
static bool put(char **env, size_t *n, const char *name, const char *value)
{
    char *setting;

    if (asprintf(&setting, "%s=%s", name, value) < 0)
        return false;
    for (size_t i = 0; i < *n; i++)
        if (name_size(env[i]) == strlen(name) && strncmp(env[i], name, strlen(name)) == 0) {
            free(env[i]);
            env[i] = setting;
            return true;
        }
    env[(*n)++] = setting;
    return true;
}

/* As PHP-FPM has it: a user that is given as a number has neither USER nor HOME. One that cannot be
 * chosen, because we may not change ids, has. */
static bool has_user_names(const PoolConfig *c, const PoolIds *ids)
{
    return ids->keep || !c->user || c->user[strspn(c->user, "0123456789")] != 0;
}

char **environment_make(const PoolConfig *c, const PoolIds *ids)
{
    _cleanup_(environment_freep) char **env = NULL;
    size_t n = 0, inherited = 0;

    while (!c->clear_env && environ[inherited])
        inherited++;
    env = calloc(inherited + c->n_env + 3, sizeof(char *));
    if (!env)
        return NULL;
    for (size_t i = 0; i < inherited; i++) {
        if (is_private(environ[i]) || !strchr(environ[i], '='))
            continue;
        env[n] = strdup(environ[i]);
        if (!env[n++])
            return NULL;
    }
    if (has_user_names(c, ids)) {
        if (ids->user_name && !put(env, &n, "USER", ids->user_name))
            return NULL;
        if (ids->home && !put(env, &n, "HOME", ids->home))
            return NULL;
    }
    for (size_t i = 0; i < c->n_env; i++)
        if (!put(env, &n, c->env[i].name, c->env[i].value))
            return NULL;
    return TAKE_PTR(env);
}
