#include "files.h"
#include "../run.h"

#include <errno.h>

static Loaded load(void)
{
    char folders[200];
    Loaded l = {0};

    snprintf(folders, sizeof(folders), "%s/etc:%s/lib", folder, folder);
    l.r = config_load_pool(folders, "www", &l.issues, &l.c);
    return l;
}

static void assert_origin(const Loaded *l, const char *directive, const char *file, unsigned line)
{
    ConfigOrigin origin = pool_config_origin(l->c, directive);

    ck_assert_ptr_nonnull(origin.file);
    ck_assert_str_eq(origin.file + sizeof(folder), file);
    ck_assert_uint_eq(origin.line, line);
}

START_TEST(a_file_without_dropins)
{
    _cleanup_loaded_ Loaded l = {0};

    put("lib/www.conf", MINIMAL "user = u\n");
    l = load();
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_str_eq(l.c->path + sizeof(folder), "lib/www.conf");
    ck_assert_str_eq(pool_config_text(l.c, "user"), "u");
}
END_TEST

START_TEST(a_later_file_replaces)
{
    _cleanup_loaded_ Loaded l = {0};

    put("lib/www.conf",
        "log_level = error\n" MINIMAL "user = u\nlisten = /a /b\nenv[A] = 1\nenv[B] = 1\n"
        "php_value[x] = 1\nphp_value[y] = 1\nphp_admin_value[x] = 1\n"
        "security.limit_extensions = .a .b\nlisten.allowed_clients = 10.0.0.1\n");
    put("etc/www.conf.d/1.conf", "pm.max_children = 7\nenv[A] = 2\nphp_flag[x] = off\n");
    put("etc/www.conf.d/2.conf", "; with a header\n[WWW]\nuser = v\nlisten = /c\nenv[A] = 3\n"
                                 "php_value[z] = 3\nsecurity.limit_extensions =\n"
                                 "listen.allowed_clients = ::1\n[global]\nlog_level = debug\n");
    l = load();
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_uint_eq(l.c->pm_max_children, 7);
    assert_origin(&l, "pm.max_children", "etc/www.conf.d/1.conf", 1);
    ck_assert_str_eq(l.c->user, "v");
    assert_origin(&l, "user", "etc/www.conf.d/2.conf", 3);
    assert_origin(&l, "pm", "lib/www.conf", 3);
    ck_assert_uint_eq(l.c->n_listen, 1);
    ck_assert_str_eq(l.c->listen[0].path, "/c");
    ck_assert_uint_eq(l.c->n_limit_extensions, 0);
    ck_assert_uint_eq(l.c->n_allowed_clients, 1);
    ck_assert_int_eq(l.c->log_level, 7);
    assert_origin(&l, "log_level", "etc/www.conf.d/2.conf", 10);

    ck_assert_uint_eq(l.c->n_env, 2);
    ck_assert_str_eq(l.c->env[0].name, "A");
    ck_assert_str_eq(l.c->env[0].value, "3");
    ck_assert_str_eq(l.c->env[0].file + sizeof(folder), "etc/www.conf.d/2.conf");
    ck_assert_uint_eq(l.c->env[0].line, 5);
    ck_assert_str_eq(l.c->env[1].value, "1");
    ck_assert_uint_eq(l.c->env[1].line, 8);

    ck_assert_uint_eq(l.c->n_ini, 4);
    ck_assert_str_eq(l.c->ini[0].key, "x");
    ck_assert_int_eq(l.c->ini[0].kind, INI_FLAG);
    ck_assert_str_eq(l.c->ini[0].text, "0");
    ck_assert_str_eq(l.c->ini[0].file + sizeof(folder), "etc/www.conf.d/1.conf");
    ck_assert_str_eq(l.c->ini[2].key, "z");
    ck_assert_int_eq(l.c->ini[3].kind, INI_ADMIN_VALUE);
    ck_assert_str_eq(l.c->ini[3].text, "1");
}
END_TEST

/* Within one file, and from what it includes, the rules of PHP-FPM stay. */
START_TEST(within_a_file_the_first_key_stays)
{
    _cleanup_loaded_ Loaded l = {0};

    put("etc/www.conf", MINIMAL "env[A] = 1\ninclude = more\nphp_value[x] = 1\n");
    put("etc/more", "env[A] = 2\n");
    put("etc/www.conf.d/1.conf", "env[A] = 3\nenv[A] = 4\nphp_value[x] = 2\nphp_value[x] = 3\n"
                                 "user = a\nuser = b\n");
    l = load();
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 4);
    assert_issue(&l, "etc/more:1: env[A]: is given again, the first one stays in force");
    assert_issue(&l,
                 "etc/www.conf.d/1.conf:2: env[A]: is given again, the first one stays in force");
    assert_issue(&l,
                 "etc/www.conf.d/1.conf:4: php_value[x]: is given again, line 3 stays in force");
    assert_issue(&l, "etc/www.conf.d/1.conf:6: user: is given again, which replaces line 5");
    ck_assert_str_eq(l.c->env[0].value, "3");
    ck_assert_str_eq(l.c->ini[0].text, "2");
}
END_TEST

START_TEST(lists_are_joined)
{
    _cleanup_loaded_ Loaded l = {0};

    put("etc/www.conf", MINIMAL "php_admin_value[disable_functions] = exec\n"
                                "php_admin_value[extension] = a\n");
    put("etc/www.conf.d/1.conf", "php_admin_value[disable_functions] = system\n"
                                 "php_admin_value[extension] = b\n");
    l = load();
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_uint_eq(l.c->n_ini, 3);
    ck_assert_str_eq(l.c->ini[0].text, "exec,system");
    ck_assert_str_eq(l.c->ini[2].text, "b");
}
END_TEST

START_TEST(errors_name_the_dropin)
{
    _cleanup_loaded_ Loaded l = {0};

    put("etc/www.conf", "\n[www]\npm.max_children = 0\n");
    put("etc/www.conf.d/1.conf", "\nxyzzy = 1\n[other]\nuser = x|y\n");
    put("etc/www.conf.d/2.conf", "user = \"\n");
    l = load();
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_ptr_nonnull(l.c);
    ck_assert_uint_eq(l.issues.n_errors, 4);
    assert_issue(&l,
                 "etc/www.conf:3: pm.max_children: '0' is out of range, expected a number from 1 "
                 "to 65535");
    assert_issue(&l, "etc/www.conf.d/1.conf:2: xyzzy: there is no such directive, expected one of "
                     "fpmd.conf(5)");
    assert_issue(&l, "etc/www.conf.d/1.conf:4: user: in the other pool [other]: has one of the "
                     "characters =|&^~!() outside of quotes, expected quotes around the value");
    assert_issue(&l, "etc/www.conf.d/2.conf:1: a quote is not closed, expected its end on the same "
                     "line");
    /* Missing is missing where the pool begins. */
    assert_issue(&l, "etc/www.conf:2: pm: is missing, expected static, dynamic or ondemand");
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    _cleanup_loaded_ Loaded l = {0};
    char path[128], text[300];

    l = load();
    ck_assert_int_eq(l.r, -ENOENT);
    ck_assert_uint_eq(l.issues.n_errors, 1);
    snprintf(text, sizeof(text),
             "etc/www.conf: cannot be read: No such file or directory, nor is there one in %s/lib",
             folder);
    assert_issue(&l, text);
    loaded_done(&l);

    put("etc/www.conf", NULL);
    l = load();
    ck_assert_int_eq(l.r, -ENOENT);
    assert_issue(&l, "etc/www.conf: the pool is masked by a link to /dev/null");
    loaded_done(&l);

    /* A drop-in into nowhere is no reason to leave its siblings unread, but one to refuse. */
    put("etc/www.conf", MINIMAL);
    put("etc/www.conf.d/2.conf", "xyzzy = 1\n");
    snprintf(path, sizeof(path), "%s/etc/www.conf.d/1.conf", folder);
    ck_assert_int_eq(symlink("nowhere", path), 0);
    l = load();
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n_errors, 2);
    assert_issue(&l, "etc/www.conf.d/1.conf: cannot be read: No such file or directory");
    ck_assert_ptr_nonnull(l.c);
}
END_TEST

START_TEST(what_should_be_a_folder)
{
    _cleanup_loaded_ Loaded l = {0};
    char path[128];

    put("etc/www.conf", MINIMAL);
    put("lib/www.conf.d", "user = a\n");
    l = load();
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n, 1);
    assert_issue(&l, "lib/www.conf.d: is not a folder, expected one with drop-ins (*.conf) of the "
                     "pool www");
    loaded_done(&l);

    snprintf(path, sizeof(path), "%s/etc/www.conf.d", folder);
    ck_assert_int_eq(symlink("nowhere", path), 0);
    l = load();
    ck_assert_int_eq(l.r, -EINVAL);
    assert_issue(&l, "etc/www.conf.d: is not a folder, expected one with drop-ins (*.conf) of the "
                     "pool www");
    loaded_done(&l);

    /* A link to a folder is one. */
    put("lib/real/1.conf", "user = a\n");
    snprintf(path, sizeof(path), "%s/lib/www.conf.d", folder);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("real", path), 0);
    snprintf(path, sizeof(path), "%s/etc/www.conf.d", folder);
    ck_assert_int_eq(unlink(path), 0);
    l = load();
    ck_assert_int_eq(l.r, 0);
    ck_assert_str_eq(l.c->user, "a");
}
END_TEST

/* A drop-in does not stand for a section that the pool file lacks. */
START_TEST(the_section_has_to_be_in_the_file)
{
    _cleanup_loaded_ Loaded l = {0};

    put("etc/www.conf", "[wwww]\npm = static\npm.max_children = 1\n");
    put("etc/www.conf.d/1.conf", "pm = static\npm.max_children = 1\n");
    l = load();
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n_errors, 1);
    assert_issue(&l, "etc/www.conf: there is no section for this pool, expected a line [www]; the "
                     "first section is [wwww]");
}
END_TEST

START_TEST(the_name_is_checked)
{
    Loaded l = {0};

    l.r = config_load_pool("/etc", "../passwd", &l.issues, &l.c);
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n_errors, 1);
    ck_assert_ptr_null(l.c);
    loaded_done(&l);
}
END_TEST

static Suite *dropins_suite(void)
{
    Suite *s = suite_create("conf/dropins");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, folder_make, folder_remove);
    tcase_add_test(t, a_file_without_dropins);
    tcase_add_test(t, a_later_file_replaces);
    tcase_add_test(t, within_a_file_the_first_key_stays);
    tcase_add_test(t, lists_are_joined);
    tcase_add_test(t, errors_name_the_dropin);
    tcase_add_test(t, files_that_cannot_be_read);
    tcase_add_test(t, what_should_be_a_folder);
    tcase_add_test(t, the_section_has_to_be_in_the_file);
    tcase_add_test(t, the_name_is_checked);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(dropins_suite)
