#include "conf/directives.h"

#include <limits.h>

#define F(member) offsetof(PoolConfig, member)
#define NONE      DIRECTIVE_NO_FIELD
#define G         SCOPE_GLOBAL
#define P         SCOPE_POOL
#define GP        SCOPE_BOTH

/* Workers of one pool: far beyond what a machine can run, and small enough to count slots in 16
 * bits. */
#define CHILDREN_MAX UINT16_MAX
/* Whole seconds of some thirty years: every sum of times stays far from overflowing. */
#define TIME_MAX (INT64_C(1000000000) * (int64_t)USEC_PER_SEC)

/* A honoured directive with its field; min and max where the type has them. */
#define HONOURED(n, s, t, lo, hi, member, d, text)                                                 \
    {                                                                                              \
        .name = n, .scope = s, .type = t, .fate = FATE_HONOURED, .min = lo, .max = hi,             \
        .field = member, .fallback = d, .summary = text                                            \
    }
#define ARRAY(n, kind, text)                                                                       \
    {                                                                                              \
        .name = n, .scope = P, .type = TYPE_INI, .ini_kind = kind, .field = NONE, .summary = text  \
    }
#define SYSTEMD(n, s, t, lo, hi, d, setting, text)                                                 \
    {                                                                                              \
        .name = n, .scope = s, .type = t, .fate = FATE_SYSTEMD, .min = lo, .max = hi,              \
        .field = NONE, .fallback = d, .instead = setting, .summary = text                          \
    }
#define WITHOUT(f, n, s, t, lo, hi, d, text)                                                       \
    {                                                                                              \
        .name = n, .scope = s, .type = t, .fate = f, .min = lo, .max = hi, .field = NONE,          \
        .fallback = d, .summary = text                                                             \
    }
#define LATER(...)   WITHOUT(FATE_LATER, __VA_ARGS__)
#define REFUSED(...) WITHOUT(FATE_REFUSED, __VA_ARGS__)

static const Directive directives[] = {
    /* Who and where */
    HONOURED("user", P, TYPE_NAME, 0, 0, F(user), NULL,
             "User of the workers, a name or a number; mandatory unless the unit has User=."),
    HONOURED("group", P, TYPE_NAME, 0, 0, F(group), NULL,
             "Group of the workers, a name or a number; without it the user's primary group."),
    HONOURED("chdir", P, TYPE_PATH, 0, 0, F(chdir), NULL,
             "Working directory in which the workers start."),
    HONOURED("runtime", P, TYPE_PROGRAM, 0, 0, F(runtime), FPMD_DEFAULT_RUNTIME,
             "Program that serves the requests, a file of fpmd's libexec directory."),
    HONOURED("php_ini", P, TYPE_PATH, 0, 0, F(php_ini), NULL,
             "The pool's php.ini; without it the one of PHP-FPM for that PHP version."),
    HONOURED("php_ini_scan_dir", P, TYPE_SCAN_DIRS, 0, 0, F(php_ini_scan_dir), NULL,
             "Directories of further .ini files, with colons between; without it PHP-FPM's."),
    LATER("prefix", P, TYPE_PATH, 0, 0, NULL, "Directory before relative paths of the pool."),
    REFUSED("chroot", P, TYPE_PATH, 0, 0, NULL, "Root directory of the workers."),

    /* Listening */
    HONOURED(
        "listen", P, TYPE_ADDRESSES, 0, 0, F(listen), NULL,
        "Addresses (path, port, host:port) for fpmd --foreground; else the socket unit has them."),
    HONOURED("listen.backlog", P, TYPE_SIGNED, -1, INT_MAX, F(listen_backlog), "-1",
             "Length of the queue of connections; -1 is the longest that the kernel allows."),
    HONOURED("listen.owner", P, TYPE_NAME, 0, 0, F(listen_owner), NULL,
             "Owner of a unix socket that fpmd itself makes."),
    HONOURED("listen.group", P, TYPE_NAME, 0, 0, F(listen_group), NULL,
             "Group of a unix socket that fpmd itself makes."),
    HONOURED("listen.mode", P, TYPE_MODE, 0, 0, F(listen_mode), "0660",
             "Octal mode of a unix socket that fpmd itself makes."),
    SYSTEMD("listen.acl_users", P, TYPE_TEXT, 0, 0, NULL,
            "ExecStartPost=setfacl of the socket unit",
            "Users that may connect to a unix socket besides its owner."),
    SYSTEMD("listen.acl_groups", P, TYPE_TEXT, 0, 0, NULL,
            "ExecStartPost=setfacl of the socket unit",
            "Groups that may connect to a unix socket besides its group."),
    REFUSED("listen.allowed_clients", P, TYPE_TEXT, 0, 0, NULL,
            "Addresses of the clients that may connect over TCP."),
    SYSTEMD("listen.setfib", P, TYPE_SIGNED, -1, INT_MAX, "-1",
            "nothing, it is a setting of FreeBSD", "Routing table of the socket on FreeBSD."),

    /* Processes */
    HONOURED("pm", P, TYPE_PM, 0, 0, F(pm), NULL,
             "How the number of workers is chosen: static, dynamic or ondemand; mandatory."),
    HONOURED("pm.max_children", P, TYPE_UNSIGNED, 1, CHILDREN_MAX, F(pm_max_children), NULL,
             "Most workers that run at the same time, with static all of them; mandatory."),
    HONOURED("pm.start_servers", P, TYPE_UNSIGNED, 0, CHILDREN_MAX, F(pm_start_servers), NULL,
             "Workers at start (dynamic); without it half way between the two limits of spares."),
    HONOURED("pm.min_spare_servers", P, TYPE_UNSIGNED, 1, CHILDREN_MAX, F(pm_min_spare_servers),
             NULL, "Fewest idle workers; with fewer, some are started (dynamic, mandatory there)."),
    HONOURED("pm.max_spare_servers", P, TYPE_UNSIGNED, 1, CHILDREN_MAX, F(pm_max_spare_servers),
             NULL, "Most idle workers; with more, some are ended (dynamic, mandatory there)."),
    HONOURED("pm.max_spawn_rate", P, TYPE_UNSIGNED, 1, CHILDREN_MAX, F(pm_max_spawn_rate), "32",
             "Most workers that may be starting at the same time (dynamic)."),
    HONOURED("pm.process_idle_timeout", P, TYPE_TIME, 0, TIME_MAX, F(pm_process_idle_timeout_usec),
             "10s", "Time after which an idle worker is ended (ondemand)."),
    HONOURED("pm.max_requests", P, TYPE_COUNT, 0, INT64_MAX, F(pm_max_requests), "0",
             "Requests after which a worker is replaced by a fresh one; 0 is never."),
    HONOURED("process_control_timeout", GP, TYPE_TIME, 0, TIME_MAX, F(process_control_timeout_usec),
             "0",
             "Longest time for requests to finish at a stop or reload; 0 leaves it to the unit."),
    HONOURED("rlimit_files", GP, TYPE_FILES, 0, INT_MAX, F(rlimit_files), NULL,
             "Most open files of a worker; without it or with 0 the unit's limit."),
    HONOURED("rlimit_core", GP, TYPE_RLIMIT, 0, INT64_MAX, F(rlimit_core), NULL,
             "Largest core dump of a worker in bytes, or unlimited; without it the unit's limit."),
    SYSTEMD("process.priority", GP, TYPE_SIGNED, -19, 20, NULL, "Nice= of the service unit",
            "Scheduling priority of the workers."),
    LATER("process.dumpable", P, TYPE_BOOL, 0, 0, "no",
          "Whether workers may be traced and dump core although they changed their user."),
    LATER("process.max", G, TYPE_UNSIGNED, 0, INT_MAX, "0",
          "Most workers of all pools together; each fpmd runs one pool."),
    LATER("emergency_restart_threshold", G, TYPE_UNSIGNED, 0, INT_MAX, "0",
          "Crashes of workers within emergency_restart_interval that begin a reload."),
    LATER("emergency_restart_interval", G, TYPE_TIME, 0, TIME_MAX, "0",
          "Time in which emergency_restart_threshold counts."),
    LATER("request_terminate_timeout", P, TYPE_TIME, 0, TIME_MAX, "0",
          "Time after which the worker of a request is ended; 0 is never."),
    LATER("request_terminate_timeout_track_finished", P, TYPE_BOOL, 0, 0, "no",
          "Whether that time goes on after fastcgi_finish_request()."),

    /* What scripts see */
    HONOURED("clear_env", P, TYPE_BOOL, 0, 0, F(clear_env), "yes",
             "Whether workers start without the environment variables of the manager."),
    HONOURED("env", P, TYPE_ENV, 0, 0, NONE, NULL,
             "Environment variable of the workers; $NAME is the manager's variable NAME."),
    ARRAY("php_value", INI_VALUE, "Setting of php.ini that scripts may change."),
    ARRAY("php_flag", INI_FLAG,
          "Setting of php.ini that is on or off and that scripts may change."),
    ARRAY("php_admin_value", INI_ADMIN_VALUE, "Setting of php.ini that scripts cannot change."),
    ARRAY("php_admin_flag", INI_ADMIN_FLAG,
          "Setting of php.ini that is on or off and that scripts cannot change."),
    HONOURED("security.limit_extensions", P, TYPE_EXTENSIONS, 0, 0, F(limit_extensions),
             ".php .phar", "Ends of the file names that may be run as scripts; empty allows all."),
    REFUSED("apparmor_hat", P, TYPE_TEXT, 0, 0, NULL, "AppArmor hat that the workers put on."),

    /* Status, ping and logs */
    LATER("pm.status_path", P, TYPE_URI, 0, 0, NULL, "URI of the status page."),
    LATER("pm.status_listen", P, TYPE_ADDRESSES, 0, 0, NULL, "Address of the status page alone."),
    LATER("ping.path", P, TYPE_URI, 0, 0, NULL, "URI that answers when the pool is alive."),
    LATER("ping.response", P, TYPE_TEXT, 0, 0, "pong", "Text of that answer."),
    LATER("access.log", P, TYPE_LOG, 0, 0, NULL, "File of the access log."),
    LATER("access.format", P, TYPE_TEXT, 0, 0, "\"%R - %u %t \\\"%m %r\\\" %s\"",
          "Format of the access log."),
    LATER("access.suppress_path", P, TYPE_URIS, 0, 0, NULL, "URI that the access log leaves out."),
    LATER("slowlog", P, TYPE_LOG, 0, 0, NULL, "File of the log of slow requests."),
    LATER("request_slowlog_timeout", P, TYPE_TIME, 0, TIME_MAX, "0",
          "Time after which a request is slow; 0 is never."),
    LATER("request_slowlog_trace_depth", P, TYPE_UNSIGNED, 1, INT_MAX, "20",
          "Most frames of a call stack in the log of slow requests."),
    HONOURED("catch_workers_output", P, TYPE_BOOL, 0, 0, F(catch_workers_output), "yes",
             "Whether stdout and stderr of workers go to the journal; otherwise they are lost."),
    SYSTEMD("decorate_workers_output", P, TYPE_BOOL, 0, 0, "yes",
            "the journal, whose records have the worker as a field",
            "Whether lines of workers get a prefix in the log."),
    HONOURED("log_level", GP, TYPE_LOG_LEVEL, 0, 0, F(log_level), "notice",
             "Least severity of records: debug, notice, warning, error or alert."),
    LATER("log_limit", G, TYPE_UNSIGNED, 512, INT_MAX, "1024", "Longest line of a log in bytes."),
    SYSTEMD("log_buffering", G, TYPE_BOOL, 0, 0, "yes", "the journal, which takes whole records",
            "Whether a line of the log is written at once."),
    SYSTEMD("error_log", G, TYPE_LOG, 0, 0, NULL, "the journal: journalctl -u fpmd@POOL",
            "File of the log of the manager."),
    SYSTEMD("syslog.ident", G, TYPE_TEXT, 0, 0, "php-fpm", "SyslogIdentifier= of the service unit",
            "Name of the program in syslog."),
    SYSTEMD("syslog.facility", G, TYPE_FACILITY, 0, 0, "daemon",
            "SyslogFacility= of the service unit", "Facility of the records in syslog."),

    /* Of a daemon without systemd */
    SYSTEMD("pid", G, TYPE_LOG, 0, 0, NULL, "Type=notify of the service unit",
            "File with the number of the manager."),
    SYSTEMD("daemonize", G, TYPE_BOOL, 0, 0, "yes", "Type=notify of the service unit",
            "Whether the manager goes to the background."),
    SYSTEMD("events.mechanism", G, TYPE_TEXT, 0, 0, NULL, "sd-event, which always takes epoll",
            "System call with which the manager waits for events."),
    SYSTEMD("systemd_interval", G, TYPE_TIME, 0, TIME_MAX, "10s",
            "WatchdogSec= of the service unit; the status is always current",
            "Time between two status messages to systemd."),
};

const Directive *directives_get(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(directives);
    return directives;
}

size_t directives_count(void)
{
    return ARRAY_SIZE(directives);
}

size_t directive_index(const Directive *d)
{
    return (size_t)(d - directives);
}
