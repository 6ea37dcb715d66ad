#include "access/format.h"
#include "conf/setting.h"

#include <errno.h>
#include <string.h>

/* Checks between directives: what each says for itself has been checked when it was read. */

static unsigned line_of(const PoolConfig *c, const char *directive)
{
    return pool_config_origin(c, directive).line;
}

static bool check_present(const PoolConfig *c, const char *directive, const char *why,
                          const Reporter *r)
{
    if (line_of(c, directive) > 0)
        return true;
    report(r, CONFIG_ERROR, directive, "is missing, expected %s", why);
    return false;
}

static void check_start_servers(PoolConfig *c, const Reporter *r)
{
    unsigned min = c->pm_min_spare_servers, max = c->pm_max_spare_servers;
    Reporter there = reporter_at(r, c, "pm.start_servers");

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
    Reporter at_min = reporter_at(r, c, "pm.min_spare_servers");
    Reporter at_max = reporter_at(r, c, "pm.max_spare_servers");
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

static void check_processes(PoolConfig *c, const Reporter *r)
{
    Reporter at_timeout = reporter_at(r, c, "pm.process_idle_timeout");
    bool has_pm = check_present(c, "pm", "static, dynamic or ondemand", r);

    check_present(c, "pm.max_children", "the greatest number of workers", r);
    if (has_pm && c->pm == POOL_MODE_DYNAMIC)
        check_dynamic(c, r);
    if (has_pm && c->pm == POOL_MODE_ONDEMAND && c->pm_process_idle_timeout_usec == 0 &&
        line_of(c, "pm.process_idle_timeout") > 0)
        report(&at_timeout, CONFIG_ERROR, "pm.process_idle_timeout",
               "0 would end each worker at once, expected a time greater than 0");
}

static void check_extensions(const PoolConfig *c, const Reporter *r)
{
    Reporter there = reporter_at(r, c, "security.limit_extensions");

    for (size_t i = 0; i < c->n_limit_extensions; i++)
        if (c->limit_extensions[i][0] != '.')
            report(&there, CONFIG_WARNING, "security.limit_extensions",
                   "'%s' does not begin with a dot, so it allows every name that ends like this, "
                   "expected .%s",
                   c->limit_extensions[i], c->limit_extensions[i]);
}

static bool has_tcp(const PoolConfig *c)
{
    for (size_t i = 0; i < c->n_listen; i++)
        if (c->listen[i].kind == LISTEN_TCP)
            return true;
    /* Without the directive the socket unit alone knows. */
    return c->n_listen == 0;
}

static void check_clients(const PoolConfig *c, const Reporter *r)
{
    static const char name[] = "listen.allowed_clients";
    Reporter there = reporter_at(r, c, name);
    char network[52];

    /* As a list of nobody, which is what PHP-FPM makes of it, it would be of no use. */
    if (pool_config_text(c, name) && c->n_allowed_clients == 0 && has_tcp(c))
        report(&there, CONFIG_ERROR, name,
               "the value is empty, expected addresses, or no such line where all may connect");
    for (size_t i = 0; i < c->n_allowed_clients; i++)
        if (client_masked(&c->allowed_clients[i], network))
            report(&there, CONFIG_WARNING, name,
                   "a network has bits behind its prefix, which do not count, expected %s",
                   network);
}

/* PHP-FPM takes "/" only where nothing but the status is served. */
static void check_path(const PoolConfig *c, const char *directive, const char *path,
                       bool may_be_root, const Reporter *r)
{
    Reporter there = reporter_at(r, c, directive);

    if (path && strcmp(path, "/") == 0 && !may_be_root)
        report(&there, CONFIG_ERROR, directive,
               "'/' is too short, expected at least one more character");
}

/* Each of the list with what is before it, and with the others: those of listen. */
static void check_list(const PoolConfig *c, const char *directive, const ListenAddress *list,
                       size_t n, bool with_listen, const Reporter *r)
{
    Reporter there = reporter_at(r, c, directive);

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            if (listen_conflicts(&list[i], &list[k]))
                report(&there, CONFIG_ERROR, directive,
                       "'%.200s' cannot be bound besides '%.200s', expected each address once",
                       list[i].text, list[k].text);
        for (size_t k = 0; with_listen && k < c->n_listen; k++)
            if (listen_conflicts(&list[i], &c->listen[k]))
                report(&there, CONFIG_ERROR, directive,
                       "'%.200s' cannot be bound besides '%.200s' of listen, expected an address "
                       "of its own",
                       list[i].text, c->listen[k].text);
    }
}

static void check_addresses(const PoolConfig *c, const Reporter *r)
{
    check_list(c, "listen", c->listen, c->n_listen, false, r);
    check_list(c, "pm.status_listen", c->status_listen, c->n_status_listen, true, r);
}

static int check_status(PoolConfig *c, const Reporter *r)
{
    Reporter at_ping = reporter_at(r, c, "ping.path");
    Reporter at_response = reporter_at(r, c, "ping.response");

    check_path(c, "pm.status_path", c->status_path, c->n_status_listen > 0, r);
    check_path(c, "ping.path", c->ping_path, false, r);
    if (c->status_path && c->ping_path && strcmp(c->status_path, c->ping_path) == 0)
        report(&at_ping, CONFIG_ERROR, "ping.path",
               "'%.100s' is pm.status_path too, expected another path", c->ping_path);
    if (!c->ping_response)
        report(&at_response, CONFIG_ERROR, "ping.response",
               "the value is empty, expected the text of the answer");
    /* PHP-FPM's path where only the address was given. */
    if (c->n_status_listen > 0 && !c->status_path) {
        c->status_path = strdup("/");
        if (!c->status_path)
            return -ENOMEM;
    }
    return 0;
}

/* What a log has, or what it has to have. */
static int check_logs(PoolConfig *c, const Reporter *r)
{
    Reporter at_format = reporter_at(r, c, "access.format");
    Reporter at_timeout = reporter_at(r, c, "request_slowlog_timeout");
    Reporter at_suppress = reporter_at(r, c, "access.suppress_path");
    Reporter at_slowlog = reporter_at(r, c, "slowlog");
    _cleanup_(access_format_freep) AccessFormat *format = NULL;
    char error[256];
    int k;

    if (!c->access_format)
        report(
            &at_format, CONFIG_ERROR, "access.format",
            "the value is empty, expected a format such as \"%%R - %%u %%t \\\"%%m %%r\\\" %%s\"");
    else {
        k = access_format_new(c->access_format, &format, error, sizeof(error));
        if (k == -EINVAL)
            report(&at_format, CONFIG_ERROR, "access.format", "'%.200s': %s", c->access_format,
                   error);
        else if (k < 0)
            return k;
    }
    if (c->access_suppress.n > 0 && !c->access_log)
        report(&at_suppress, CONFIG_WARNING, "access.suppress_path",
               "has no effect without access.log, expected a file or journal there");
    if (c->slowlog && c->slowlog_timeout_usec == 0)
        report(&at_slowlog, CONFIG_WARNING, "slowlog",
               "has no effect without request_slowlog_timeout, expected a time there");
    if (c->request_terminate_timeout_usec > 0 &&
        c->slowlog_timeout_usec > c->request_terminate_timeout_usec)
        report(&at_timeout, CONFIG_ERROR, "request_slowlog_timeout",
               "'%s' is longer than request_terminate_timeout ('%s'), expected less",
               pool_config_text(c, "request_slowlog_timeout"),
               pool_config_text(c, "request_terminate_timeout"));
    return 0;
}

/* What is 0 or at least so long: less would take a pool out of service. */
static const struct {
    const char *directive;
    size_t field;
    uint64_t min_usec;
    const char *min, *why;
} shortest[] = {
    {"pm.max_lifetime", offsetof(PoolConfig, pm_max_lifetime_usec), USEC_PER_SEC, "1s",
     "workers would be replaced all the time"},
    {"request_terminate_timeout", offsetof(PoolConfig, request_terminate_timeout_usec),
     100 * USEC_PER_MSEC, "100ms", "hardly a request would live so long"},
    {"request_read_timeout", offsetof(PoolConfig, request_read_timeout_usec), 100 * USEC_PER_MSEC,
     "100ms", "requests that are on their way would be refused"},
    {"request_slowlog_timeout", offsetof(PoolConfig, slowlog_timeout_usec), 10 * USEC_PER_MSEC,
     "10ms", "hardly a request would not be slow"},
    {"queue_timeout", offsetof(PoolConfig, queue_timeout_usec), 100 * USEC_PER_MSEC, "100ms",
     "a short burst would be refused"},
    {"idle_exit", offsetof(PoolConfig, idle_exit_usec), USEC_PER_SEC, "1s",
     "the pool would start for each request"},
};

static void check_times(const PoolConfig *c, const Reporter *r)
{
    for (size_t i = 0; i < ARRAY_SIZE(shortest); i++) {
        Reporter there = reporter_at(r, c, shortest[i].directive);
        uint64_t usec;

        memcpy(&usec, (const char *)c + shortest[i].field, sizeof(usec));
        if (usec > 0 && usec < shortest[i].min_usec)
            report(&there, CONFIG_ERROR, shortest[i].directive,
                   "'%s' is too short, %s: expected 0 or at least %s",
                   pool_config_text(c, shortest[i].directive), shortest[i].why, shortest[i].min);
    }
}

/* PHP alone, with its opcode cache in memory that is shared. */
#define MEMORY_LEAST_BYTES (16 * 1024 * 1024)

/* As the table has it; fpmctl show prints it as a line. */
#define GRACE_DEFAULT_USEC (5 * USEC_PER_SEC)

/* Lines that do nothing, or that undo others. */
static void check_sense(const PoolConfig *c, const Reporter *r)
{
    Reporter at_threshold = reporter_at(r, c, "emergency_restart_threshold");
    Reporter at_grace = reporter_at(r, c, "request_terminate_grace");
    Reporter at_memory = reporter_at(r, c, "pm.max_memory");

    if (c->emergency_restart_threshold > 0 && c->emergency_restart_interval_usec == 0)
        report(&at_threshold, CONFIG_WARNING, "emergency_restart_threshold",
               "has no effect without emergency_restart_interval, expected a time there");
    if (c->request_terminate_grace_usec != GRACE_DEFAULT_USEC &&
        c->request_terminate_timeout_usec == 0)
        report(&at_grace, CONFIG_WARNING, "request_terminate_grace",
               "has no effect without request_terminate_timeout, expected a time there");
    if (c->pm_max_memory_bytes > 0 && c->pm_max_memory_bytes < MEMORY_LEAST_BYTES)
        report(&at_memory, CONFIG_WARNING, "pm.max_memory",
               "'%s' is less than PHP needs itself, so that each worker is replaced after its "
               "first request; expected 16M or more",
               pool_config_text(c, "pm.max_memory"));
}

/* A pool that has no worker while nobody comes needs no manager either. */
#define IDLE_EXIT_ONDEMAND_USEC (300 * USEC_PER_SEC)

static void complete_idle_exit(PoolConfig *c)
{
    if (!pool_config_text(c, "idle_exit"))
        c->idle_exit_usec = c->pm == POOL_MODE_ONDEMAND ? IDLE_EXIT_ONDEMAND_USEC : 0;
}

int check_pool(PoolConfig *c, const Reporter *r)
{
    int k = check_logs(c, r);

    if (k < 0)
        return k;
    complete_idle_exit(c);
    check_processes(c, r);
    check_times(c, r);
    check_sense(c, r);
    check_sandbox(c, r);
    check_extensions(c, r);
    check_clients(c, r);
    check_addresses(c, r);
    return check_status(c, r);
}
