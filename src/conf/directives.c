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
        .name = n, .scope = s, .type = t, .group = GROUP, .fate = FATE_HONOURED, .min = lo,        \
        .max = hi, .field = member, .fallback = d, .summary = text                                 \
    }
#define ARRAY(n, kind, text)                                                                       \
    {                                                                                              \
        .name = n, .scope = P, .type = TYPE_INI, .group = GROUP, .ini_kind = kind, .field = NONE,  \
        .summary = text                                                                            \
    }
#define SYSTEMD(n, s, t, lo, hi, d, setting, text)                                                 \
    {                                                                                              \
        .name = n, .scope = s, .type = t, .group = GROUP, .fate = FATE_SYSTEMD, .min = lo,         \
        .max = hi, .field = NONE, .fallback = d, .instead = setting, .summary = text               \
    }
#define REFUSED_AS(vital, n, s, t, lo, hi, d, why, text)                                           \
    {                                                                                              \
        .name = n, .scope = s, .type = t, .group = GROUP, .fate = FATE_REFUSED, .min = lo,         \
        .max = hi, .field = NONE, .fallback = d, .instead = why, .is_vital = vital,                \
        .summary = text                                                                            \
    }
#define REFUSED(...) REFUSED_AS(false, __VA_ARGS__)
#define VITAL(...)   REFUSED_AS(true, __VA_ARGS__)

/* GROUP is the heading below which the rows stand. */
static const Directive directives[] = {
#define GROUP GROUP_WHO
    HONOURED("user", P, TYPE_NAME, 0, 0, F(user), NULL,
             "User of the workers, a name or a number; mandatory unless the unit has User=."),
    HONOURED("group", P, TYPE_NAME, 0, 0, F(group), NULL,
             "Group of the workers, a name or a number; without it the user's primary group."),
    HONOURED("supplementary_groups", P, TYPE_NAMES, 0, 0, F(supplementary_groups), NULL,
             "Groups of the workers besides those that the user database gives their user."),
    HONOURED("chdir", P, TYPE_PREFIXED, 0, 0, F(chdir), NULL,
             "Working directory in which the workers start."),
    HONOURED("runtime", P, TYPE_PROGRAM, 0, 0, F(runtime), FPMD_DEFAULT_RUNTIME,
             "Program that serves the requests, a file of fpmd's libexec directory."),
    HONOURED("php_ini", P, TYPE_PATH, 0, 0, F(php_ini), NULL,
             "The pool's php.ini; without it PHP-FPM's or, where there is none, another PHP's."),
    HONOURED("php_ini_scan_dir", P, TYPE_SCAN_DIRS, 0, 0, F(php_ini_scan_dir), NULL,
             "Directories of further .ini files, with colons between; without it PHP-FPM's."),
    HONOURED("prefix", P, TYPE_PREFIXED, 0, 0, F(prefix), NULL,
             "Directory before relative paths of the pool; without it /usr, as PHP-FPM has it."),
    HONOURED("chroot", P, TYPE_PREFIXED, 0, 0, F(chroot), NULL,
             "Root directory of the workers; the service unit has to grant CAP_SYS_CHROOT."),

#undef GROUP
#define GROUP GROUP_LISTENING
    HONOURED("listen", P, TYPE_ADDRESSES, 0, 0, F(listen), NULL,
             "Addresses of the pool: paths, ports or host:port; fpmctl apply gives them to the "
             "socket unit."),
    HONOURED("listen.backlog", P, TYPE_SIGNED, -1, INT_MAX, F(listen_backlog), "-1",
             "Length of the queue of connections; -1 is the longest that the kernel allows."),
    HONOURED("listen.owner", P, TYPE_NAME, 0, 0, F(listen_owner), NULL,
             "Owner of the unix sockets; without it root."),
    HONOURED("listen.group", P, TYPE_NAME, 0, 0, F(listen_group), NULL,
             "Group of the unix sockets; without it that of the socket unit."),
    HONOURED("listen.mode", P, TYPE_MODE, 0, 0, F(listen_mode), "0660",
             "Octal mode of the unix sockets."),
    HONOURED("listen.acl_users", P, TYPE_NAMES, 0, 0, F(listen_acl_users), NULL,
             "Users that may connect to a unix socket besides its owner."),
    HONOURED("listen.acl_groups", P, TYPE_NAMES, 0, 0, F(listen_acl_groups), NULL,
             "Groups that may connect to a unix socket besides its group."),
    HONOURED("listen.allowed_clients", P, TYPE_CLIENTS, 0, 0, F(allowed_clients), NULL,
             "Addresses or networks (192.0.2.0/24) that may connect over TCP; without it all."),
    REFUSED("listen.setfib", P, TYPE_SIGNED, -1, INT_MAX, "-1",
            "it is a setting of FreeBSD, and Linux has no such thing",
            "Routing table of the socket on FreeBSD."),

#undef GROUP
#define GROUP GROUP_PROCESSES
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
    HONOURED("pm.max_memory", P, TYPE_SIZE, 0, INT64_MAX, F(pm_max_memory_bytes), "0",
             "Memory of a worker above which it is replaced after its request; 0 is no limit."),
    HONOURED("pm.max_lifetime", P, TYPE_TIME, 0, TIME_MAX, F(pm_max_lifetime_usec), "0",
             "Age at which a worker is replaced by a fresh one; 0 is no limit."),
    HONOURED("pm.start_timeout", P, TYPE_TIME, USEC_PER_SEC, TIME_MAX, F(pm_start_timeout_usec),
             "60s",
             "Longest time for a generation to start, preloading and first workers included."),
    HONOURED(
        "process_control_timeout", GP, TYPE_TIME, 0, TIME_MAX, F(process_control_timeout_usec), "0",
        "Longest time for requests to finish at a stop or reload; 0 is the unit's limit alone."),
    HONOURED("rlimit_files", GP, TYPE_FILES, 0, INT_MAX, F(rlimit_files), NULL,
             "Most open files of a worker; without it or with 0 the unit's limit."),
    HONOURED("rlimit_core", GP, TYPE_RLIMIT, 0, INT64_MAX, F(rlimit_core), NULL,
             "Largest core dump of a worker in bytes, or unlimited; without it the unit's limit."),
    HONOURED("process.priority", GP, TYPE_SIGNED, -19, 20, F(process_priority), NULL,
             "Scheduling priority of the workers; below 0 only with Nice= of the service unit."),
    HONOURED("process.dumpable", P, TYPE_BOOL, 0, 0, F(process_dumpable), "no",
             "Whether workers may leave core dumps (how large: rlimit_core)."),
    SYSTEMD("process.max", G, TYPE_UNSIGNED, 0, INT_MAX, "0", "TasksMax= of system-fpmd.slice",
            "Most workers of all pools together; each fpmd runs one pool."),
    HONOURED("pm.worker_memory_max", P, TYPE_SIZE, 0, INT64_MAX, F(pm_worker_memory_max_bytes), "0",
             "Memory that a worker and its programs can take at all (its cgroup); 0 is no limit."),
    HONOURED("pm.worker_tasks_max", P, TYPE_UNSIGNED, 0, INT_MAX, F(pm_worker_tasks_max), "0",
             "Processes and threads that a worker can have at all (its cgroup); 0 is no limit."),
    HONOURED("unit.read_write_paths", P, TYPE_PATHS, 0, 0, F(unit_read_write_paths), NULL,
             "Paths that scripts read and write and that the service unit would hide or protect."),
    HONOURED("unit.read_only_paths", P, TYPE_PATHS, 0, 0, F(unit_read_only_paths), NULL,
             "Paths that scripts only read and that the service unit would hide."),
    HONOURED("emergency_restart_threshold", GP, TYPE_UNSIGNED, 0, INT_MAX,
             F(emergency_restart_threshold), "0",
             "Crashes within emergency_restart_interval that bring a new generation; 0 is never."),
    HONOURED("emergency_restart_interval", GP, TYPE_TIME, 0, TIME_MAX,
             F(emergency_restart_interval_usec), "0",
             "Time in which so many crashes bring a new generation; 0 is never."),
    HONOURED("request_terminate_timeout", P, TYPE_TIME, 0, TIME_MAX,
             F(request_terminate_timeout_usec), "0",
             "Time after which a request is stopped and answered 504; 0 is never."),
    HONOURED("request_terminate_timeout_track_finished", P, TYPE_BOOL, 0, 0,
             F(request_terminate_timeout_track_finished), "no",
             "Whether that time goes on after fastcgi_finish_request()."),
    HONOURED("request_terminate_grace", P, TYPE_TIME, 0, TIME_MAX, F(request_terminate_grace_usec),
             "5s", "Time that a stopped script has to clean up before its worker is ended."),
    HONOURED("request_read_timeout", P, TYPE_TIME, 0, TIME_MAX, F(request_read_timeout_usec), "60s",
             "Longest time without a byte of a request that has begun, then 408; 0 is no limit."),
    HONOURED("request_first_byte_timeout", P, TYPE_TIME, 0, TIME_MAX, F(first_byte_timeout_usec),
             "60s", "Longest time that a new connection may stay silent; 0 is no limit."),
    HONOURED("queue_timeout", P, TYPE_TIME, 0, TIME_MAX, F(queue_timeout_usec), "0",
             "Longest time that a connection waits for a worker, then 503; 0 is no limit."),
    HONOURED("idle_exit", P, TYPE_TIME, 0, TIME_MAX, F(idle_exit_usec), NULL,
             "Time without requests after which the pool ends until the next one; 0 is never."),

#undef GROUP
#define GROUP GROUP_SCRIPTS
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
    HONOURED("security.allow_php_value", P, TYPE_BOOL, 0, 0, F(allow_php_value), "yes",
             "Whether the web server may set PHP_VALUE and PHP_ADMIN_VALUE for a request."),
    HONOURED("security.body_file_paths", P, TYPE_PATHS, 0, 0, F(body_file_paths),
             "/var/lib/nginx /var/cache/nginx",
             "Folders below which the web server may name a file in REQUEST_BODY_FILE."),
    HONOURED("security.max_params_size", P, TYPE_SIZE, 4096, 16 * 1024 * 1024, F(max_params_bytes),
             "1M", "Most bytes of the parameters (headers) of a request, names and values."),
    HONOURED("security.max_params", P, TYPE_UNSIGNED, 16, 65536, F(max_params), "4096",
             "Most parameters (headers) of a request."),
    VITAL("apparmor_hat", P, TYPE_TEXT, 0, 0, NULL,
          "no_new_privs forbids it; AppArmorProfile= of the service unit confines the whole pool",
          "AppArmor hat that the workers put on."),

#undef GROUP
#define GROUP GROUP_SANDBOX
    HONOURED("sandbox.seccomp", P, TYPE_SECCOMP, 0, 0, F(sandbox_seccomp), "default",
             "Which system calls workers may make: strict, default, or off for no filter."),
    HONOURED("sandbox.syscalls", P, TYPE_SYSCALLS, 0, 0, F(sandbox_syscalls), NULL,
             "System calls and @groups added to that (+name) or taken from it (-name)."),
    HONOURED("sandbox.exec", P, TYPE_BOOL, 0, 0, F(sandbox_exec), "yes",
             "Whether scripts may start programs: exec(), mail(), proc_open()."),
    HONOURED("sandbox.report", P, TYPE_BOOL, 0, 0, F(sandbox_report), "no",
             "Whether denied system calls are recorded in the journal."),
    HONOURED("sandbox.landlock", P, TYPE_LANDLOCK, 0, 0, F(sandbox_landlock_optional), "required",
             "What becomes of the next four where the kernel cannot do them."),
    HONOURED("sandbox.read", P, TYPE_GRANTS, 0, 0, F(sandbox_read), NULL,
             "Folders and files that workers may read; without it all that their user may."),
    HONOURED("sandbox.write", P, TYPE_GRANTS, 0, 0, F(sandbox_write), NULL,
             "Folders and files that workers may change; without it all that their user may."),
    HONOURED("sandbox.exec_paths", P, TYPE_GRANTS, 0, 0, F(sandbox_exec_paths), NULL,
             "Folders and files that workers may execute; without it all that their user may."),
    HONOURED("sandbox.tcp_connect", P, TYPE_PORTS, 0, 0, F(sandbox_tcp_connect), NULL,
             "TCP ports that workers may connect to; without it all."),
    HONOURED("sandbox.abstract_sockets", P, TYPE_BOOL, 0, 0, F(sandbox_abstract_sockets), "no",
             "Whether workers may connect to abstract unix sockets of other services."),
    HONOURED("sandbox.opcache", P, TYPE_SHARING, 0, 0, F(sandbox_opcache_private), "shared",
             "Whether workers share the memory of OPcache, or each has a private copy."),
    HONOURED("sandbox.retire_on_crash", P, TYPE_BOOL, 0, 0, F(sandbox_retire_on_crash), "no",
             "Whether a worker that dies of a signal or its filter brings a new generation."),

#undef GROUP
#define GROUP GROUP_STATUS
    HONOURED("pm.status_path", P, TYPE_URI, 0, 0, F(status_path), NULL,
             "URI of the status page (?full, ?json, ?xml, ?html, ?openmetrics)."),
    HONOURED("pm.status_listen", P, TYPE_ADDRESSES, 0, 0, F(status_listen), NULL,
             "Addresses at which only the status page and the ping are answered."),
    HONOURED("ping.path", P, TYPE_URI, 0, 0, F(ping_path), NULL,
             "URI that answers when the pool is alive."),
    HONOURED("ping.response", P, TYPE_TEXT, 0, 0, F(ping_response), "pong", "Text of that answer."),
    HONOURED("access.log", P, TYPE_LOG, 0, 0, F(access_log), NULL,
             "File of the access log, or journal for a record of each request; without it none."),
    HONOURED("access.format", P, TYPE_TEXT, 0, 0, F(access_format), "%R - %u %t \"%m %r\" %s",
             "Format of the lines of the access log."),
    HONOURED("access.suppress_path", P, TYPE_URIS, 0, 0, F(access_suppress), NULL,
             "URI whose successful requests without a query the access log leaves out."),
    HONOURED("slowlog", P, TYPE_LOG, 0, 0, F(slowlog), NULL,
             "File that gets slow requests besides the journal, in the form of PHP-FPM."),
    HONOURED("request_slowlog_timeout", P, TYPE_TIME, 0, TIME_MAX, F(slowlog_timeout_usec), "0",
             "Time after which a request is slow and its call stack is recorded; 0 is never."),
    HONOURED("request_slowlog_trace_depth", P, TYPE_UNSIGNED, 1, INT_MAX, F(slowlog_trace_depth),
             "20", "Most frames of such a call stack."),
    HONOURED("catch_workers_output", P, TYPE_BOOL, 0, 0, F(catch_workers_output), "yes",
             "Whether stdout and stderr of workers go to the journal; otherwise they are lost."),
    SYSTEMD("decorate_workers_output", P, TYPE_BOOL, 0, 0, "yes",
            "the journal, whose records have the worker as a field",
            "Whether lines of workers get a prefix in the log."),
    HONOURED("log_level", GP, TYPE_LOG_LEVEL, 0, 0, F(log_level), "notice",
             "Least severity of records: debug, notice, warning, error or alert."),
    SYSTEMD("log_limit", G, TYPE_UNSIGNED, 512, INT_MAX, "1024",
            "LineMax= of journald.conf(5), and records are never cut",
            "Longest line of a log in bytes."),
    SYSTEMD("log_buffering", G, TYPE_BOOL, 0, 0, "yes", "the journal, which takes whole records",
            "Whether a line of the log is written at once."),
    SYSTEMD("error_log", G, TYPE_LOG, 0, 0, NULL, "the journal: journalctl -u fpmd@POOL",
            "File of the log of the manager."),
    SYSTEMD("syslog.ident", G, TYPE_TEXT, 0, 0, "php-fpm", "SyslogIdentifier= of the service unit",
            "Name of the program in syslog."),
    SYSTEMD("syslog.facility", G, TYPE_FACILITY, 0, 0, "daemon",
            "SyslogFacility= of the service unit", "Facility of the records in syslog."),

#undef GROUP
#define GROUP GROUP_DAEMON
    SYSTEMD("pid", G, TYPE_LOG, 0, 0, NULL, "Type=notify of the service unit",
            "File with the number of the manager."),
    SYSTEMD("daemonize", G, TYPE_BOOL, 0, 0, "yes", "Type=notify of the service unit",
            "Whether the manager goes to the background."),
    SYSTEMD("events.mechanism", G, TYPE_TEXT, 0, 0, NULL, "sd-event, which always takes epoll",
            "System call with which the manager waits for events."),
    SYSTEMD("systemd_interval", G, TYPE_TIME, 0, TIME_MAX, "10s",
            "WatchdogSec= of the service unit; the status is always current",
            "Time between two status messages to systemd."),
#undef GROUP
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
