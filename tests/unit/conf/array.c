#include "load.h"
#include "../run.h"

START_TEST(settings_of_php)
{
    _cleanup_loaded_ Loaded l =
        parse(MINIMAL "php_admin_value[memory_limit] = 32M ; text\n"
                      "php_value[error_reporting] = E_ALL & ~E_NOTICE\n"
                      "php_flag[display_errors] = Off\nphp_admin_flag[log_errors] = \"on\"\n"
                      "php_value[sendmail_path] = \"/usr/sbin/sendmail -f $pool;\"\n"
                      "php_value[error_reporting] = 0\nphp_flag[memory_limit] = null\n"
                      "php_admin_value[extension] = a.so\nphp_admin_value[extension] = b.so\n"
                      "php_admin_value[disable_functions] = exec\n"
                      "php_admin_value[disable_functions] = \"system,passthru\"\n");
    static const struct {
        IniKind kind;
        const char *key, *text;
        unsigned line;
    } expected[] = {
        {INI_VALUE, "error_reporting", "E_ALL & ~E_NOTICE", 5},
        {INI_FLAG, "display_errors", "0", 6},
        {INI_VALUE, "sendmail_path", "\"/usr/sbin/sendmail -f www;\"", 8},
        {INI_FLAG, "memory_limit", "0", 10},
        {INI_ADMIN_VALUE, "memory_limit", "32M", 4},
        {INI_ADMIN_FLAG, "log_errors", "1", 7},
        {INI_ADMIN_VALUE, "extension", "a.so", 11},
        {INI_ADMIN_VALUE, "extension", "b.so", 12},
        {INI_ADMIN_VALUE, "disable_functions", "exec,system,passthru", 13},
    };

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.c->n_ini, ARRAY_SIZE(expected));
    for (size_t i = 0; i < l.c->n_ini; i++) {
        ck_assert_int_eq(l.c->ini[i].kind, expected[i].kind);
        ck_assert_str_eq(l.c->ini[i].key, expected[i].key);
        ck_assert_str_eq(l.c->ini[i].text, expected[i].text);
        ck_assert_uint_eq(l.c->ini[i].line, expected[i].line);
        ck_assert_str_eq(l.c->ini[i].file, "t.conf");
    }
    ck_assert_uint_eq(l.issues.n, 1);
    ck_assert(has_issue(&l.issues, "t.conf:9: php_value[error_reporting]: is given again, line 5 "
                                   "stays in force"));
}
END_TEST

START_TEST(environment)
{
    static const char *const expected[][2] = {{"A", "b c"},     {"B", "whole"}, {"C", ""},
                                              {"D", "x/whole"}, {"E", "1"},     {"F", "on"},
                                              {"G", "www.x"}};
    _cleanup_loaded_ Loaded l = {0};

    setenv("FPMD_TEST", "whole", 1);
    unsetenv("FPMD_TEST/x");
    l = parse(MINIMAL "env[A] = b c ; d\nenv[B] = $FPMD_TEST\nenv[C] = $FPMD_TEST/x\n"
                      "env[D] = x/${FPMD_TEST}\nenv[E] = Yes\nenv[F] = \"on\"\nenv[G] = $pool.x\n"
                      "env[A] = second\n");
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.c->n_env, ARRAY_SIZE(expected));
    for (size_t i = 0; i < l.c->n_env; i++) {
        ck_assert_str_eq(l.c->env[i].name, expected[i][0]);
        ck_assert_str_eq(l.c->env[i].value, expected[i][1]);
    }
    ck_assert_uint_eq(l.issues.n, 1);
    ck_assert(
        has_issue(&l.issues, "t.conf:11: env[A]: is given again, the first one stays in force"));
}
END_TEST

static Suite *array_suite(void)
{
    Suite *s = suite_create("conf/array");
    TCase *t = tcase_create("all");

    tcase_add_test(t, settings_of_php);
    tcase_add_test(t, environment);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(array_suite)
