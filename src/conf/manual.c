#include "conf/manual.h"

#include <string.h>

#define EXAMPLE(...)                                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const Manual manuals[] = {
    {"user", EXAMPLE("www-data"), true,
     "Root is refused, as user and as group. In the pool of a user (systemctl --user), or where "
     "the "
     "unit has `User=` and no capabilities, workers run as the manager does, and a line with "
     "another user is warned of and ignored."},
    {"group", EXAMPLE("www-data"), true, NULL},
    {"supplementary_groups", EXAMPLE("ssl-cert"), false,
     "PHP-FPM has no such directive. A group that does not exist, or is root's, is an error."},
    {"chdir", EXAMPLE("/"), false,
     "With `chroot` the path is one below it. A relative path begins at `prefix`."},
    {"runtime", EXAMPLE("php8.2"), false,
     "PHP of another version is another program there, so pools with different versions live side "
     "by side."},
    {"php_ini", EXAMPLE("/etc/php/8.2/fpm/php.ini"), false, NULL},
    {"php_ini_scan_dir", EXAMPLE("/etc/php/8.2/fpm/conf.d"), false,
     "Which extensions a pool loads is said here: each pool has a PHP of its own. OPcache and "
     "preloading are set by pool too, in these files or with `php_admin_value`."},
    {"prefix", EXAMPLE("/path/to/pools/$pool"), false,
     "It goes before relative paths of `chroot`, `chdir`, `listen`, `pm.status_listen` and, where "
     "no `chroot` is set, of these keys of php_value and php_admin_value: error_log (but not "
     "syslog), extension_dir, sendmail_path, session.cookie_path, soap.wsdl_cache_dir, "
     "session_pgsql.sem_file_name, uploadprogress.file.filename_template, xdebug.output_dir and "
     "the others that PHP-FPM completes. The folder has to exist. A path that gets `/usr` for lack "
     "of a prefix is warned of."},
    {"chroot", EXAMPLE("$prefix/root"), false,
     "An absolute path, one that begins with `$prefix`, or one below `prefix`. The folder has to "
     "exist. The template starts PHP outside, so php.ini, extensions and preloaded files are those "
     "of the machine, and then goes into it for good. fpmctl apply gives the service unit the "
     "capability that this needs."},

    {"listen", EXAMPLE("/run/fpmd/$pool.sock"), false,
     "Several addresses have blanks or commas between. A port alone is that port of all addresses, "
     "IPv6 and IPv4; `0.0.0.0:9000` is IPv4 alone. A word that can be neither a port nor host:port "
     "is the path of a socket below `prefix`. Without the line the addresses of the socket unit "
     "stay: /run/fpmd/POOL.sock. fpmd --foreground binds them itself."},
    {"listen.owner", EXAMPLE("www-data"), false, NULL},
    {"listen.group", EXAMPLE("www-data"), false, NULL},
    {"listen.acl_users", EXAMPLE("www-data"), false,
     "Names or numbers; the file system has to know access control lists."},
    {"listen.acl_groups", EXAMPLE("www-data"), false, NULL},
    {"listen.allowed_clients", EXAMPLE("127.0.0.1, ::1"), false,
     "It says nothing about unix sockets. All of an address is compared, of a network its prefix. "
     "An IPv4 address is also meant where it comes in by an IPv6 socket. An empty list is an error "
     "where there are addresses of TCP."},

    {"pm", EXAMPLE("dynamic"), true,
     "static: always pm.max_children workers. dynamic: as many as load needs, with spare ones "
     "between pm.min_spare_servers and pm.max_spare_servers. ondemand: none without requests."},
    {"pm.max_children", EXAMPLE("5"), true, NULL},
    {"pm.start_servers", EXAMPLE("2"), true, NULL},
    {"pm.min_spare_servers", EXAMPLE("1"), true, NULL},
    {"pm.max_spare_servers", EXAMPLE("3"), true, NULL},
    {"pm.max_memory", EXAMPLE(NULL), false,
     "What counts is the resident memory, as ps(1) has it in RSS, memory of OPcache that the "
     "worker "
     "has used among it; it is looked at after each request. The next worker is started before "
     "this one takes its leave."},
    {"pm.max_lifetime", EXAMPLE(NULL), false,
     "Each worker is replaced up to a tenth earlier, so that those that were started together do "
     "not leave together. A request is finished first, however old the worker."},
    {"pm.start_timeout", EXAMPLE(NULL), false,
     "A generation that has not got so far is given up: a reload is refused, a start fails and is "
     "tried again."},
    {"process_control_timeout", EXAMPLE(NULL), false,
     "It begins when the workers are told to leave. Those that still run a request then are ended; "
     "a client that has got nothing yet gets 503. With 0 a reload waits for them without "
     "limit, and a stop as long as `TimeoutStopSec=` of the unit, 90 seconds. With PHP-FPM 0 means "
     "to end them at once."},
    {"emergency_restart_threshold", EXAMPLE(NULL), false,
     "A crash is the end of a worker by SIGSEGV or SIGBUS, which may mean that the shared memory "
     "of "
     "OPcache is damaged. The new generation has a cache of its own, and requests of the old one "
     "are finished."},
    {"request_terminate_timeout", EXAMPLE(NULL), false,
     "First PHP is asked to stop: shutdown functions run, what the script has buffered is thrown "
     "away. A script that has not ended after `request_terminate_grace`, since it waits in C, is "
     "ended with its worker and the programs that it has started. The client gets 504 where "
     "nothing of the answer was sent yet; else the answer ends there."},
    {"request_terminate_grace", EXAMPLE(NULL), false, "PHP-FPM has none: it kills the worker."},
    {"request_read_timeout", EXAMPLE(NULL), false,
     "Counted from the last byte that came. Idle kept connections, and bodies that a script has "
     "stopped reading, are not touched. PHP-FPM waits for ever."},
    {"request_first_byte_timeout", EXAMPLE(NULL), false,
     "For connections that have carried no request yet; web servers send one at once. Kept-alive "
     "ones stay as long as the web server likes. PHP-FPM waits for ever, with a worker."},
    {"queue_timeout", EXAMPLE(NULL), false,
     "For pools that are full: when all pm.max_children workers are busy, clients that have waited "
     "for so long get 503 with Retry-After, the oldest first. Should be below the time after which "
     "the web server gives up (nginx: fastcgi_read_timeout, 60s)."},
    {"idle_exit", EXAMPLE("5m"), false,
     "Manager, template and workers end, and the next connection starts them again, in some 80 ms "
     "and with an empty opcode cache. Without the line it is 5m with `pm = ondemand`, and never "
     "with static and dynamic. Not with --foreground, where nobody would start the pool again."},
    {"rlimit_files", EXAMPLE("1024"), false, NULL},
    {"rlimit_core", EXAMPLE("0"), false, NULL},
    {"process.priority", EXAMPLE("5"), false, NULL},
    {"pm.worker_memory_max", EXAMPLE(NULL), false,
     "Each worker gets a cgroup of its own with `memory.max`; when it is full, that worker ends "
     "with the programs that it has started, and nothing else. fpmctl apply has systemd delegate "
     "the controller to the service. Where the machine has none, the pool does not start. PHP's "
     "own memory_limit is softer and cheaper, and pm.max_memory replaces a worker between "
     "requests."},
    {"pm.worker_tasks_max", EXAMPLE(NULL), false,
     "The same with `pids.max`: a script that forks without end gets an error."},
    {"unit.read_write_paths", EXAMPLE("/opt/shop/var"), false,
     "The service unit shows workers the whole file system to read and /var and /srv to write, but "
     "no homes. fpmctl apply finds what more a pool needs from the paths in its file; these two "
     "lists are for what only scripts know of."},
    {"unit.read_only_paths", EXAMPLE("/home/shop/templates"), false, NULL},

    {"env",
     EXAMPLE("[HOSTNAME] = $HOSTNAME", "[PATH] = /usr/local/bin:/usr/bin:/bin", "[TMP] = /tmp",
             "[TMPDIR] = /tmp", "[TEMP] = /tmp"),
     false,
     "A value that begins with `$` is as a whole the name of a variable of the manager, and empty "
     "when that is not set. An empty value is an error."},
    {"php_value", EXAMPLE("[error_reporting] = E_ALL & ~E_NOTICE"), false,
     "The value is written as in php.ini, and PHP reads it: constants and `| & ^ ~ !` are "
     "computed."},
    {"php_flag", EXAMPLE("[display_errors] = off"), false, NULL},
    {"php_admin_value", EXAMPLE("[memory_limit] = 128M", "[opcache.memory_consumption] = 128"),
     false, NULL},
    {"php_admin_flag", EXAMPLE("[log_errors] = on"), false, NULL},
    {"sandbox.seccomp", EXAMPLE(NULL), false,
     "`default` lets PHP, its extensions and ordinary programs run, `strict` PHP, its extensions "
     "and simple programs. What is not allowed fails with EPERM; what no script calls but to break "
     "out (mount, ptrace, bpf, …) ends the worker. `fpmctl sandbox --calls POOL` lists the calls "
     "with reasons; docs/hardening.md tells what each directive of this part stops and costs."},
    {"sandbox.syscalls", EXAMPLE("+@scheduling -@splice"), false,
     "Applied in their order. `fpmctl sandbox --calls POOL` has the names of the groups."},
    {"sandbox.exec", EXAMPLE(NULL), false,
     "With no, exec(), system(), proc_open() and mail() through sendmail fail with a warning of "
     "PHP, and a hacked page cannot start a shell."},
    {"sandbox.report", EXAMPLE(NULL), false,
     "Each denied call is a record, once per generation, also those of programs that scripts "
     "start. For finding out what a site needs; a denied call is some microseconds slower. The "
     "unit denies some calls itself, of which nobody hears: fpmctl apply takes them out of it, for "
     "the pool's filter to deny, until the line is gone and apply is called again."},
    {"sandbox.landlock", EXAMPLE(NULL), false,
     "Paths and programs need Linux 5.13 with Landlock switched on, ports Linux 6.7. With required "
     "the pool does not start without; with if-available it does, and the status says so."},
    {"sandbox.read", EXAMPLE("/srv/www/shop /etc/shop.ini -/srv/shared"), false,
     "Libraries, PHP's own files and the like are always readable (fpmctl sandbox lists them), and "
     "so is what sandbox.write names. A path has to exist, but for one with `-` before it. With "
     "`chroot` paths are those below it. The word none leaves only what is always readable."},
    {"sandbox.write", EXAMPLE("/srv/www/shop/var -/var/lib/php/sessions"), false,
     "Creating, changing, renaming and deleting. /tmp and /var/tmp, which belong to the service "
     "alone, are always writable. Folders of sessions, caches and uploads have to be named."},
    {"sandbox.exec_paths", EXAMPLE("/bin/sh /usr/sbin/sendmail"), false,
     "The loader of programs is always allowed. Scripts (#!) need their interpreter too."},
    {"sandbox.tcp_connect", EXAMPLE("443 3306"), false,
     "Whatever the address. UDP, and unix sockets, are not covered: IPAddressDeny= of the service "
     "unit, and who may open the socket, are."},
    {"sandbox.abstract_sockets", EXAMPLE(NULL), false,
     "Names that begin with a NUL byte, which no rights of files protect. Denied by Landlock from "
     "Linux 6.12 on."},
    {"sandbox.opcache", EXAMPLE(NULL), false,
     "What workers share they can all change: with shared, one that was taken over can change the "
     "code that the others of its generation run. With private each worker compiles scripts for "
     "itself into memory of its own, `opcache.memory_consumption` at most; preloaded scripts cost "
     "nothing more. Memory that other extensions share, APCu's for one, stays shared. Does not go "
     "with `opcache.file_cache`."},
    {"sandbox.retire_on_crash", EXAMPLE(NULL), false,
     "Its siblings may have been harmed, and know its addresses. At most every ten seconds; the "
     "new generation begins with an empty opcode cache."},
    {"security.max_params_size", EXAMPLE(NULL), false,
     "A request with more is answered 431 and its connection closed."},
    {"security.max_params", EXAMPLE(NULL), false, "The same."},
    {"security.allow_php_value", EXAMPLE(NULL), false,
     "What a request sets ends with it, and what the pool file has set with `php_admin_value` or "
     "`php_admin_flag` stays."},
    {"security.body_file_paths", EXAMPLE(NULL), false,
     "The file of any other folder is not read, so a parameter that a client could smuggle in "
     "shows no other file of the machine. An empty list takes no files at all. Folders that do not "
     "exist do no harm."},
    {"apparmor_hat", EXAMPLE("web"), false, NULL},

    {"pm.status_path", EXAMPLE("/status"), false,
     "The web server has to hand requests of this URI to the pool, and should let only some "
     "clients ask. With `pm.status_listen` it may be `/`."},
    {"pm.status_listen", EXAMPLE("127.0.0.1:9001"), false,
     "Written as `listen`; the addresses must be others. They are answered while all workers are "
     "busy. Without `pm.status_path` the path is `/`."},
    {"ping.path", EXAMPLE("/ping"), false, NULL},
    {"access.log", EXAMPLE("journal"), false,
     "A file is opened by the manager, whose user has to be able to write it: below /var/log/fpmd "
     "it "
     "is. Workers write lines together, at the latest when they have nothing to do. With `journal` "
     "each request is a record with fields: `fpmctl log --access`."},
    {"access.format", EXAMPLE("\"%R - %u %t \\\"%m %r\\\" %s\""), false,
     "As in PHP-FPM, without a limit of length; quotes, backslashes and control characters in "
     "values are written as \\\\xHH."},
    {"access.suppress_path", EXAMPLE("[] = /ping"), false,
     "Left out are GET and HEAD requests with a status of 2xx, without a body and without a "
     "query."},
    {"slowlog", EXAMPLE("/var/log/fpmd/$pool.slow.log"), false,
     "The journal has them in any case: `fpmctl log --slow`."},
    {"request_slowlog_timeout", EXAMPLE(NULL), false,
     "The call stack is taken once for each such request, while it runs."},
    {"catch_workers_output", EXAMPLE(NULL), false, "The default of PHP-FPM is `no`."},
    {"error_log", EXAMPLE("syslog"), false, NULL},

    {"pid", EXAMPLE("/run/php-fpm.pid"), false, NULL},
    {"events.mechanism", EXAMPLE("epoll"), false, NULL},
};

const Manual *manuals_get(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(manuals);
    return manuals;
}

const Manual *manual_find(const Directive *d)
{
    for (size_t i = 0; i < ARRAY_SIZE(manuals); i++)
        if (strcmp(manuals[i].name, d->name) == 0)
            return &manuals[i];
    return NULL;
}
