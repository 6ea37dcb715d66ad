#include "ctl/changed.h"
#include "base/exit_status.h"
#include "ctl/units.h"

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

    if (changed->n > 0 && changed->items[changed->n - 1].name == pool)
        return &changed->items[changed->n - 1];
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

static int make_plan(Plan *plan, Units *units, const Changed *changed)
{
    _cleanup_buffer_ Buffer running = {0};
    int r = units_list_running(units, &running);

    if (r == 0)
        r = buffer_append(&running, "", 1);
    for (size_t i = 0; r == 0 && i < changed->n; i++)
        r = plan_pool(plan, running.data, &changed->items[i]);
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

int changed_follow(const Ctl *ctl, const Changed *changed, bool restart)
{
    _cleanup_(units_closep) Units *units = NULL;
    _cleanup_(plan_done) Plan plan = {0};
    char *const reload[] = {(char *)(uintptr_t) "daemon-reload", NULL};
    int r = units_open(&units, ctl->user);

    if (r < 0) {
        ctl_complain("systemd cannot be asked (%s); if it runs: systemctl%s daemon-reload",
                     strerror(-r), ctl->user ? " --user" : "");
        return EXIT_STATUS_OK;
    }
    r = ctl_systemctl(ctl, reload);
    if (r < 0) {
        ctl_complain("systemctl daemon-reload failed (%s), the new settings are not known to "
                     "systemd",
                     r == -EIO ? "see above" : strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    r = make_plan(&plan, units, changed);
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
