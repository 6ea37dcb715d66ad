#include "base/fd.h"
#include "conf/directives.h"
#include "load.h"
#include "../run.h"

#include <ctype.h>
#include <stdio.h>

/* The table against what is written for people: each directive, its default and its sentence have
 * to be in the default pool file and in the manual page. */

static char *read_source(const char *name)
{
    char path[4096], *text = NULL;

    snprintf(path, sizeof(path), SOURCE_ROOT "/%s", name);
    ck_assert_int_eq(fd_read_file(path, 1024 * 1024, &text, NULL), 0);
    return text;
}

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);

    for (const char *p = text; (p = strstr(p, line)); p++)
        if ((p == text || p[-1] == '\n') && (p[n] == '\n' || p[n] == 0))
            return true;
    return false;
}

/* Whether a line, perhaps behind ";", begins with the text. */
static bool has_setting(const char *text, const char *start)
{
    for (const char *p = text; (p = strstr(p, start)); p++)
        if (p == text || p[-1] == '\n' || (p[-1] == ';' && p >= text + 2 && p[-2] == '\n'))
            return true;
    return false;
}

START_TEST(table_is_sound)
{
    size_t n;
    const Directive *d = directives_get(&n);

    ck_assert_uint_eq(n, directives_count());
    for (size_t i = 0; i < n; i++) {
        ck_assert_ptr_nonnull(d[i].summary);
        ck_assert_uint_le(strlen(d[i].summary), 95);
        ck_assert_msg(isupper((unsigned char)d[i].summary[0]) &&
                          d[i].summary[strlen(d[i].summary) - 1] == '.',
                      "%s", d[i].name);
        ck_assert_int_eq(d[i].fate == FATE_SYSTEMD, d[i].instead != NULL);
        ck_assert_uint_ne(d[i].scope, 0);
        ck_assert_ptr_nonnull(directive_fate_to_string(d[i].fate));
        ck_assert_ptr_eq(directive_find(d[i].name, strlen(d[i].name)), d + i);
        ck_assert_uint_eq(directive_index(d + i), i);
        /* Global values that pools inherit are numbers. */
        if (d[i].field != DIRECTIVE_NO_FIELD && (d[i].scope & SCOPE_GLOBAL))
            ck_assert(d[i].type == TYPE_LOG_LEVEL || d[i].type == TYPE_TIME ||
                      d[i].type == TYPE_RLIMIT || d[i].type == TYPE_FILES);
    }
}
END_TEST

/* All of PHP-FPM 8.2 to 8.5, and what is ours. */
START_TEST(table_is_complete)
{
    static const char *const names[] = {
        "pid",
        "error_log",
        "syslog.ident",
        "syslog.facility",
        "log_buffering",
        "log_level",
        "log_limit",
        "emergency_restart_threshold",
        "emergency_restart_interval",
        "process_control_timeout",
        "process.max",
        "process.priority",
        "daemonize",
        "rlimit_files",
        "rlimit_core",
        "events.mechanism",
        "systemd_interval",
        "prefix",
        "user",
        "group",
        "listen",
        "listen.backlog",
        "listen.acl_users",
        "listen.acl_groups",
        "listen.owner",
        "listen.group",
        "listen.mode",
        "listen.allowed_clients",
        "listen.setfib",
        "process.dumpable",
        "pm",
        "pm.max_children",
        "pm.start_servers",
        "pm.min_spare_servers",
        "pm.max_spare_servers",
        "pm.max_spawn_rate",
        "pm.process_idle_timeout",
        "pm.max_requests",
        "pm.status_path",
        "pm.status_listen",
        "ping.path",
        "ping.response",
        "access.log",
        "access.format",
        "access.suppress_path",
        "slowlog",
        "request_slowlog_timeout",
        "request_slowlog_trace_depth",
        "request_terminate_timeout",
        "request_terminate_timeout_track_finished",
        "chroot",
        "chdir",
        "catch_workers_output",
        "decorate_workers_output",
        "clear_env",
        "security.limit_extensions",
        "apparmor_hat",
        "env",
        "php_value",
        "php_flag",
        "php_admin_value",
        "php_admin_flag",
        "runtime",
        "php_ini",
        "php_ini_scan_dir",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_msg(directive_find(names[i], strlen(names[i])) != NULL, "%s", names[i]);
    ck_assert_uint_eq(directives_count(), ARRAY_SIZE(names));
}
END_TEST

START_TEST(default_pool_has_every_directive)
{
    _cleanup_free_ char *text = read_source("conf.d/www.conf");
    size_t n;
    const Directive *d = directives_get(&n);

    for (size_t i = 0; i < n; i++) {
        char line[300];

        snprintf(line, sizeof(line), "; %s", d[i].summary);
        ck_assert_msg(has_line(text, line), "no line: %s", line);
        if (d[i].fallback)
            snprintf(line, sizeof(line), "%s = %s\n", d[i].name, d[i].fallback);
        else
            snprintf(line, sizeof(line), "%s%s", d[i].name, directive_is_array(&d[i]) ? "[" : " =");
        /* The default runtime is that of the build. */
        if (strcmp(d[i].name, "runtime") == 0)
            snprintf(line, sizeof(line), "runtime = php");
        ck_assert_msg(has_setting(text, line), "no setting: %s", line);
    }
}
END_TEST

START_TEST(manual_has_every_directive)
{
    _cleanup_free_ char *text = read_source("docs/fpmd.conf.5");
    size_t n;
    const Directive *d = directives_get(&n);

    for (size_t i = 0; i < n; i++) {
        char item[300];

        snprintf(item, sizeof(item), ".It Ic %s%s\n%s\n", d[i].name,
                 !directive_is_array(&d[i]) ? ""
                 : d[i].type == TYPE_URIS   ? "[]"
                                            : "[KEY]",
                 d[i].summary);
        ck_assert_msg(strstr(text, item) != NULL, "no item: %s", item);
        if (!d[i].fallback || strpbrk(d[i].fallback, "\"\\") || strcmp(d[i].name, "runtime") == 0)
            continue;
        snprintf(item, sizeof(item), "%s\nThe default is\n.Ql %s .\n", d[i].summary, d[i].fallback);
        ck_assert_msg(strstr(text, item) != NULL, "no default: %s", item);
    }
}
END_TEST

START_TEST(default_pool_loads)
{
    _cleanup_loaded_ Loaded l = {0};

    l.r = config_load(SOURCE_ROOT "/conf.d/www.conf", "www", &l.issues, &l.c);
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_str_eq(l.c->user, "www-data");
    ck_assert_int_eq(l.c->pm, POOL_MODE_DYNAMIC);
}
END_TEST

/* Every example in the file is one: with its mark of a comment taken away it is read without error.
 */
START_TEST(examples_are_valid)
{
    _cleanup_free_ char *text = read_source("conf.d/www.conf");
    char *out = text;
    _cleanup_loaded_ Loaded l = {0};

    for (const char *p = text; *p;) {
        const char *end = strchrnul(p, '\n');

        if (p[0] == ';' && islower((unsigned char)p[1]) && strncmp(p, ";include", 8) != 0)
            p++;
        while (p < end)
            *out++ = *p++;
        *out++ = '\n';
        p += *p == '\n';
    }
    *out = 0;
    l = parse(text);
    for (size_t i = 0; i < l.issues.n; i++) {
        const ConfigIssue *issue = &l.issues.items[i];
        bool refused = strstr(issue->text, "this version cannot do it");

        ck_assert_msg(issue->severity == CONFIG_WARNING || refused, "%s: %s", issue->directive,
                      issue->text);
    }
}
END_TEST

START_TEST(suggestions)
{
    static const char *const cases[][2] = {
        {"usr", "user"},
        {"lsiten", "listen"},
        {"Usr", "user"},
        {"env_clear", NULL},
        {"start_servers", "pm.start_servers"},
        {"php_inis", "php_ini"},
        {"limit_extensions", NULL},
        {"q", NULL},
        {"", NULL},
        {"php-value", "php_value"},
        {"clearenv", "clear_env"},
    };
    char huge[200];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_pstr_eq(directive_suggest(cases[i][0], strlen(cases[i][0])), cases[i][1]);
    memset(huge, 'a', sizeof(huge));
    ck_assert_ptr_null(directive_suggest(huge, sizeof(huge)));
}
END_TEST

static Suite *table_suite(void)
{
    Suite *s = suite_create("conf/table");
    TCase *t = tcase_create("all");

    tcase_add_test(t, table_is_sound);
    tcase_add_test(t, table_is_complete);
    tcase_add_test(t, default_pool_has_every_directive);
    tcase_add_test(t, manual_has_every_directive);
    tcase_add_test(t, default_pool_loads);
    tcase_add_test(t, examples_are_valid);
    tcase_add_test(t, suggestions);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(table_suite)
