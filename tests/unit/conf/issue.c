#include "load.h"
#include "../run.h"

#include <errno.h>
#include <stdio.h>

#define DYNAMIC "[www]\npm = dynamic\npm.max_children = 5\n"

/* What is in the file, and an issue that must be among those found. */
static const struct {
    const char *text, *issue;
    bool is_warning;
} cases[] = {
    /* Names */
    {MINIMAL "pm.max_childern = 3\n",
     "t.conf:4: pm.max_childern: there is no such directive, did you mean 'pm.max_children'?"},
    {MINIMAL "max_requests = 3\n",
     "t.conf:4: max_requests: there is no such directive, did you mean 'pm.max_requests'?"},
    {MINIMAL "php_admin_valeu[x] = 3\n",
     "t.conf:4: php_admin_valeu: there is no such directive, did you mean 'php_admin_value'?"},
    {MINIMAL "xyzzy-plugh = 3\n",
     "t.conf:4: xyzzy-plugh: there is no such directive, expected one of fpmd.conf(5)"},
    {MINIMAL "a\tb\x1b = 3\n",
     "t.conf:4: a?b?: there is no such directive, expected one of fpmd.conf(5)"},
    /* Form */
    {MINIMAL "user[x] = y\n", "t.conf:4: user: has a key, expected user = value"},
    {MINIMAL "env = y\n", "t.conf:4: env: has no key, expected env[KEY] = value"},
    {MINIMAL "env[] = y\n", "t.conf:4: env: has no key, expected env[KEY] = value"},
    {MINIMAL "# x\n", "t.conf:4: '#' does not begin a comment, expected ';'"},
    {MINIMAL "\n\nuser\n", "t.conf:6: there is no '=', expected name = value"},
    {MINIMAL "user = \"x\n", "t.conf:4: a quote is not closed, expected its end on the same line"},
    {MINIMAL "user = a|b\n", "t.conf:4: user: has one of the characters =|&^~!() outside of "
                             "quotes, expected quotes around the value"},
    {MINIMAL "user = ${X\n", "t.conf:4: user: '}' is missing, expected ${NAME}"},
    {MINIMAL "include = x\n", "t.conf:4: include: cannot be followed in a text that is not a file"},
    /* Numbers that PHP-FPM lets through */
    {"[www]\npm = static\npm.max_children = 0\n",
     "t.conf:3: pm.max_children: '0' is out of range, expected a number from 1 to 65535"},
    {"[www]\npm = static\npm.max_children = -1\n",
     "t.conf:3: pm.max_children: '-1' is not valid, expected a number from 1 to 65535"},
    {"[www]\npm = static\npm.max_children = 99999999999\n",
     "t.conf:3: pm.max_children: '99999999999' is out of range, expected a number from 1 to 65535"},
    {"[www]\npm = static\npm.max_children = 5x\n",
     "t.conf:3: pm.max_children: '5x' is not valid, expected a number from 1 to 65535"},
    {"[www]\npm = static\npm.max_children =\n",
     "t.conf:3: pm.max_children: '' is not valid, expected a number from 1 to 65535"},
    {MINIMAL "pm.max_requests = -1\n",
     "t.conf:4: pm.max_requests: '-1' is not valid, expected a number not less than 0"},
    {MINIMAL "listen.backlog = -2\n",
     "t.conf:4: listen.backlog: '-2' is out of range, expected a number not less than -1"},
    {MINIMAL "process.priority = 21\n",
     "t.conf:4: process.priority: '21' is out of range, expected a number from -19 to 20"},
    {MINIMAL "rlimit_core = some\n", "t.conf:4: rlimit_core: 'some' is not valid, expected a "
                                     "number of bytes or 'unlimited'"},
    /* Other types */
    {MINIMAL "listen.mode = 0888\n",
     "t.conf:4: listen.mode: '0888' is not valid, expected an octal mode like 0660"},
    {MINIMAL "listen.mode = 17777\n",
     "t.conf:4: listen.mode: '17777' is out of range, expected an octal mode like 0660"},
    {MINIMAL "clear_env = maybe\n",
     "t.conf:4: clear_env: 'maybe' is not valid, expected yes or no"},
    {MINIMAL "pm.process_idle_timeout = 1.5s\n",
     "t.conf:4: pm.process_idle_timeout: '1.5s' is not valid, expected a time like 10, 10s, 5m, "
     "2h, 1d"},
    {MINIMAL "pm.process_idle_timeout = 99999999999\n",
     "t.conf:4: pm.process_idle_timeout: '99999999999' is out of range, expected a time like 10, "
     "10s, 5m, 2h, 1d"},
    {MINIMAL "php_ini = var\n", "t.conf:4: php_ini: 'var' is not valid, expected an absolute path"},
    {MINIMAL "runtime = ../php\n", "t.conf:4: runtime: '../php' is not valid, expected a file "
                                   "name of letters, digits and _ . + -"},
    {MINIMAL "runtime =\n", "t.conf:4: runtime: '' is not valid, expected a file name of letters, "
                            "digits and _ . + -"},
    {MINIMAL "php_ini_scan_dir = /a::/b\n", "t.conf:4: php_ini_scan_dir: '/a::/b' is not valid, "
                                            "expected absolute paths with colons between"},
    {MINIMAL "user = a b\n",
     "t.conf:4: user: 'a b' is not valid, expected a name without blanks, or a number"},
    {MINIMAL "log_level = loud\n", "t.conf:4: log_level: 'loud' is not valid, expected debug, "
                                   "notice, warning, error or alert"},
    {"[www]\npm = fast\npm.max_children = 5\n",
     "t.conf:2: pm: 'fast' is not valid, expected static, dynamic or ondemand"},
    {MINIMAL "listen = 127.0.0.1\n", "t.conf:4: listen: '127.0.0.1' is not valid, expected paths, "
                                     "ports or host:port with blanks or commas between"},
    {MINIMAL "listen = 90000\n", "t.conf:4: listen: '90000' is not valid, expected paths, ports or "
                                 "host:port with blanks or commas between"},
    {MINIMAL "listen = [::1]\n", "t.conf:4: listen: '[::1]' is not valid, expected paths, ports or "
                                 "host:port with blanks or commas between"},
    {MINIMAL "listen = 127.0.0.1:0\n",
     "t.conf:4: listen: '127.0.0.1:0' is not valid, expected paths, ports or host:port with blanks "
     "or commas between"},
    {MINIMAL "listen = 9000 9000\n",
     "t.conf:4: listen: '9000' cannot be bound besides '9000', expected each address once"},
    {MINIMAL "listen = s /usr/s\n",
     "t.conf:4: listen: '/usr/s' cannot be bound besides 's', expected each address once"},
    /* What means the same, and what includes the other. */
    {MINIMAL "listen = 9000 [::]:9000\n",
     "t.conf:4: listen: '[::]:9000' cannot be bound besides '9000', expected each address once"},
    {MINIMAL "listen = 9000 127.0.0.1:9000\n",
     "t.conf:4: listen: '127.0.0.1:9000' cannot be bound besides '9000', expected each address "
     "once"},
    {MINIMAL "listen = [::1]:9000 *:9000\n",
     "t.conf:4: listen: '*:9000' cannot be bound besides '[::1]:9000', expected each address once"},
    {MINIMAL "listen = 127.0.0.1:9000 LocalHost:9000\n",
     "t.conf:4: listen: 'LocalHost:9000' cannot be bound besides '127.0.0.1:9000', expected each "
     "address once"},
    {MINIMAL "listen = 0.0.0.0:9000 192.0.2.1:9000\n",
     "t.conf:4: listen: '192.0.2.1:9000' cannot be bound besides '0.0.0.0:9000', expected each "
     "address once"},
    {MINIMAL "listen = 192.0.2.1:9 [::ffff:192.0.2.1]:9\n",
     "t.conf:4: listen: '[::ffff:192.0.2.1]:9' cannot be bound besides '192.0.2.1:9', expected "
     "each address once"},
    {MINIMAL "listen = [2001:db8::a]:9 [2001:DB8:0:0::000a]:9\n",
     "t.conf:4: listen: '[2001:DB8:0:0::000a]:9' cannot be bound besides '[2001:db8::a]:9', "
     "expected each address once"},
    {MINIMAL "listen = /run/a.sock //run/./a.sock/\n",
     "t.conf:4: listen: '//run/./a.sock/' cannot be bound besides '/run/a.sock', expected each "
     "address once"},
    {MINIMAL "listen = localhost:9000 /run/a\npm.status_listen = /run//a 9001 [::]:9000\n",
     "t.conf:5: pm.status_listen: '/run//a' cannot be bound besides '/run/a' of listen, expected "
     "an address of its own"},
    {MINIMAL "listen = localhost:9000 /run/a\npm.status_listen = 9001 [::]:9000\n",
     "t.conf:5: pm.status_listen: '[::]:9000' cannot be bound besides 'localhost:9000' of listen, "
     "expected an address of its own"},
    {MINIMAL "ping.path = ping\n", "t.conf:4: ping.path: 'ping' is not valid, expected a path "
                                   "that begins with '/', of letters, digits and / _ - . ~"},
    {MINIMAL "access.suppress_path[] = x\n", "t.conf:4: access.suppress_path: 'x' is not valid, "
                                             "expected a path that begins with '/'"},
    {MINIMAL "access.suppress_path[k] = /x\n", "t.conf:4: access.suppress_path: has a key, "
                                               "expected access.suppress_path[] = /path"},
    {"syslog.facility = moon\n" MINIMAL,
     "t.conf:1: syslog.facility: 'moon' is not valid, expected the name of a syslog facility like "
     "daemon or local0"},
    /* Arrays */
    {MINIMAL "env[A] =\n", "t.conf:4: env[A]: the value is empty, expected a text"},
    {MINIMAL "env[A] = off\n", "t.conf:4: env[A]: the value is empty, expected a text"},
    {MINIMAL "php_flag[x] = 2\n", "t.conf:4: php_flag[x]: '2' is not valid, expected on or off"},
    {MINIMAL "php_value[x] = a=b\n", "t.conf:4: php_value[x]: has '=' outside of quotes, expected "
                                     "quotes around the value"},
    {MINIMAL "php_value[a(b] = c\n",
     "t.conf:4: php_value[a(b]: the key has a character that no setting of PHP has"},
    /* Sections */
    {"", "t.conf: there is no section for this pool, expected a line [www]"},
    {"[a]\npm = static\npm.max_children = 1\n",
     "t.conf: there is no section for this pool, expected a line [www]; the first section is [a]"},
    {"\npm = static\npm.max_children = 1\n",
     "t.conf:2: pm: is a directive of a pool but no section has begun, expected the line [www] "
     "above it"},
    {"[global]\nuser = a\n" MINIMAL, "t.conf:2: user: is a directive of a pool, expected it below "
                                     "the section header [www]"},
    {MINIMAL "daemonize = no\n", "t.conf:4: daemonize: is not a directive of a pool, expected it "
                                 "below the section header [global]"},
    {"pid = /run/$pool\n" MINIMAL, "t.conf:1: pid: '$pool' has no meaning in the global section, "
                                   "expected a text without it"},
    {MINIMAL "[www\n", "t.conf:4: ']' is missing, expected a section header like [www]"},
    /* Between directives */
    {"[www]\npm.max_children = 1\n",
     "t.conf:1: pm: is missing, expected static, dynamic or ondemand"},
    {"[www]\npm = static\n",
     "t.conf:1: pm.max_children: is missing, expected the greatest number of workers"},
    {DYNAMIC "pm.max_spare_servers = 1\n", "t.conf:1: pm.min_spare_servers: is missing, expected a "
                                           "number of idle workers with pm = dynamic"},
    {DYNAMIC "pm.min_spare_servers = 1\n", "t.conf:1: pm.max_spare_servers: is missing, expected a "
                                           "number of idle workers with pm = dynamic"},
    {DYNAMIC "pm.min_spare_servers = 1\npm.max_spare_servers = 6\n",
     "t.conf:5: pm.max_spare_servers: 6 is more than all workers, expected at most "
     "pm.max_children (5)"},
    {DYNAMIC "pm.min_spare_servers = 6\npm.max_spare_servers = 3\n",
     "t.conf:4: pm.min_spare_servers: 6 is more than all workers, expected at most "
     "pm.max_children (5)"},
    {DYNAMIC "pm.min_spare_servers = 3\npm.max_spare_servers = 2\n",
     "t.conf:5: pm.max_spare_servers: 2 is too few, expected at least pm.min_spare_servers (3)"},
    {DYNAMIC "pm.min_spare_servers = 2\npm.max_spare_servers = 3\npm.start_servers = 1\n",
     "t.conf:6: pm.start_servers: 1 is not between the limits of spares, expected a number from 2 "
     "to 3 (pm.min_spare_servers, pm.max_spare_servers)"},
    {"[www]\npm = ondemand\npm.max_children = 1\npm.process_idle_timeout = 0\n",
     "t.conf:4: pm.process_idle_timeout: 0 would end each worker at once, expected a time greater "
     "than 0"},
    /* Status and ping */
    {MINIMAL "ping.response =\n",
     "t.conf:4: ping.response: the value is empty, expected the text of the answer"},
    {MINIMAL "ping.path = /\n",
     "t.conf:4: ping.path: '/' is too short, expected at least one more character"},
    {MINIMAL "pm.status_path = /\n",
     "t.conf:4: pm.status_path: '/' is too short, expected at least one more character"},
    {MINIMAL "pm.status_path = /s\nping.path = /s\n",
     "t.conf:5: ping.path: '/s' is pm.status_path too, expected another path"},
    {MINIMAL "listen = /s 9000\npm.status_listen = 9000\n",
     "t.conf:5: pm.status_listen: '9000' cannot be bound besides '9000' of listen, expected an "
     "address of its own"},
    {MINIMAL "pm.status_listen = 9000 9000\n",
     "t.conf:4: pm.status_listen: '9000' cannot be bound besides '9000', expected each address "
     "once"},
    /* Clients */
    {MINIMAL "listen.allowed_clients = ::1, ::ffff:10.0.0.0/8\n",
     "t.conf:4: listen.allowed_clients: '::ffff:10.0.0.0/8' would let in all of IPv4, because the "
     "prefix counts from the start of the IPv6 address, expected 10.0.0.0/8"},
    {MINIMAL "listen.allowed_clients = ::ffff:192.0.2.1/95\n",
     "t.conf:4: listen.allowed_clients: '::ffff:192.0.2.1/95' would let in all of IPv4, because "
     "the prefix counts from the start of the IPv6 address, expected 192.0.2.1/32"},
    {MINIMAL "listen.allowed_clients = 10.0.0.0/33\n",
     "t.conf:4: listen.allowed_clients: '10.0.0.0/33' is not valid, expected addresses or networks "
     "(192.0.2.0/24) with blanks or commas between"},
    {MINIMAL "listen.allowed_clients = localhost\n",
     "t.conf:4: listen.allowed_clients: 'localhost' is not valid, expected addresses or networks "
     "(192.0.2.0/24) with blanks or commas between"},
    {MINIMAL "listen = 9000\nlisten.allowed_clients =\n",
     "t.conf:5: listen.allowed_clients: the value is empty, expected addresses, or no such line "
     "where all may connect"},
    {MINIMAL "listen.allowed_clients = 10.0.0.1/8 ::1\n",
     "t.conf:4: listen.allowed_clients: a network has bits behind its prefix, which do not count, "
     "expected 10.0.0.0/8",
     true},
    {MINIMAL "listen.allowed_clients = 2001:db8::1/32\n",
     "t.conf:4: listen.allowed_clients: a network has bits behind its prefix, which do not count, "
     "expected 2001:db8::/32",
     true},
    /* Prefix */
    {MINIMAL "chroot = a/$prefix\n",
     "t.conf:4: chroot: 'a/$prefix' has $prefix in its midst, expected it at the start"},
    {MINIMAL "listen = php.sock\n",
     "t.conf:4: listen: 'php.sock' is relative and there is no prefix, so it means /usr/php.sock",
     true},
    {MINIMAL "php_value[error_log] = php.log\n",
     "t.conf:4: php_value[error_log]: 'php.log' is relative and there is no prefix, so it means "
     "/usr/php.log",
     true},
    {MINIMAL "prefix = sub\n", "t.conf:4: prefix: 'sub' is relative, so it means /usr/sub", true},
    /* Fates */
    {MINIMAL "apparmor_hat = x\n",
     "t.conf:4: apparmor_hat: is refused: no_new_privs forbids it; AppArmorProfile= of the service "
     "unit confines the whole pool; expected no such line"},
    {MINIMAL "slowlog = log/slow\n",
     "t.conf:4: slowlog: 'log/slow' is relative and there is no prefix, so it means /usr/log/slow",
     true},
    {MINIMAL "slowlog = /s\n",
     "t.conf:4: slowlog: has no effect without request_slowlog_timeout, expected a time there",
     true},
    /* Times */
    {MINIMAL "idle_exit = 999ms\n",
     "t.conf:4: idle_exit: '999ms' is too short, the pool would start for each request: expected 0 "
     "or at least 1s"},
    {MINIMAL "pm.max_lifetime = 0\npm.max_lifetime = 10ms\n",
     "t.conf:5: pm.max_lifetime: '10ms' is too short, workers would be replaced all the time: "
     "expected 0 or at least 1s"},
    {MINIMAL "request_terminate_timeout = 1ms\n", "t.conf:4: request_terminate_timeout: '1ms' is "
                                                  "too short, hardly a request would live so long: "
                                                  "expected 0 or at least 100ms"},
    {MINIMAL "request_read_timeout = 1us\n",
     "t.conf:4: request_read_timeout: '1us' is too short, requests that are on their way would be "
     "refused: expected 0 or at least 100ms"},
    {MINIMAL "queue_timeout = 99ms\n", "t.conf:4: queue_timeout: '99ms' is too short, a short "
                                       "burst would be refused: expected 0 or at "
                                       "least 100ms"},
    {MINIMAL "pm.start_timeout = 0\n",
     "t.conf:4: pm.start_timeout: '0' is out of range, expected at least 1s"},
    {MINIMAL "emergency_restart_threshold = 3\n",
     "t.conf:4: emergency_restart_threshold: has no effect without emergency_restart_interval, "
     "expected a time there",
     true},
    {MINIMAL "request_terminate_grace = 1s\n",
     "t.conf:4: request_terminate_grace: has no effect without request_terminate_timeout, expected "
     "a time there",
     true},
    {MINIMAL "pm.max_memory = 8M\n",
     "t.conf:4: pm.max_memory: '8M' is less than PHP needs itself, so that each worker is replaced "
     "after its first request; expected 16M or more",
     true},
    {MINIMAL "access.suppress_path[] = /x\n",
     "t.conf:4: access.suppress_path: has no effect without access.log, expected a file or journal "
     "there",
     true},
    {MINIMAL "access.log = journal\naccess.format = %z\n",
     "t.conf:5: access.format: '%z': there is no %z, expected one of CdeflmMnopPqQrRstTu%"},
    {MINIMAL "access.log = journal\naccess.format = \"%{x\"\n",
     "t.conf:5: access.format: '%{x': '}' is missing, expected %{ARGUMENT}LETTER"},
    {MINIMAL "access.format =\n", "t.conf:4: access.format: the value is empty, expected a format "
                                  "such as \"%R - %u %t \\\"%m %r\\\" %s\""},
    {MINIMAL "request_terminate_timeout = 5s\nrequest_slowlog_timeout = 10s\n",
     "t.conf:5: request_slowlog_timeout: '10s' is longer than request_terminate_timeout ('5s'), "
     "expected less"},
    {MINIMAL "request_slowlog_timeout = 1ms\n",
     "t.conf:4: request_slowlog_timeout: '1ms' is too short, hardly a request would not be slow: "
     "expected 0 or at least 10ms"},
    {MINIMAL "listen.setfib = 1\n",
     "t.conf:4: listen.setfib: has no effect: it is a setting of FreeBSD, and Linux has no such "
     "thing",
     true},
    {"daemonize = no\n" MINIMAL,
     "t.conf:1: daemonize: has no effect, this is done by Type=notify of the service unit", true},
    {MINIMAL "user = a\nuser = b\n", "t.conf:5: user: is given again, which replaces line 4", true},
    {MINIMAL "security.limit_extensions = .php inc\n",
     "t.conf:4: security.limit_extensions: 'inc' does not begin with a dot, so it allows every "
     "name that ends like this, expected .inc",
     true},
    /* Other pools */
    {MINIMAL "[b]\npm = x\n",
     "t.conf:5: pm: in the other pool [b]: 'x' is not valid, expected "
     "static, dynamic or ondemand",
     true},
    {MINIMAL "[b]\n",
     "t.conf:4: pm: in the other pool [b]: is missing, expected static, dynamic or "
     "ondemand",
     true},
    {MINIMAL "listen = 9000 /s\n[b]\npm = static\npm.max_children = 1\nlisten = /s\n",
     "t.conf:8: listen: in the other pool [b]: '/s' cannot be bound besides '/s' of [www], "
     "expected an address of its own",
     true},
    {MINIMAL "[b]\nxyzzy = x\n",
     "t.conf:5: xyzzy: in the other pool [b]: there is no such "
     "directive, expected one of fpmd.conf(5)",
     true},
};

START_TEST(issues)
{
    _cleanup_loaded_ Loaded l = parse(cases[_i].text);

    if (!has_issue(&l.issues, cases[_i].issue))
        for (size_t i = 0; i < l.issues.n; i++) {
            _cleanup_free_ char *s = config_issue_to_string(&l.issues.items[i]);

            fprintf(stderr, "found: %s\n", s);
        }
    ck_assert_msg(has_issue(&l.issues, cases[_i].issue), "expected: %s", cases[_i].issue);
    ck_assert_int_eq(l.r, cases[_i].is_warning ? 0 : -EINVAL);
    ck_assert_int_eq(l.issues.n_errors == 0, cases[_i].is_warning);
    ck_assert_int_eq(l.c != NULL, cases[_i].is_warning);
}
END_TEST

START_TEST(all_errors_at_once)
{
    _cleanup_loaded_ Loaded l = parse("user = a\nxyzzy = 1\npm.max_children = 0\n[global]\nx\n");

    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n_errors, 5);
    ck_assert_uint_eq(l.issues.items[0].line, 1);
    ck_assert_uint_eq(l.issues.items[1].line, 2);
    ck_assert_uint_eq(l.issues.items[2].line, 3);
    ck_assert_uint_eq(l.issues.items[3].line, 5);
    ck_assert_str_eq(l.issues.items[4].directive, "pm");
}
END_TEST

/* What says only the default is no reason for a warning. */
START_TEST(defaults_are_silent)
{
    _cleanup_loaded_ Loaded l =
        parse("daemonize = on\nsystemd_interval = 10\nprocess.max = 0\n" MINIMAL
              "request_slowlog_timeout = 0s\nprocess.dumpable = off\nping.response = pong\n"
              "decorate_workers_output = yes\napparmor_hat =\n");

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
}
END_TEST

START_TEST(stored_issues_are_bounded)
{
    _cleanup_free_ char *text = malloc(3 * 5000 + 1);
    _cleanup_loaded_ Loaded l = {0};

    for (size_t i = 0; i < 5000; i++)
        memcpy(text + 3 * i, "x\n\n", 4);
    l = parse(text);
    ck_assert_uint_eq(l.issues.n_errors, 5001);
    ck_assert_uint_eq(l.issues.n, 1000);
    ck_assert_uint_eq(l.issues.items[999].line, 1999);
}
END_TEST

START_TEST(name_that_cannot_be)
{
    ConfigIssues found = {0};
    PoolConfig *c = NULL;

    ck_assert_int_eq(config_parse(MINIMAL, strlen(MINIMAL), "t.conf", "a/b", &found, &c), -EINVAL);
    ck_assert_uint_eq(found.n_errors, 1);
    ck_assert_ptr_null(c);
    config_issues_done(&found);
}
END_TEST

static Suite *issue_suite(void)
{
    Suite *s = suite_create("conf/issue");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, issues, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, all_errors_at_once);
    tcase_add_test(t, defaults_are_silent);
    tcase_add_test(t, stored_issues_are_bounded);
    tcase_add_test(t, name_that_cannot_be);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(issue_suite)
