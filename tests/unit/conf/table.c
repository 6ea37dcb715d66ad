#include "base/fd.h"
#include "conf/manual.h"
#include "load.h"
#include "../run.h"

#include <ctype.h>
#include <stdio.h>

/* The table against what is made from it for people: each directive, its default, its sentence and
 * its fate have to be in the default pool file and in the manual page. */

static char *read_text(const char *path)
{
    char *text = NULL;

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
        ck_assert_int_eq(d[i].fate != FATE_HONOURED, d[i].instead != NULL);
        ck_assert(!d[i].is_vital || d[i].fate == FATE_REFUSED);
        ck_assert_ptr_nonnull(directive_group_to_string(d[i].group));
        ck_assert(i == 0 || d[i].group >= d[i - 1].group);
        ck_assert_uint_ne(d[i].scope, 0);
        ck_assert_ptr_nonnull(directive_fate_to_string(d[i].fate));
        ck_assert_ptr_eq(directive_find(d[i].name, strlen(d[i].name)), d + i);
        ck_assert_uint_eq(directive_index(d + i), i);
        /* Global values that pools inherit are numbers. */
        if (d[i].field != DIRECTIVE_NO_FIELD && (d[i].scope & SCOPE_GLOBAL))
            ck_assert(d[i].type == TYPE_LOG_LEVEL || d[i].type == TYPE_TIME ||
                      d[i].type == TYPE_RLIMIT || d[i].type == TYPE_FILES ||
                      d[i].type == TYPE_SIGNED || d[i].type == TYPE_UNSIGNED);
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
        "request_terminate_grace",
        "request_read_timeout",
        "queue_timeout",
        "idle_exit",
        "pm.max_memory",
        "pm.max_lifetime",
        "pm.start_timeout",
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
        "supplementary_groups",
        "unit.read_write_paths",
        "unit.read_only_paths",
        "security.allow_php_value",
        "security.body_file_paths",
        "pm.worker_memory_max",
        "pm.worker_tasks_max",
        "request_first_byte_timeout",
        "security.max_params_size",
        "security.max_params",
        "sandbox.seccomp",
        "sandbox.syscalls",
        "sandbox.exec",
        "sandbox.report",
        "sandbox.landlock",
        "sandbox.read",
        "sandbox.write",
        "sandbox.exec_paths",
        "sandbox.tcp_connect",
        "sandbox.abstract_sockets",
        "sandbox.opcache",
        "sandbox.retire_on_crash",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_msg(directive_find(names[i], strlen(names[i])) != NULL, "%s", names[i]);
    ck_assert_uint_eq(directives_count(), ARRAY_SIZE(names));
}
END_TEST

START_TEST(default_pool_has_every_directive)
{
    _cleanup_free_ char *text = read_text(SOURCE_ROOT "/conf.d/www.conf");
    size_t n;
    const Directive *d = directives_get(&n);

    for (size_t i = 0; i < n; i++) {
        char line[300];

        snprintf(line, sizeof(line), "; %s", d[i].summary);
        ck_assert_msg(has_line(text, line), "no line: %s", line);
        /* With quotes inside it is escaped there. */
        if (d[i].fallback && strchr(d[i].fallback, '"'))
            snprintf(line, sizeof(line), "%s = \"", d[i].name);
        else if (d[i].fallback)
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

/* The part of the page that is about one directive. */
static char *cut_item(const char *page, const Directive *d)
{
    char start[100];
    const char *item, *end, *list_end;

    snprintf(start, sizeof(start), ".It Ic %s%s\n", d->name,
             !directive_is_array(d) ? ""
             : d->type == TYPE_URIS ? "[]"
                                    : "[KEY]");
    item = strstr(page, start);
    ck_assert_msg(item != NULL, "no item: %s", start);
    end = strstr(item, "\n.It Ic");
    list_end = strstr(item, "\n.El");
    if (!end || (list_end && list_end < end))
        end = list_end;
    ck_assert_ptr_nonnull(end);
    return strndup(item, (size_t)(end - item) + 1);
}

START_TEST(manual_has_every_directive)
{
    _cleanup_free_ char *text = read_text(MANUAL_PAGE);
    size_t n;
    const Directive *d = directives_get(&n);

    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *item = cut_item(text, &d[i]);
        char line[300];

        ck_assert_msg(has_line(item, d[i].summary), "%s: no sentence", d[i].name);
        if (d[i].fallback && !strpbrk(d[i].fallback, "\"\\")) {
            snprintf(line, sizeof(line), "The default is\n.Ql \"%s\" .\n", d[i].fallback);
            ck_assert_msg(strstr(item, line) != NULL, "%s: no default", d[i].name);
        }
        ck_assert_int_eq((d[i].scope & SCOPE_GLOBAL) != 0, strstr(item, ".Ql [global]") != NULL);
        if (d[i].fate != FATE_HONOURED)
            ck_assert_msg(strstr(item, d[i].instead) != NULL, "%s: no fate", d[i].name);
    }
}
END_TEST

/* What only people read about a directive is about one that exists, and each has a line that shows
 * its form. */
START_TEST(manual_rows_fit)
{
    size_t n, n_rows;
    const Directive *d = directives_get(&n);
    const Manual *m = manuals_get(&n_rows);

    for (size_t i = 0; i < n_rows; i++) {
        const Directive *of = directive_find(m[i].name, strlen(m[i].name));

        ck_assert_msg(of != NULL, "%s", m[i].name);
        ck_assert_ptr_eq(manual_find(of), &m[i]);
    }
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(d[i].fallback || (manual_find(&d[i]) && manual_find(&d[i])->examples[0]),
                      "%s has no example", d[i].name);
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
    _cleanup_free_ char *text = read_text(SOURCE_ROOT "/conf.d/www.conf");
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
        bool refused = strstr(issue->text, "is refused");

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
        {"limit_extensions", "security.limit_extensions"},
        {"max_childen", "pm.max_children"},
        {"Max_Requets", "pm.max_requests"},
        {"path", "ping.path"},
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
    tcase_add_test(t, manual_rows_fit);
    tcase_add_test(t, default_pool_loads);
    tcase_add_test(t, examples_are_valid);
    tcase_add_test(t, suggestions);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(table_suite)
