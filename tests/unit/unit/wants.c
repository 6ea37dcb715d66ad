#include "unit/wants.h"
#include "../run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEAD "[www]\nuser = site\npm = static\npm.max_children = 2\n"

/* The settings of one unit as the lines of its sections; what was complained of, in said. */
static char said[4096];

static const char *settings_of(UnitKind kind, UnitScope scope, const char *lines, int expected)
{
    static char text[8192];
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_config_freep) PoolConfig *c = NULL;
    _cleanup_unit_settings_ UnitSettings s = {0};
    _cleanup_buffer_ Buffer b = {0};
    size_t used = 0;

    snprintf(text, sizeof(text), HEAD "%s", lines);
    ck_assert_int_eq(config_parse(text, strlen(text), "/p/www.conf", "www", &issues, &c), 0);
    ck_assert_int_eq(unit_settings_make(c, scope, &issues, &s), expected);
    said[0] = 0;
    for (size_t i = 0; i < issues.n && used < sizeof(said); i++)
        used +=
            (size_t)snprintf(said + used, sizeof(said) - used, "%u %s: %s\n", issues.items[i].line,
                             issues.items[i].directive, issues.items[i].text);
    ck_assert_int_eq(unit_write_dropin(&b, c, &s, kind), 0);
    snprintf(text, sizeof(text), "%.*s", (int)b.size, b.data ? b.data : "");
    return strchr(text, '[') ? strchr(text, '[') : text;
}

static const struct {
    UnitKind unit;
    const char *lines, *text;
} cases[] = {
    /* Nothing is asked for that the unit has anyway. */
    {UNIT_SOCKET, "", ""},
    {UNIT_SOCKET, "listen = /run/fpmd/www.sock\nlisten.mode = 0660\nlisten.backlog = -1\n", ""},
    {UNIT_SERVICE, "", ""},
    {UNIT_STATUS_SOCKET, "listen.owner = site\n", ""},
    /* Addresses */
    {UNIT_SOCKET, "listen = /run/php/php8.2-fpm.sock\n",
     "[Socket]\nListenStream=\nListenStream=/run/php/php8.2-fpm.sock\n"},
    {UNIT_SOCKET, "listen = 9000\n",
     "[Socket]\nListenStream=\nListenStream=[::]:9000\nBindIPv6Only=both\n"},
    {UNIT_SOCKET, "listen = 127.0.0.1:9000, [::1]:9001\n",
     "[Socket]\nListenStream=\nListenStream=127.0.0.1:9000\nListenStream=[::1]:9001\n"},
    {UNIT_SOCKET, "listen = localhost:9000\n",
     "[Socket]\nListenStream=\nListenStream=127.0.0.1:9000\n"},
    {UNIT_SOCKET, "listen = *:9000\n",
     "[Socket]\nListenStream=\nListenStream=[::]:9000\nBindIPv6Only=both\n"},
    /* as systemd shows them */
    {UNIT_SOCKET, "listen = [2001:DB8:0:0::00a]:9000, //run/./x/y//\n",
     "[Socket]\nListenStream=\nListenStream=[2001:db8::a]:9000\nListenStream=/run/x/y\n"},
    {UNIT_SOCKET, "listen = [0::0]:9000\n",
     "[Socket]\nListenStream=\nListenStream=[::]:9000\nBindIPv6Only=both\n"},
    {UNIT_SOCKET, "listen = /run//fpmd/www.sock\n", ""},
    {UNIT_SOCKET, "listen = '/run/a\\\\'\n", "[Socket]\nListenStream=\nListenStream=/run/a\\\\\n"},
    {UNIT_SOCKET, "listen = '/run/a%b'\n", "[Socket]\nListenStream=\nListenStream=/run/a%%b\n"},
    {UNIT_SOCKET, "listen = /run/fpmd/www.sock 9000\n",
     "[Socket]\nListenStream=\nListenStream=/run/fpmd/www.sock\nListenStream=[::]:9000\n"
     "BindIPv6Only=both\n"},
    {UNIT_SOCKET, "listen.backlog = 511\n", "[Socket]\nBacklog=511\n"},
    /* Who may connect */
    {UNIT_SOCKET, "listen.owner = nginx\nlisten.group = web\nlisten.mode = 0600\n",
     "[Socket]\nSocketUser=nginx\nSocketGroup=web\nSocketMode=0600\n"},
    {UNIT_SOCKET, "listen.owner = nginx\n", "[Socket]\nSocketUser=nginx\nSocketGroup=\n"},
    {UNIT_SOCKET, "listen.owner = 33\n", "[Socket]\nSocketUser=33\nSocketGroup=root\n"},
    {UNIT_SOCKET, "listen.group = 33\n", "[Socket]\nSocketGroup=33\n"},
    {UNIT_SOCKET, "listen.acl_users = a,b\nlisten.acl_groups = c\n",
     "[Socket]\nSocketGroup=root\nExecStartPost=setfacl -m u:a:rw,u:b:rw,g:c:rw "
     "/run/fpmd/www.sock\n"},
    {UNIT_SOCKET, "listen.acl_users = 'a$b%c'\n",
     "[Socket]\nSocketGroup=root\nExecStartPost=setfacl -m u:a$$b%%c:rw /run/fpmd/www.sock\n"},
    {UNIT_SOCKET, "listen = /run/x.sock 9000\nlisten.acl_groups = c\n",
     "[Socket]\nListenStream=\nListenStream=/run/x.sock\nListenStream=[::]:9000\n"
     "BindIPv6Only=both\nSocketGroup=root\nExecStartPost=setfacl -m g:c:rw \"/run/x.sock\"\n"},
    {UNIT_SOCKET, "listen = '/run/$a%\"'\nlisten.acl_groups = c\n",
     "[Socket]\nListenStream=\nListenStream=/run/$a%%\"\nSocketGroup=root\n"
     "ExecStartPost=setfacl -m g:c:rw \"/run/$$a%%\\\"\"\n"},
    /* The status socket */
    {UNIT_SOCKET, "pm.status_listen = /run/s.sock\n",
     "[Unit]\nWants=fpmd-status@www.socket\nAfter=fpmd-status@www.socket\n"},
    {UNIT_STATUS_SOCKET, "pm.status_listen = /run/s.sock\nlisten.mode = 0666\nlisten.backlog = 5\n",
     "[Socket]\nListenStream=\nListenStream=/run/s.sock\nSocketMode=0666\n"},
    /* Limits */
    /* The folders of sockets are empty but for the two names that the unit knows. */
    {UNIT_SERVICE,
     "listen = /run//fpmd/www.sock 9000\npm.status_listen = /run/fpmd/www.status.sock\n", ""},
    {UNIT_SERVICE, "listen = /run/php/php8.2-fpm.sock\n",
     "[Service]\nBindReadOnlyPaths=-/run/php/php8.2-fpm.sock\n"},
    {UNIT_SERVICE, "listen = /run/x.sock /run/fpmd/other.sock\n",
     "[Service]\nBindReadOnlyPaths=-/run/fpmd/other.sock\n"},
    {UNIT_SERVICE, "process.priority = -5\n", "[Service]\nNice=-5\n"},
    {UNIT_SERVICE, "process.priority = 5\n", "[Service]\nNice=5\n"},
    {UNIT_SERVICE, "process.priority = 20\n", "[Service]\nNice=19\n"},
    {UNIT_SERVICE, "process.priority = 0\n", ""},
    {UNIT_SERVICE, "rlimit_files = 524288\n", ""},
    {UNIT_SERVICE, "rlimit_files = 600000\n", "[Service]\nLimitNOFILE=16384:600000\n"},
    {UNIT_SERVICE, "rlimit_core = unlimited\n", ""},
    {UNIT_SERVICE, "rlimit_core = 4096\nprocess.dumpable = yes\n", "[Service]\nLimitCORE=0:4096\n"},
    {UNIT_SERVICE, "rlimit_core = unlimited\nprocess.dumpable = yes\n",
     "[Service]\nLimitCORE=0:infinity\n"},
    {UNIT_SERVICE, "chroot = /srv/jail\n",
     "[Service]\nAmbientCapabilities=CAP_SYS_CHROOT\nCapabilityBoundingSet=CAP_SYS_CHROOT\n"
     "SystemCallFilter=chroot\n"},
    /* The cgroup of the service is divided by the manager */
    {UNIT_SERVICE, "pm.worker_memory_max = 256M\n",
     "[Service]\nDelegate=memory\nProtectControlGroups=no\n"},
    {UNIT_SERVICE, "pm.worker_tasks_max = 20\n",
     "[Service]\nDelegate=pids\nProtectControlGroups=no\n"},
    {UNIT_SERVICE, "pm.worker_memory_max = 256M\npm.worker_tasks_max = 20\n",
     "[Service]\nDelegate=memory pids\nProtectControlGroups=no\n"},
    /* System calls that the filter of the unit denies too */
    {UNIT_SERVICE, "sandbox.syscalls = +@splice -@exec\n", ""},
    {UNIT_SERVICE, "sandbox.syscalls = +ptrace +@keyring -keyctl +splice\n",
     "[Service]\nSystemCallFilter=add_key request_key ptrace\n"},
    {UNIT_SERVICE, "sandbox.syscalls = +unshare\n", "[Service]\nRestrictNamespaces=no\n"},
    {UNIT_SERVICE, "sandbox.report = yes\nsandbox.syscalls = +@keyring +@scheduling +chroot\n",
     "[Service]\nSystemCallFilter=ioprio_set sched_setaffinity sched_setattr sched_setparam "
     "sched_setscheduler setpriority chroot add_key keyctl request_key\n"
     "SystemCallFilter=migrate_pages move_pages adjtimex clock_adjtime clock_settime settimeofday "
     "fanotify_init fanotify_mark modify_ldt\nRestrictNamespaces=no\n"},
    {UNIT_SERVICE, "sandbox.report = yes\nsandbox.seccomp = off\n", ""},
    /* Paths that the unit shows anyway */
    {UNIT_SERVICE, "chdir = /srv/www\n", ""},
    {UNIT_SERVICE, "chdir = /\n", ""},
    {UNIT_SERVICE, "chdir = /usr/share/site\n", ""},
    {UNIT_SERVICE, "chdir = /homestead\n", "[Service]\nReadWritePaths=-/homestead\n"},
    {UNIT_SERVICE, "php_admin_value[session.save_path] = tcp://127.0.0.1:6379\n", ""},
    {UNIT_SERVICE, "php_admin_value[error_log] = relative.log\n", ""},
    {UNIT_SERVICE, "php_admin_value[error_log] = /dev/stderr\n", ""},
    {UNIT_SERVICE, "php_value[open_basedir] = /tmp:/usr/share/php:/var/www\n", ""},
    {UNIT_SERVICE, "php_value[upload_tmp_dir] = ${fpmd_no_such_variable:-/var/x}\n", ""},
    /* Homes */
    {UNIT_SERVICE, "chdir = /home/a/web\n",
     "[Service]\nProtectHome=tmpfs\nBindPaths=-/home/a/web\n"},
    {UNIT_SERVICE, "php_ini = /root/php.ini\n",
     "[Service]\nProtectHome=tmpfs\nBindReadOnlyPaths=-/root/php.ini\n"},
    {UNIT_SERVICE, "chdir = /home/a\nphp_value[upload_tmp_dir] = /home/a/tmp\n",
     "[Service]\nProtectHome=tmpfs\nBindPaths=-/home/a\n"},
    {UNIT_SERVICE, "unit.read_only_paths = /home/a\nphp_value[upload_tmp_dir] = /home/a/tmp\n",
     "[Service]\nProtectHome=tmpfs\nBindReadOnlyPaths=-/home/a\nBindPaths=-/home/a/tmp\n"},
    {UNIT_SERVICE, "php_value[open_basedir] = /home\n",
     "[Service]\nProtectHome=read-only\nReadWritePaths=-/home\n"},
    {UNIT_SERVICE, "unit.read_only_paths = /run/user\nchdir = /home/a\n",
     "[Service]\nProtectHome=read-only\nReadWritePaths=-/home/a\n"},
    {UNIT_SERVICE, "chdir = '/home/a b:c%d'\n",
     "[Service]\nProtectHome=tmpfs\nBindPaths=-/home/a\\ b\\:c%%d\n"},
    /* Other places */
    {UNIT_SERVICE, "chdir = /opt/site\n", "[Service]\nReadWritePaths=-/opt/site\n"},
    {UNIT_SERVICE, "chdir = /opt/a/../b//c/.\n", "[Service]\nReadWritePaths=-/opt/b/c\n"},
    {UNIT_SERVICE, "unit.read_only_paths = /opt/site\n", ""},
    {UNIT_SERVICE, "unit.read_write_paths = /etc/site /opt/b\n",
     "[Service]\nReadWritePaths=-/etc/site\nReadWritePaths=-/opt/b\n"},
    {UNIT_SERVICE, "unit.read_write_paths = /tmp/shared\nphp_value[open_basedir] = /tmp:/var\n",
     "[Service]\nBindPaths=-/tmp/shared\n"},
    {UNIT_SERVICE, "php_admin_value[session.save_path] = \"2;0700;/opt/s\"\n",
     "[Service]\nReadWritePaths=-/opt/s\n"},
    {UNIT_SERVICE, "php_admin_value[error_log] = '/opt/log/php.log'\n",
     "[Service]\nReadWritePaths=-/opt/log\n"},
    {UNIT_SERVICE, "access.log = /opt/log/$pool.log\n", "[Service]\nReadWritePaths=-/opt/log\n"},
    {UNIT_SERVICE, "access.log = journal\n", ""},
    {UNIT_SERVICE, "access.log = /var/log/fpmd/a.log\nslowlog = /opt/s/a.log\n", ""},
    {UNIT_SERVICE, "slowlog = /opt/s/a.log\nrequest_slowlog_timeout = 1s\n",
     "[Service]\nReadWritePaths=-/opt/s\n"},
    {UNIT_SERVICE, "env[TMPDIR] = /opt/t\nenv[OTHER] = /opt/o\n",
     "[Service]\nReadWritePaths=-/opt/t\n"},
    {UNIT_SERVICE, "chdir = '/opt/a\"b\\'\n", "[Service]\nReadWritePaths=-/opt/a\\\"b\\\\\n"},
    /* Below the new root */
    {UNIT_SERVICE, "chroot = /home/j\nchdir = /web\nphp_value[upload_tmp_dir] = /t\n",
     "[Service]\nAmbientCapabilities=CAP_SYS_CHROOT\nCapabilityBoundingSet=CAP_SYS_CHROOT\n"
     "SystemCallFilter=chroot\nProtectHome=tmpfs\nBindPaths=-/home/j\n"},
};

START_TEST(settings)
{
    ck_assert_str_eq(settings_of(cases[_i].unit, UNIT_SCOPE_SYSTEM, cases[_i].lines, 0),
                     cases[_i].text);
}
END_TEST

START_TEST(cannot_be_said)
{
    settings_of(UNIT_SOCKET, UNIT_SCOPE_SYSTEM, "listen = php.example:9000\n", -EINVAL);
    ck_assert_ptr_nonnull(strstr(said, "5 listen: 'php.example:9000' has a host name"));
    settings_of(UNIT_SOCKET, UNIT_SCOPE_SYSTEM, "listen = [fe80::1%lo]:9000\n", -EINVAL);
    ck_assert_ptr_nonnull(strstr(said, "5 listen: '[fe80::1%lo]:9000' names an interface"));
    settings_of(UNIT_SOCKET, UNIT_SCOPE_SYSTEM, "listen = '/run/foo\\'\n", -EINVAL);
    ck_assert_ptr_nonnull(strstr(said, "5 listen: '/run/foo\\' ends in a backslash"));
    settings_of(UNIT_SERVICE, UNIT_SCOPE_SYSTEM, "chdir = '/home/a\tb'\n", -EINVAL);
    ck_assert_ptr_nonnull(strstr(said, "5 chdir: a path with control characters"));
    settings_of(UNIT_SERVICE, UNIT_SCOPE_SYSTEM,
                "php_value[upload_tmp_dir] = /tmp/up\nlisten.owner = a\nlisten.acl_users = b\n", 0);
    ck_assert_ptr_nonnull(strstr(said, "5 upload_tmp_dir: /tmp/up is in the private /tmp"));
    ck_assert_ptr_nonnull(strstr(said, "6 listen.owner: is ignored"));
}
END_TEST

/* A socket that no directive names has an address, too. */
START_TEST(default_addresses)
{
    settings_of(UNIT_SOCKET, UNIT_SCOPE_SYSTEM, "pm.status_listen = /run//fpmd/www.sock\n",
                -EINVAL);
    ck_assert_ptr_nonnull(
        strstr(said, "5 pm.status_listen: '/run//fpmd/www.sock' is where fpmd@www.socket listens"));
    settings_of(UNIT_SOCKET, UNIT_SCOPE_SYSTEM, "listen = /run/fpmd/www.status.sock\n", -EINVAL);
    ck_assert_ptr_nonnull(strstr(said, "5 listen: '/run/fpmd/www.status.sock' is where "
                                       "fpmd-status@www.socket listens"));
    settings_of(UNIT_SOCKET, UNIT_SCOPE_SYSTEM,
                "listen = 9000\npm.status_listen = /run/fpmd/www.sock\n", 0);
    settings_of(UNIT_SOCKET, UNIT_SCOPE_SYSTEM, "pm.status_listen = /run/fpmd/www.status.sock\n",
                0);
    settings_of(UNIT_SOCKET, UNIT_SCOPE_USER, "pm.status_listen = /run/user/1000/fpmd/www.sock\n",
                -EINVAL);
    settings_of(UNIT_SOCKET, UNIT_SCOPE_USER, "pm.status_listen = /run/fpmd/www.sock\n", 0);
}
END_TEST

START_TEST(of_a_user)
{
    ck_assert_str_eq(settings_of(UNIT_SERVICE, UNIT_SCOPE_USER, "chdir = /home/a\n", 0), "");
    ck_assert_str_eq(settings_of(UNIT_SOCKET, UNIT_SCOPE_USER,
                                 "listen = 9000\nlisten.owner = a\nlisten.mode = 0666\n", 0),
                     "[Socket]\nListenStream=\nListenStream=[::]:9000\nBindIPv6Only=both\n"
                     "SocketMode=0666\n");
    ck_assert_ptr_nonnull(strstr(said, "6 listen.owner: is ignored"));
    ck_assert_str_eq(settings_of(UNIT_SOCKET, UNIT_SCOPE_USER, "listen.acl_users = a\n", 0),
                     "[Socket]\nExecStartPost=setfacl -m u:a:rw %t/fpmd/www.sock\n");
    settings_of(UNIT_SERVICE, UNIT_SCOPE_USER, "chroot = /srv/j\n", -EINVAL);
    settings_of(UNIT_SERVICE, UNIT_SCOPE_USER, "process.priority = -1\n", 0);
    ck_assert_ptr_nonnull(strstr(said, "5 process.priority: -1 is more"));
}
END_TEST

START_TEST(names)
{
    char name[256];

    unit_name(UNIT_STATUS_SOCKET, "a-b.c", name);
    ck_assert_str_eq(name, "fpmd-status@a-b.c.socket");
    unit_name(UNIT_SERVICE, "www", name);
    ck_assert_str_eq(name, "fpmd@www.service");
    ck_assert(path_is_below("/a/b", "/a"));
    ck_assert(path_is_below("/a", "/a"));
    ck_assert(path_is_below("/a", "/"));
    ck_assert(!path_is_below("/ab", "/a"));
}
END_TEST

static Suite *wants_suite(void)
{
    Suite *s = suite_create("unit/wants");
    TCase *tc = tcase_create("wants");

    tcase_add_loop_test(tc, settings, 0, (int)ARRAY_SIZE(cases));
    tcase_add_test(tc, cannot_be_said);
    tcase_add_test(tc, default_addresses);
    tcase_add_test(tc, of_a_user);
    tcase_add_test(tc, names);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(wants_suite)
