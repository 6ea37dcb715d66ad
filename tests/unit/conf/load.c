#include "load.h"
#include "../run.h"

#include <errno.h>
#include <syslog.h>
#include <unistd.h>

START_TEST(defaults)
{
    _cleanup_loaded_ Loaded l = parse(MINIMAL);

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_str_eq(l.c->name, "www");
    ck_assert_str_eq(l.c->path, "t.conf");
    ck_assert_str_eq(l.c->runtime, FPMD_DEFAULT_RUNTIME);
    ck_assert_int_eq(l.c->pm, POOL_MODE_STATIC);
    ck_assert_uint_eq(l.c->pm_max_children, 2);
    ck_assert_uint_eq(l.c->pm_max_spawn_rate, 32);
    ck_assert_uint_eq(l.c->pm_process_idle_timeout_usec, 10 * USEC_PER_SEC);
    ck_assert_uint_eq(l.c->pm_max_requests, 0);
    ck_assert_int_eq(l.c->listen_backlog, -1);
    ck_assert_uint_eq(l.c->listen_mode, 0660);
    ck_assert_uint_eq(l.c->n_listen, 0);
    ck_assert(l.c->clear_env);
    ck_assert(l.c->catch_workers_output);
    ck_assert_uint_eq(l.c->rlimit_files, RLIMIT_KEEP);
    ck_assert_uint_eq(l.c->rlimit_core, RLIMIT_KEEP);
    ck_assert_int_eq(l.c->log_level, LOG_INFO);
    ck_assert_uint_eq(l.c->n_limit_extensions, 2);
    ck_assert_str_eq(l.c->limit_extensions[0], ".php");
    ck_assert_str_eq(l.c->limit_extensions[1], ".phar");
    ck_assert_ptr_null(l.c->user);
    ck_assert_ptr_null(l.c->php_ini);
}
END_TEST

/* The features of Debian's file, by which a pool file of PHP-FPM is recognised. */
START_TEST(dialect_of_php_fpm)
{
    _cleanup_loaded_ Loaded l =
        parse("; Start a new pool named 'www'.\n[www]\n;prefix = /path/$pool\nuser = www-data\n"
              "group = www-data\r\nlisten = /run/php/$pool.sock\nlisten.owner = www-data\n"
              "listen.mode = 0600\nlisten.backlog = 511\n;listen.acl_users =\nPM = dynamic\n"
              "pm.max_children = 5\npm.start_servers = 2\npm.min_spare_servers = 1\n"
              "pm.max_spare_servers = 3\npm.process_idle_timeout = 10s;\npm.max_requests = 500\n"
              "chroot =\nlisten.allowed_clients =\nchdir = /var/www\nclear_env = no\n"
              "catch_workers_output = no\nrlimit_files = 1024\nrlimit_core = unlimited\n"
              "security.limit_extensions = .php\t.inc\nlog_level = debug\n"
              "php_ini = \"/etc/$pool.ini\"\nruntime = php8.2\n");

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_str_eq(l.c->user, "www-data");
    ck_assert_str_eq(l.c->group, "www-data");
    ck_assert_uint_eq(l.c->n_listen, 1);
    ck_assert_str_eq(l.c->listen[0].path, "/run/php/www.sock");
    ck_assert_uint_eq(l.c->listen_mode, 0600);
    ck_assert_int_eq(l.c->listen_backlog, 511);
    ck_assert_int_eq(l.c->pm, POOL_MODE_DYNAMIC);
    ck_assert_uint_eq(l.c->pm_start_servers, 2);
    ck_assert_uint_eq(l.c->pm_max_requests, 500);
    ck_assert_str_eq(l.c->chdir, "/var/www");
    ck_assert(!l.c->clear_env);
    ck_assert(!l.c->catch_workers_output);
    ck_assert_uint_eq(l.c->rlimit_files, 1024);
    ck_assert_uint_eq(l.c->rlimit_core, RLIMIT_UNLIMITED);
    ck_assert_str_eq(l.c->limit_extensions[1], ".inc");
    ck_assert_int_eq(l.c->log_level, LOG_DEBUG);
    ck_assert_str_eq(l.c->php_ini, "/etc/www.ini");
    ck_assert_str_eq(pool_config_text(l.c, "php_ini"), "/etc/www.ini");
    ck_assert_str_eq(pool_config_text(l.c, "pm.process_idle_timeout"), "10s");
    ck_assert_uint_eq(pool_config_origin(l.c, "php_ini").line, 27);
    ck_assert_str_eq(pool_config_origin(l.c, "php_ini").file, "t.conf");
    ck_assert_uint_eq(pool_config_origin(l.c, "php_ini_scan_dir").line, 0);
    ck_assert_uint_eq(pool_config_origin(l.c, "no such").line, 0);
}
END_TEST

START_TEST(file_of_debian)
{
    static const char path[] = "/etc/php/8.2/fpm/pool.d/www.conf";
    _cleanup_loaded_ Loaded l = {0};

    if (access(path, R_OK) < 0)
        return;
    l.r = config_load(path, "www", &l.issues, &l.c);
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n_errors, 0);
    ck_assert_str_eq(l.c->user, "www-data");
}
END_TEST

START_TEST(global_values_are_inherited)
{
    _cleanup_loaded_ Loaded l =
        parse("log_level = error\n[WWW]\npm = static\npm.max_children = 2\nrlimit_core = 5\n"
              "[global]\nrlimit_core = 7\nprocess_control_timeout = 3\nrlimit_files = 0\n");

    ck_assert_int_eq(l.r, 0);
    ck_assert_int_eq(l.c->log_level, LOG_ERR);
    ck_assert_uint_eq(l.c->rlimit_core, 5);
    ck_assert_uint_eq(l.c->rlimit_files, RLIMIT_KEEP);
    ck_assert_uint_eq(l.c->process_control_timeout_usec, 3 * USEC_PER_SEC);
    ck_assert_uint_eq(pool_config_origin(l.c, "process_control_timeout").line, 8);
    ck_assert_str_eq(l.c->name, "www");
    ck_assert_str_eq(pool_config_text(l.c, "log_level"), "error");
    ck_assert_str_eq(pool_config_text(l.c, "rlimit_core"), "5");
    ck_assert_ptr_null(pool_config_text(l.c, "pm.max_requests"));
    ck_assert_ptr_null(pool_config_text(l.c, "no such"));
}
END_TEST

START_TEST(sorted_by_place)
{
    static const struct {
        const char *file;
        unsigned line;
        const char *text;
    } added[] = {{"b", 2, "5"},    {"main", 7, "3"}, {"a", 9, "4"},   {"main", 0, "0"},
                 {"main", 3, "1"}, {"b", 2, "6"},    {"main", 3, "2"}};
    ConfigIssues issues = {0};

    for (size_t i = 0; i < ARRAY_SIZE(added); i++)
        config_issues_add(&issues, CONFIG_ERROR, added[i].file, added[i].line, NULL, "%s",
                          added[i].text);
    config_issues_sort(&issues, "main");
    for (size_t i = 0; i < issues.n; i++)
        ck_assert_int_eq(issues.items[i].text[0], (int)('0' + i));
    config_issues_sort(&issues, NULL);
    ck_assert_str_eq(issues.items[0].file, "a");
    ck_assert_str_eq(issues.items[6].file, "main");
    config_issues_done(&issues);
}
END_TEST

START_TEST(limits_have_defaults)
{
    _cleanup_loaded_ Loaded l = parse(MINIMAL);
    _cleanup_loaded_ Loaded ondemand = parse("[www]\npm = ondemand\npm.max_children = 2\n");
    _cleanup_loaded_ Loaded never =
        parse("[www]\npm = ondemand\npm.max_children = 2\nidle_exit = 0\n");

    ck_assert_uint_eq(l.c->pm_max_memory_bytes, 0);
    ck_assert_uint_eq(l.c->pm_max_lifetime_usec, 0);
    ck_assert_uint_eq(l.c->pm_start_timeout_usec, 60 * USEC_PER_SEC);
    ck_assert_uint_eq(l.c->emergency_restart_threshold, 0);
    ck_assert_uint_eq(l.c->emergency_restart_interval_usec, 0);
    ck_assert_uint_eq(l.c->request_terminate_timeout_usec, 0);
    ck_assert(!l.c->request_terminate_timeout_track_finished);
    ck_assert_uint_eq(l.c->request_terminate_grace_usec, 5 * USEC_PER_SEC);
    ck_assert_uint_eq(l.c->request_read_timeout_usec, 60 * USEC_PER_SEC);
    ck_assert_uint_eq(l.c->queue_timeout_usec, 0);
    ck_assert_uint_eq(l.c->idle_exit_usec, 0);
    ck_assert_uint_eq(ondemand.c->idle_exit_usec, 300 * USEC_PER_SEC);
    ck_assert_uint_eq(never.c->idle_exit_usec, 0);
}
END_TEST

START_TEST(limits_are_read)
{
    _cleanup_loaded_ Loaded l = parse(
        "[global]\nemergency_restart_threshold = 10\nemergency_restart_interval = 1m\n" MINIMAL
        "pm.max_memory = 128M\npm.max_lifetime = 1h\npm.start_timeout = 2m\n"
        "request_terminate_timeout = 30\nrequest_terminate_timeout_track_finished = yes\n"
        "request_terminate_grace = 0\nrequest_read_timeout = 500ms\nqueue_timeout = 10s\n"
        "idle_exit = 5m\n");

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_uint_eq(l.c->emergency_restart_threshold, 10);
    ck_assert_uint_eq(l.c->emergency_restart_interval_usec, 60 * USEC_PER_SEC);
    ck_assert_uint_eq(l.c->pm_max_memory_bytes, 128 * 1024 * 1024);
    ck_assert_uint_eq(l.c->pm_max_lifetime_usec, 3600 * USEC_PER_SEC);
    ck_assert_uint_eq(l.c->pm_start_timeout_usec, 120 * USEC_PER_SEC);
    ck_assert_uint_eq(l.c->request_terminate_timeout_usec, 30 * USEC_PER_SEC);
    ck_assert(l.c->request_terminate_timeout_track_finished);
    ck_assert_uint_eq(l.c->request_terminate_grace_usec, 0);
    ck_assert_uint_eq(l.c->request_read_timeout_usec, 500 * USEC_PER_MSEC);
    ck_assert_uint_eq(l.c->queue_timeout_usec, 10 * USEC_PER_SEC);
    ck_assert_uint_eq(l.c->idle_exit_usec, 300 * USEC_PER_SEC);
}
END_TEST

START_TEST(the_section_asked_for_is_taken)
{
    _cleanup_loaded_ Loaded l =
        parse("[a]\npm = static\npm.max_children = 1\n" MINIMAL "[b]\npm = ondemand\n"
              "pm.max_children = 3\n[www]\nuser = u\n");

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_uint_eq(l.c->pm_max_children, 2);
    ck_assert_str_eq(l.c->user, "u");
}
END_TEST

START_TEST(start_servers_are_computed)
{
    static const char head[] = "[www]\npm = dynamic\npm.max_children = 20\n";
    static const struct {
        const char *text;
        unsigned start;
    } cases[] = {{"pm.min_spare_servers = 2\npm.max_spare_servers = 7\n", 4},
                 {"pm.min_spare_servers = 3\npm.max_spare_servers = 3\n", 3},
                 {"pm.min_spare_servers = 1\npm.max_spare_servers = 3\npm.start_servers = 0\n", 2},
                 {"pm.min_spare_servers = 1\npm.max_spare_servers = 3\npm.start_servers = 3\n", 3}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *text = calloc(1, 300);
        _cleanup_loaded_ Loaded l = {0};

        stpcpy(stpcpy(text, head), cases[i].text);
        l = parse(text);
        ck_assert_int_eq(l.r, 0);
        ck_assert_uint_eq(l.c->pm_start_servers, cases[i].start);
    }
}
END_TEST

/* PHP-FPM takes 0 for "leave it", so that core dumps could not be forbidden. */
START_TEST(no_core_dumps)
{
    _cleanup_loaded_ Loaded l = parse(MINIMAL "rlimit_core = 0\n");

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.c->rlimit_core, 0);
}
END_TEST

/* Issues of another file that is checked in the same run do not spoil this one. */
START_TEST(earlier_errors_do_not_count)
{
    _cleanup_loaded_ Loaded l = parse("x");

    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_int_eq(config_parse(MINIMAL, strlen(MINIMAL), "t.conf", "www", &l.issues, &l.c), 0);
}
END_TEST

START_TEST(addresses)
{
    static const struct {
        const char *text; /* NULL host, path: none */
        const char *path, *host;
        uint16_t port;
    } cases[] = {
        {"/run/x.sock", "/run/x.sock", NULL, 0},
        {"/run/a:b.sock", "/run/a:b.sock", NULL, 0},
        {"9000", NULL, NULL, 9000},
        {"127.0.0.1:9000", NULL, "127.0.0.1", 9000},
        {"[::1]:9000", NULL, "::1", 9000},
        {"::1:9000", NULL, "::1", 9000},
        {"*:9000", NULL, NULL, 9000},
        {":9000", NULL, NULL, 9000},
        {"localhost:1", NULL, "localhost", 1},
        {"[::]:65535", NULL, "::", 65535},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *text = calloc(1, 200);
        _cleanup_loaded_ Loaded l = {0};

        stpcpy(stpcpy(stpcpy(text, MINIMAL "listen = "), cases[i].text), ", /run/last\t/z");
        l = parse(text);
        ck_assert_int_eq(l.r, 0);
        ck_assert_uint_eq(l.c->n_listen, 3);
        ck_assert_str_eq(l.c->listen[0].text, cases[i].text);
        ck_assert_pstr_eq(l.c->listen[0].path, cases[i].path);
        ck_assert_pstr_eq(l.c->listen[0].host, cases[i].host);
        ck_assert_uint_eq(l.c->listen[0].port, cases[i].port);
        ck_assert_str_eq(l.c->listen[2].path, "/z");
    }
}
END_TEST

/* With errors the configuration is there for further checks, and only for who asks for it. */
START_TEST(broken_file_to_check)
{
    static const char text[] =
        "[www]\npm = static\npm.max_children = 2\nnonsense = 1\nchdir = /x\n";
    char path[] = "/tmp/fpmd-load-XXXXXX";
    ConfigIssues issues = {0};
    PoolConfig *c = NULL;
    int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
    close(fd);
    ck_assert_int_eq(config_load(path, "www", &issues, &c), -EINVAL);
    ck_assert_ptr_null(c);
    ck_assert_int_eq(config_load_to_check(path, "www", &issues, &c), -EINVAL);
    ck_assert_ptr_nonnull(c);
    ck_assert_str_eq(c->chdir, "/x");
    ck_assert_uint_eq(issues.n_errors, 2); /* one for each reading */
    c = pool_config_free(c);
    ck_assert_int_eq(config_load_to_check(path, "other", &issues, &c), -EINVAL);
    ck_assert_ptr_null(c);
    unlink(path);
    config_issues_done(&issues);
}
END_TEST

START_TEST(pool_names)
{
    static const char *const good[] = {"www", "a", "A_1.x", "my-site"}, *const bad[] = {
                                                                            "",    ".",   ".a",
                                                                            "-a",  "a/b", "a b",
                                                                            "a@b", "a%b"};
    _cleanup_free_ char *longest = calloc(1, 66);

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert_int_eq(config_check_pool_name(good[i]), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_int_eq(config_check_pool_name(bad[i]), -EINVAL);
    memset(longest, 'a', 64);
    ck_assert_int_eq(config_check_pool_name(longest), 0);
    longest[64] = 'a';
    ck_assert_int_eq(config_check_pool_name(longest), -EINVAL);
}
END_TEST

START_TEST(names_of_enums)
{
    ck_assert_str_eq(pool_mode_to_string(POOL_MODE_ONDEMAND), "ondemand");
    ck_assert_ptr_null(pool_mode_to_string(_POOL_MODE_MAX));
    ck_assert_str_eq(ini_kind_to_string(INI_ADMIN_FLAG), "php_admin_flag");
    ck_assert_ptr_null(ini_kind_to_string(_INI_KIND_MAX));
}
END_TEST

static Suite *load_suite(void)
{
    Suite *s = suite_create("conf/load");
    TCase *t = tcase_create("all");

    tcase_add_test(t, defaults);
    tcase_add_test(t, dialect_of_php_fpm);
    tcase_add_test(t, file_of_debian);
    tcase_add_test(t, global_values_are_inherited);
    tcase_add_test(t, sorted_by_place);
    tcase_add_test(t, limits_have_defaults);
    tcase_add_test(t, limits_are_read);
    tcase_add_test(t, the_section_asked_for_is_taken);
    tcase_add_test(t, start_servers_are_computed);
    tcase_add_test(t, no_core_dumps);
    tcase_add_test(t, earlier_errors_do_not_count);
    tcase_add_test(t, addresses);
    tcase_add_test(t, broken_file_to_check);
    tcase_add_test(t, pool_names);
    tcase_add_test(t, names_of_enums);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(load_suite)
