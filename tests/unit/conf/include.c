#include "files.h"
#include "../run.h"

#include <errno.h>

static void setup(void)
{
    char conf_d[64];

    folder_make();
    snprintf(conf_d, sizeof(conf_d), "%s/d", folder);
    ck_assert_int_eq(mkdir(conf_d, 0700), 0);
}

static Loaded load(const char *name)
{
    char path[128];
    Loaded l = {0};

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    l.r = config_load(path, "www", &l.issues, &l.c);
    return l;
}

START_TEST(lines_and_sections_are_those_of_each_file)
{
    _cleanup_loaded_ Loaded l = {0};
    char path[64];

    put("a.conf", "[www]\npm = static\ninclude = d/*.conf\npm.max_children = 0\n");
    put("d/1.conf", "\nuser = u\nxyzzy = 1\n[b]\npm = static\npm.max_children = 1\n");
    put("d/2.conf", "\n\nphp_value[x] = 1\nplugh = 1\n");
    l = load("a.conf");
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n, 3);
    assert_issue(&l, "d/1.conf:3: xyzzy: there is no such directive, expected one of fpmd.conf(5)");
    assert_issue(&l, "d/2.conf:4: plugh: there is no such directive, expected one of fpmd.conf(5)");
    assert_issue(&l, "a.conf:4: pm.max_children: '0' is out of range, expected a number from 1 to "
                     "65535");
    loaded_done(&l);

    put("a.conf", "[www]\npm = static\ninclude = d/*.conf\npm.max_children = 3\n");
    put("d/1.conf", "\nuser = u\n[b]\npm = static\npm.max_children = 1\n");
    put("d/2.conf", "\n\nphp_value[x] = 1\n");
    l = load("a.conf");
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.issues.n, 0);
    ck_assert_uint_eq(l.c->pm_max_children, 3);
    snprintf(path, sizeof(path), "%s/d/1.conf", folder);
    ck_assert_str_eq(pool_config_origin(l.c, "user").file, path);
    ck_assert_uint_eq(pool_config_origin(l.c, "user").line, 2);
    snprintf(path, sizeof(path), "%s/d/2.conf", folder);
    ck_assert_str_eq(l.c->ini[0].file, path);
    ck_assert_uint_eq(l.c->ini[0].line, 3);
}
END_TEST

START_TEST(nothing_matches)
{
    _cleanup_loaded_ Loaded l = {0};
    char text[200];

    put("a.conf", MINIMAL "include = d/*.conf\n");
    l = load("a.conf");
    ck_assert_int_eq(l.r, 0);
    snprintf(text, sizeof(text), "a.conf:4: include: no file matches %s/d/*.conf", folder);
    assert_issue(&l, text);
}
END_TEST

START_TEST(folder_that_is_missing)
{
    _cleanup_loaded_ Loaded l = {0};
    char text[200];

    put("a.conf", MINIMAL "include = none/*.conf\n");
    l = load("a.conf");
    ck_assert_int_eq(l.r, -EINVAL);
    snprintf(text, sizeof(text),
             "a.conf:4: include: the folder %s/none of none/*.conf cannot be read: No such file or "
             "directory",
             folder);
    assert_issue(&l, text);
}
END_TEST

START_TEST(depth_is_limited)
{
    _cleanup_loaded_ Loaded l = {0};
    char text[200];

    put("1", MINIMAL "include = 2\n");
    put("2", "include = 3\n");
    put("3", "include = 4\n");
    put("4", "include = 5\n");
    put("5", "user = u\n");
    put("6", "");
    l = load("1");
    ck_assert_int_eq(l.r, 0);
    ck_assert_str_eq(l.c->user, "u");
    loaded_done(&l);

    put("5", "include = 6\n");
    l = load("1");
    ck_assert_int_eq(l.r, -EINVAL);
    snprintf(text, sizeof(text),
             "5:1: include: %s/6: includes are nested too deep, expected at most 5 files", folder);
    assert_issue(&l, text);
}
END_TEST

START_TEST(circles_end)
{
    _cleanup_loaded_ Loaded l = {0};
    char text[200];

    put("a.conf", MINIMAL "include = *.conf\n");
    l = load("a.conf");
    ck_assert_int_eq(l.r, -EINVAL);
    snprintf(text, sizeof(text), "a.conf:4: include: %s/a.conf: the file includes itself", folder);
    assert_issue(&l, text);
}
END_TEST

START_TEST(only_files_are_read)
{
    _cleanup_loaded_ Loaded l = {0};

    put("a.conf", MINIMAL "include = d\ninclude = /dev/zero\ninclude =\n");
    l = load("a.conf");
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n, 2);
    assert_issue(&l, "a.conf:5: include: /dev/zero: it is not a regular file");
    assert_issue(&l, "a.conf:6: include: the value is empty, expected the name of a file");
}
END_TEST

START_TEST(file_that_is_not_there)
{
    _cleanup_loaded_ Loaded l = load("none");

    ck_assert_int_eq(l.r, -ENOENT);
    ck_assert_uint_eq(l.issues.n_errors, 1);
    assert_issue(&l, "none: cannot be read: No such file or directory");
    loaded_done(&l);
    l = load("d");
    ck_assert_int_lt(l.r, 0);
    ck_assert_uint_eq(l.issues.n_errors, 1);
}
END_TEST

static Suite *include_suite(void)
{
    Suite *s = suite_create("conf/include");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, folder_remove);
    tcase_add_test(t, lines_and_sections_are_those_of_each_file);
    tcase_add_test(t, nothing_matches);
    tcase_add_test(t, folder_that_is_missing);
    tcase_add_test(t, depth_is_limited);
    tcase_add_test(t, circles_end);
    tcase_add_test(t, only_files_are_read);
    tcase_add_test(t, file_that_is_not_there);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(include_suite)
