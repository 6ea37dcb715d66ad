#include "ctl/compare.h"
#include "ctl/apply.h"
#include "ctl/dropin.h"
#include "ctl/former.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Comparison {
    const Ctl *ctl;
    const PoolConfig *config;
    const UnitSettings *settings;
    ConfigIssues *issues;
    UnitView unit;
    UnitKind kind;
    bool is_applied; /* our drop-in is what it should be */
} Comparison;

static const char *user_option(const Comparison *k)
{
    return k->ctl->user ? "--user " : "";
}

/* The end of a warning: what mends it. */
static void warn(const Comparison *k, const char *directive, const char *what)
{
    if (k->is_applied)
        unit_issue(k->issues, CONFIG_WARNING, k->config, directive,
                   "%s; another file of the unit says so, see systemctl %scat %s", what,
                   user_option(k), k->unit.name);
    else
        unit_issue(k->issues, CONFIG_WARNING, k->config, directive, "%s: fpmctl %sapply %s", what,
                   user_option(k), k->config->name);
}

static int compare_setting(const Comparison *k, const UnitSetting *s)
{
    char what[640];
    int r = strcmp(s->name, "ListenStream") == 0 ? 1 : match_setting(&k->unit, s);

    if (r < 0 || r == 1)
        return r < 0 ? r : 0;
    snprintf(what, sizeof(what), "%s does not have %s=%.400s, which this asks for", k->unit.name,
             s->name, s->value);
    warn(k, s->directive, what);
    return 0;
}

static int compare_listen(const Comparison *k)
{
    const PoolConfig *c = k->config;
    bool status = k->kind == UNIT_STATUS_SOCKET;
    _cleanup_free_ char *has = NULL, *what = NULL;
    int r;

    if (k->kind == UNIT_SERVICE || (status ? c->n_status_listen : c->n_listen) == 0)
        return 0;
    r = match_listen(&k->unit, status ? c->status_listen : c->listen,
                     status ? c->n_status_listen : c->n_listen, &has);
    if (r < 0 || r == 1)
        return r < 0 ? r : 0;
    if (asprintf(&what, "%s listens at %.600s", k->unit.name, *has ? has : "no address") < 0) {
        what = NULL;
        return -ENOMEM;
    }
    warn(k, status ? "pm.status_listen" : "listen", what);
    return 0;
}

static int compare_age(const Comparison *k, const char *directive)
{
    int r = former_settings(k->ctl->unit_dir, &k->unit);

    if (r > 0)
        unit_issue(k->issues, CONFIG_WARNING, k->config, directive,
                   "%s runs with former settings: systemctl %srestart %s", k->unit.name,
                   user_option(k), k->unit.name);
    return r < 0 ? r : 0;
}

/* Whether our drop-in on disk is what the file asks for now. */
static int compare_dropin(Comparison *k, bool *ret_stale)
{
    _cleanup_buffer_ Buffer text = {0};
    _cleanup_free_ char *has = NULL, *wanted = NULL;
    int r = unit_write_dropin(&text, k->config, k->settings, k->kind);

    if (r == 0)
        r = dropin_read(k->ctl->unit_dir, k->unit.name, &has);
    if (r < 0)
        return r;
    wanted = buffer_steal(&text);
    if (!wanted)
        return -ENOMEM;
    k->is_applied = has && strcmp(has, wanted) == 0;
    *ret_stale = has && !k->is_applied;
    return 0;
}

/* NULL: the file asks nothing of the service. */
static const char *any_directive(const Comparison *k)
{
    static const char *const of_units[_UNIT_KIND_MAX] = {
        [UNIT_SOCKET] = "listen",
        [UNIT_STATUS_SOCKET] = "pm.status_listen",
    };

    for (size_t i = 0; i < k->settings->n; i++)
        if (k->settings->items[i].unit == k->kind)
            return k->settings->items[i].directive;
    return of_units[k->kind];
}

/* The two states of a unit as a whole that make looking at settings pointless. 1: go on. */
static int compare_state(const Comparison *k)
{
    int r = 0;
    _cleanup_free_ char *load = match_read(&k->unit, "LoadState", &r);
    _cleanup_free_ char *reload = load ? match_read(&k->unit, "NeedDaemonReload", &r) : NULL;

    if (!reload)
        return r;
    if (strcmp(reload, "1") == 0) {
        config_issues_add(k->issues, CONFIG_WARNING, k->config->path, 0, NULL,
                          "files of %s have changed: systemctl %sdaemon-reload", k->unit.name,
                          user_option(k));
        return 0;
    }
    /* "bad-setting" is a socket unit without an address. */
    return strcmp(load, "not-found") != 0 && strcmp(load, "masked") != 0;
}

static bool has_folder(const char *unit_dir, const char *unit)
{
    char path[512];

    snprintf(path, sizeof(path), "%.200s/%s.d", unit_dir, unit);
    return access(path, F_OK) == 0;
}

bool compare_has_dropins(const Ctl *ctl, const char *pool)
{
    char name[256];
    const char *template = unit_template(UNIT_SERVICE);
    const char *runtime = ctl->user ? "/etc/systemd/user" : "/run/systemd/system";

    unit_name(UNIT_SERVICE, pool, name);
    return has_folder(ctl->unit_dir, name) || has_folder(ctl->unit_dir, template) ||
           has_folder(runtime, name) || has_folder(runtime, template);
}

static int compare_unit(Comparison *k)
{
    size_t before = k->issues->n;
    bool stale = false;
    int r;

    /* systemd takes long to load a service that does not run, and most have nothing to compare. */
    if (k->kind == UNIT_SERVICE && !unit_settings_has(k->settings, k->kind) &&
        !compare_has_dropins(k->ctl, k->config->name))
        return 0;
    r = compare_dropin(k, &stale);
    if (r == 0)
        r = compare_state(k);
    if (r <= 0)
        return r;
    r = compare_listen(k);
    for (size_t i = 0; r == 0 && i < k->settings->n; i++)
        if (k->settings->items[i].unit == k->kind)
            r = compare_setting(k, &k->settings->items[i]);
    if (r < 0)
        return r;
    if (stale && k->issues->n == before)
        unit_issue(k->issues, CONFIG_WARNING, k->config, any_directive(k),
                   "%s/%s.d/" APPLY_DROPIN " has more or other settings than the file asks for: "
                   "fpmctl %sapply %s",
                   k->ctl->unit_dir, k->unit.name, user_option(k), k->config->name);
    return k->issues->n == before ? compare_age(k, any_directive(k)) : 0;
}

int compare_units(const Ctl *ctl, Units *units, const PoolConfig *c, ConfigIssues *issues)
{
    _cleanup_unit_settings_ UnitSettings settings = {0};
    Comparison k = {.ctl = ctl, .config = c, .settings = &settings, .issues = issues};
    char name[256];
    int r =
        unit_settings_make(c, ctl->user ? UNIT_SCOPE_USER : UNIT_SCOPE_SYSTEM, issues, &settings);

    if (r == -EINVAL)
        r = 0;
    if (r == 0) {
        links_check(c, &settings, issues);
        r = names_check(c, &settings, issues);
    }
    for (int kind = 0; r == 0 && units && kind < _UNIT_KIND_MAX; kind++) {
        unit_name((UnitKind)kind, c->name, name);
        k.unit = (UnitView){units, name};
        k.kind = (UnitKind)kind;
        if (kind != UNIT_STATUS_SOCKET || c->n_status_listen > 0)
            r = compare_unit(&k);
    }
    return r;
}

int compare_user(Units *units, const char *pool, char **ret_user)
{
    char name[256];
    UnitView unit = {units, name};
    int r = 0;
    _cleanup_free_ char *user = NULL;

    unit_name(UNIT_SERVICE, pool, name);
    user = match_read(&unit, "User", &r);
    if (!user)
        return r;
    *ret_user = *user && strcmp(user, FPMD_MANAGER_USER) != 0 ? TAKE_PTR(user) : NULL;
    return 0;
}
