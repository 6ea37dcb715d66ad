#include "load.h"
#include "../run.h"

#include <errno.h>
#include <stdio.h>

#define MORE "[www]\npm = static\npm.max_children = 2\nprefix = /pre/\n"

static const char *ini(const PoolConfig *c, const char *key)
{
    for (size_t i = 0; i < c->n_ini; i++)
        if (strcmp(c->ini[i].key, key) == 0)
            return c->ini[i].text;
    return NULL;
}

START_TEST(paths_of_the_pool)
{
    static const struct {
        const char *lines, *chroot, *chdir; /* NULL: none */
        size_t n_warnings;
    } cases[] = {
        {MORE "chroot = a/b\nchdir = c\n", "/pre/a/b", "/pre/c", 0},
        {MORE "chroot = $prefix\n", "/pre", NULL, 0},
        {MORE "chroot = $prefix/x\n", "/pre/x", NULL, 0},
        {MORE "chroot = $prefixx\n", "/pre/x", NULL, 0},
        {MORE "chroot = '$prefix'\nchdir = .\n", "/pre", "/pre/.", 0},
        {MORE "chroot = /abs\nchdir = /abs2\n", "/abs", "/abs2", 0},
        {MORE "chroot =\nchdir =\n", NULL, NULL, 0},
        {MORE "chdir = $prefix/x\n", NULL, "/pre/$prefix/x", 0},
        {MINIMAL "chroot = $prefix/x\n", "/usr/x", NULL, 0},
        {MINIMAL "chroot = x\nchdir = y\n", "/usr/x", "/usr/y", 2},
        {MINIMAL "prefix = /$pool\nchdir = y\n", NULL, "/www/y", 0},
        {MINIMAL "chdir = y\nprefix = sub\n", NULL, "/usr/sub/y", 1},
        {MINIMAL "prefix = /\nchdir = y\n", NULL, "/y", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_loaded_ Loaded l = parse(cases[i].lines);

        ck_assert_int_eq(l.r, 0);
        ck_assert_pstr_eq(l.c->chroot, cases[i].chroot);
        ck_assert_pstr_eq(l.c->chdir, cases[i].chdir);
        ck_assert_uint_eq(l.issues.n, cases[i].n_warnings);
    }
}
END_TEST

START_TEST(sockets)
{
    _cleanup_loaded_ Loaded l = parse(MORE "listen = $pool.sock /abs 9000 localhost:1 run/x\n"
                                           "pm.status_listen = status\n");
    static const char *const paths[] = {"/pre/www.sock", "/abs", NULL, NULL, "/pre/run/x"};

    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_uint_eq(l.c->n_listen, ARRAY_SIZE(paths));
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        ck_assert_pstr_eq(l.c->listen[i].path, paths[i]);
    ck_assert_str_eq(l.c->listen[0].text, "www.sock");
    ck_assert_str_eq(l.c->status_listen[0].path, "/pre/status");
    ck_assert_str_eq(l.c->status_path, "/");
    /* What was given stays to be shown. */
    ck_assert_str_eq(pool_config_text(l.c, "pm.status_listen"), "status");
    ck_assert_ptr_null(pool_config_text(l.c, "pm.status_path"));
}
END_TEST

START_TEST(long_sockets)
{
    char text[400], name[109];
    _cleanup_loaded_ Loaded l = {0};

    memset(name, 'a', sizeof(name));
    name[102] = 0;
    snprintf(text, sizeof(text), MORE "listen = %s\n", name);
    l = parse(text);
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(strlen(l.c->listen[0].path), 107);
    loaded_done(&l);

    name[102] = 'a';
    name[103] = 0;
    snprintf(text, sizeof(text), MORE "listen = %s\n", name);
    l = parse(text);
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_ptr_nonnull(strstr(l.issues.items[0].text, "too long for a socket"));
    ck_assert_uint_eq(l.issues.items[0].line, 5);
}
END_TEST

START_TEST(settings_of_php)
{
    static const struct {
        const char *line, *key, *text;
    } cases[] = {
        {"php_value[error_log] = a.log", "error_log", "\"/pre/\"a.log"},
        {"php_admin_value[error_log] = \"a b.log\"", "error_log", "\"/pre/\"\"a b.log\""},
        {"php_admin_value[error_log] = /a.log", "error_log", "/a.log"},
        {"php_admin_value[error_log] = \"/a.log\"", "error_log", "\"/a.log\""},
        {"php_admin_value[error_log] = syslog", "error_log", "syslog"},
        {"php_value[error_log] = \"syslog\"", "error_log", "\"syslog\""},
        {"php_value[error_log] =", "error_log", ""},
        {"php_value[error_log] = none", "error_log", "none"},
        {"php_value[extension_dir] = '/x'", "extension_dir", "'/x'"},
        {"php_value[extension_dir] = 'x'", "extension_dir", "\"/pre/\"'x'"},
        {"php_value[extension_dir] = ${FPMD_ROOT}/x", "extension_dir", "${FPMD_ROOT}/x"},
        {"php_value[session.cookie_path] = x", "session.cookie_path", "\"/pre/\"x"},
        {"php_value[session.save_path] = x", "session.save_path", "x"},
        {"php_value[sendmail_path] = mail -t", "sendmail_path", "\"/pre/\"mail -t"},
        {"php_value[sendmail_path] = a|b", "sendmail_path", "a|b"},
        {"php_flag[error_log] = on", "error_log", "1"},
    };

    setenv("FPMD_ROOT", "/root", 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[300];
        _cleanup_loaded_ Loaded l = {0};

        snprintf(text, sizeof(text), MORE "%s\n", cases[i].line);
        l = parse(text);
        ck_assert_int_eq(l.r, 0);
        ck_assert_uint_eq(l.issues.n, 0);
        ck_assert_str_eq(ini(l.c, cases[i].key), cases[i].text);
        loaded_done(&l);
        /* With a chroot PHP-FPM leaves them. */
        snprintf(text, sizeof(text), MORE "chroot = /c\n%s\n", cases[i].line);
        l = parse(text);
        ck_assert_int_eq(l.r, 0);
        ck_assert_ptr_null(strstr(ini(l.c, cases[i].key), "/pre/"));
    }
}
END_TEST

START_TEST(prefix_in_quotes)
{
    _cleanup_loaded_ Loaded l =
        parse(MINIMAL "prefix = '/a\"b\\c$d'\nphp_value[error_log] = x\nchdir = y\n");

    ck_assert_int_eq(l.r, 0);
    ck_assert_str_eq(l.c->chdir, "/a\"b\\c$d/y");
    ck_assert_str_eq(ini(l.c, "error_log"), "\"/a\\\"b\\\\c\\$d/\"x");
}
END_TEST

static Suite *complete_suite(void)
{
    Suite *s = suite_create("conf/complete");
    TCase *t = tcase_create("all");

    tcase_add_test(t, paths_of_the_pool);
    tcase_add_test(t, sockets);
    tcase_add_test(t, long_sockets);
    tcase_add_test(t, settings_of_php);
    tcase_add_test(t, prefix_in_quotes);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(complete_suite)
