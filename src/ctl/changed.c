#include "ctl/changed.h"
#include "base/exit_status.h"
#include "ctl/former.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Words of a command of systemctl. */
typedef struct Words {
    char **items;
    size_t n;
} Words;

typedef struct Plan {
    Words restart_sockets, restart_services, stop, start;
} Plan;

void changed_done(Changed *changed)
{
    free(changed->items);
    *changed = (Changed){0};
}

ChangedPool *changed_get(Changed *changed, const char *pool)
{
    ChangedPool *grown;

    /* It mostly is the last one. */
    for (size_t i = changed->n; i-- > 0;)
        if (strcmp(changed->items[i].name, pool) == 0)
            return &changed->items[i];
    grown = reallocarray(changed->items, changed->n + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    changed->items = grown;
    grown[changed->n] = (ChangedPool){.name = pool};
    return &grown[changed->n++];
}

static void words_done(Words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->items[i]);
    free(words->items);
}

static void plan_done(Plan *plan)
{
    words_done(&plan->restart_sockets);
    words_done(&plan->restart_services);
    words_done(&plan->stop);
    words_done(&plan->start);
}

/* The list ends with NULL, as argv does. */
static int words_add(Words *words, const char *word)
{
    char **grown = reallocarray(words->items, words->n + 2, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    words->items = grown;
    grown[words->n] = strdup(word);
    grown[words->n + 1] = NULL;
    return grown[words->n++] ? 0 : -ENOMEM;
}

static int words_add_unit(Words *words, const char *verb, UnitKind kind, const char *pool)
{
    char name[256];
    int r = words->n == 0 ? words_add(words, verb) : 0;

    unit_name(kind, pool, name);
    return r < 0 ? r : words_add(words, name);
}

/* running: as units_list_running() has it. */
static bool is_running(const char *running, UnitKind kind, const char *pool)
{
    char name[256], line[260];

    unit_name(kind, pool, name);
    snprintf(line, sizeof(line), "\n%s\n", name);
    return strstr(running, line) != NULL;
}

/* The service goes and comes with its socket. */
static int plan_pool(Plan *plan, const char *running, const ChangedPool *pool)
{
    bool sockets = pool->units[UNIT_SOCKET] || pool->units[UNIT_STATUS_SOCKET];
    int r = 0;

    if (!sockets && !pool->units[UNIT_SERVICE])
        return 0;
    if (pool->is_gone)
        return is_running(running, UNIT_SOCKET, pool->name)
                   ? words_add_unit(&plan->stop, "stop", UNIT_SOCKET, pool->name)
                   : 0;
    if (!is_running(running, UNIT_SOCKET, pool->name))
        return words_add_unit(&plan->start, "start", UNIT_SOCKET, pool->name);
    if (pool->lost_status)
        r = words_add_unit(&plan->stop, "stop", UNIT_STATUS_SOCKET, pool->name);
    else if (pool->units[UNIT_STATUS_SOCKET])
        r = words_add_unit(&plan->restart_sockets, "restart", UNIT_STATUS_SOCKET, pool->name);
    if (r == 0 && sockets)
        r = words_add_unit(&plan->restart_sockets, "restart", UNIT_SOCKET, pool->name);
    else if (r == 0 && is_running(running, UNIT_SERVICE, pool->name))
        r = words_add_unit(&plan->restart_services, "restart", UNIT_SERVICE, pool->name);
    return r;
}

/* What was changed earlier, and has not been restarted since, is as what was changed now. */
static int add_former(ChangedPool *pool, Units *units, const char *running, const char *unit_dir)
{
    int r = 0;

    for (int kind = 0; r >= 0 && !pool->is_gone && kind < _UNIT_KIND_MAX; kind++) {
        char name[256];
        UnitView unit = {units, name};

        if (pool->units[kind] || !is_running(running, (UnitKind)kind, pool->name))
            continue;
        unit_name((UnitKind)kind, pool->name, name);
        r = former_settings(unit_dir, &unit);
        pool->units[kind] = r > 0;
    }
    return MIN(r, 0);
}

static int make_plan(Plan *plan, Units *units, const char *unit_dir, Changed *changed)
{
    _cleanup_buffer_ Buffer running = {0};
    int r = units_list_running(units, &running);

    if (r == 0)
        r = buffer_append(&running, "", 1);
    for (size_t i = 0; r == 0 && i < changed->n; i++) {
        r = add_former(&changed->items[i], units, running.data, unit_dir);
        if (r == 0)
            r = plan_pool(plan, running.data, &changed->items[i]);
    }
    return r;
}

static int run(const Ctl *ctl, const Words *words)
{
    return words->n > 0 ? ctl_systemctl(ctl, words->items) : 0;
}

static void tell(const Ctl *ctl, const char *why, const Words *words)
{
    if (words->n == 0)
        return;
    printf("%s\n  systemctl%s", why, ctl->user ? " --user" : "");
    for (size_t i = 0; i < words->n; i++)
        printf(" %s", words->items[i]);
    putchar('\n');
}

static int restart_all(const Ctl *ctl, const Plan *plan)
{
    int r = run(ctl, &plan->stop), k = run(ctl, &plan->restart_sockets);

    if (r == 0)
        r = k;
    k = run(ctl, &plan->restart_services);
    if (r == 0)
        r = k;
    if (r == 0 && plan->restart_sockets.n + plan->restart_services.n > 0)
        puts("The pools that were running have been restarted with the new settings.");
    else if (r < 0 && r != -EIO)
        ctl_complain("systemctl: %s", strerror(-r));
    return r;
}

static void tell_all(const Ctl *ctl, const Plan *plan)
{
    tell(ctl, "An address that nobody asks for any more is still open:", &plan->stop);
    tell(ctl,
         "These run with their former addresses. A restart finishes the requests that run; "
         "connections\nthat still wait at its end are refused:",
         &plan->restart_sockets);
    tell(ctl, "These run with their former settings. Connections wait during a restart:",
         &plan->restart_services);
}

/* The drop-ins are written, which is what was asked for where no systemd runs. */
static int without_systemd(const Ctl *ctl, const Changed *changed, bool restart, int error)
{
    if (changed->n_units > 0)
        ctl_complain("systemd cannot be asked (%s); if it runs: systemctl%s daemon-reload",
                     strerror(-error), ctl->user ? " --user" : "");
    else if (restart)
        ctl_complain("systemd cannot be asked (%s), nothing is restarted", strerror(-error));
    return EXIT_STATUS_OK;
}

int changed_follow(const Ctl *ctl, const char *unit_dir, Changed *changed, bool restart)
{
    _cleanup_(units_closep) Units *units = NULL;
    _cleanup_(plan_done) Plan plan = {0};
    char *const reload[] = {(char *)(uintptr_t) "daemon-reload", NULL};
    int r = changed->n > 0 ? units_open(&units, ctl->user) : 0;

    if (r < 0)
        return without_systemd(ctl, changed, restart, r);
    if (!units)
        return EXIT_STATUS_OK;
    /* An earlier reload may have failed, and what restarts has to restart with the drop-ins. */
    r = changed->n_units > 0 || restart ? ctl_systemctl(ctl, reload) : 0;
    if (r < 0) {
        ctl_complain("systemctl daemon-reload failed (%s), the new settings are not known to "
                     "systemd",
                     r == -EIO ? "see above" : strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    r = make_plan(&plan, units, unit_dir, changed);
    if (r < 0) {
        ctl_complain("the state of the units is not known: %s", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    if (restart)
        r = restart_all(ctl, &plan);
    else
        tell_all(ctl, &plan);
    tell(ctl, "These do not run:", &plan.start);
    return r < 0 ? EXIT_STATUS_FAILURE : EXIT_STATUS_OK;
}
