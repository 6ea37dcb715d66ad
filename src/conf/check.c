#include "conf/setting.h"

/* Checks between directives: what each says for itself has been checked when it was read. */

static unsigned line_of(const PoolConfig *c, const char *directive)
{
    return pool_config_origin(c, directive).line;
}

/* Reports at the place of a directive, or for the whole file when it is missing. */
static Reporter at(const PoolConfig *c, const char *directive, const Reporter *r)
{
    ConfigOrigin origin = pool_config_origin(c, directive);
    Reporter there = *r;

    there.line = origin.line;
    if (origin.file)
        there.file = origin.file;
    return there;
}

static bool check_present(const PoolConfig *c, const char *directive, const char *why,
                          const Reporter *r)
{
    Reporter there = at(c, directive, r);

    if (there.line > 0)
        return true;
    report(&there, CONFIG_ERROR, directive, "is missing, expected %s", why);
    return false;
}

static void check_start_servers(PoolConfig *c, const Reporter *r)
{
    unsigned min = c->pm_min_spare_servers, max = c->pm_max_spare_servers;
    Reporter there = at(c, "pm.start_servers", r);

    if (c->pm_start_servers == 0)
        c->pm_start_servers = min + (max - min) / 2;
    else if (c->pm_start_servers < min || c->pm_start_servers > max)
        report(&there, CONFIG_ERROR, "pm.start_servers",
               "%u is not between the limits of spares, expected a number from %u to %u "
               "(pm.min_spare_servers, pm.max_spare_servers)",
               c->pm_start_servers, min, max);
}

static void check_dynamic(PoolConfig *c, const Reporter *r)
{
    unsigned min, max;
    Reporter at_min = at(c, "pm.min_spare_servers", r), at_max = at(c, "pm.max_spare_servers", r);
    bool complete;

    complete =
        check_present(c, "pm.min_spare_servers", "a number of idle workers with pm = dynamic", r);
    complete &=
        check_present(c, "pm.max_spare_servers", "a number of idle workers with pm = dynamic", r);
    min = c->pm_min_spare_servers;
    max = c->pm_max_spare_servers;
    /* A number that was not valid has been reported and is 0. */
    if (!complete || min == 0 || max == 0 || c->pm_max_children == 0)
        return;
    if (min > c->pm_max_children)
        report(&at_min, CONFIG_ERROR, "pm.min_spare_servers",
               "%u is more than all workers, expected at most pm.max_children (%u)", min,
               c->pm_max_children);
    if (max > c->pm_max_children)
        report(&at_max, CONFIG_ERROR, "pm.max_spare_servers",
               "%u is more than all workers, expected at most pm.max_children (%u)", max,
               c->pm_max_children);
    if (max < min)
        report(&at_max, CONFIG_ERROR, "pm.max_spare_servers",
               "%u is too few, expected at least pm.min_spare_servers (%u)", max, min);
    else
        check_start_servers(c, r);
}

static void check_extensions(const PoolConfig *c, const Reporter *r)
{
    Reporter there = at(c, "security.limit_extensions", r);

    for (size_t i = 0; i < c->n_limit_extensions; i++)
        if (c->limit_extensions[i][0] != '.')
            report(&there, CONFIG_WARNING, "security.limit_extensions",
                   "'%s' does not begin with a dot, so it allows every name that ends like this, "
                   "expected .%s",
                   c->limit_extensions[i], c->limit_extensions[i]);
}

void check_pool(PoolConfig *c, const Reporter *r)
{
    Reporter at_timeout = at(c, "pm.process_idle_timeout", r);
    bool has_pm = check_present(c, "pm", "static, dynamic or ondemand", r);

    check_present(c, "pm.max_children", "the greatest number of workers", r);
    if (has_pm && c->pm == POOL_MODE_DYNAMIC)
        check_dynamic(c, r);
    if (has_pm && c->pm == POOL_MODE_ONDEMAND && c->pm_process_idle_timeout_usec == 0 &&
        line_of(c, "pm.process_idle_timeout") > 0)
        report(&at_timeout, CONFIG_ERROR, "pm.process_idle_timeout",
               "0 would end each worker at once, expected a time greater than 0");
    check_extensions(c, r);
}
