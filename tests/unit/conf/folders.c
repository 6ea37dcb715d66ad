#include "conf/folders.h"
#include "files.h"
#include "../run.h"

#include <errno.h>

/* "FOLDER/etc:FOLDER/none:FOLDER/lib" */
static char folders[200];

static void setup(void)
{
    folder_make();
    snprintf(folders, sizeof(folders), "%s/etc:%s/none:%s/lib", folder, folder, folder);
}

/* The files of a pool as names below the folder with blanks between; "" for an error. */
static int files(const char *pool, char ret[static 400])
{
    _cleanup_(config_files_done) ConfigFiles found = {0};
    int r = config_find_files(folders, pool, &found);

    ret[0] = 0;
    if (r < 0)
        return r;
    strcat(ret, found.path + sizeof(folder));
    for (size_t i = 0; i < found.n_dropins; i++) {
        strcat(ret, " ");
        strcat(ret, found.dropins[i] + sizeof(folder));
    }
    return 0;
}

START_TEST(the_first_folder_counts)
{
    _cleanup_free_ char *path = NULL;
    char found[400];

    put("lib/a.conf", "");
    put("lib/b.conf", "");
    put("etc/b.conf", "");
    ck_assert_int_eq(files("a", found), 0);
    ck_assert_str_eq(found, "lib/a.conf");
    ck_assert_int_eq(files("b", found), 0);
    ck_assert_str_eq(found, "etc/b.conf");
    ck_assert_int_eq(files("c", found), -ENOENT);
    ck_assert_int_eq(files("../a", found), -EINVAL);
    ck_assert_int_eq(config_find_pool(folders, "b", &path), 0);
    ck_assert_str_eq(path + sizeof(folder), "etc/b.conf");
}
END_TEST

START_TEST(dropins_are_merged_by_name)
{
    char found[400];

    put("lib/a.conf", "");
    put("lib/a.conf.d/20-two.conf", "");
    put("lib/a.conf.d/10-one.conf", "");
    put("etc/a.conf.d/15-between.conf", "");
    put("etc/a.conf.d/20-two.conf", "");
    put("etc/a.conf.d/.hidden.conf", "");
    put("etc/a.conf.d/backup.conf~", "");
    put("etc/a.conf.d/.conf", "");
    put("etc/a.conf.d/folder.conf/x", "");
    put("etc/b.conf.d/other.conf", "");
    ck_assert_int_eq(files("a", found), 0);
    ck_assert_str_eq(found, "lib/a.conf lib/a.conf.d/10-one.conf etc/a.conf.d/15-between.conf "
                            "etc/a.conf.d/20-two.conf");
    ck_assert_int_eq(files("b", found), -ENOENT);
}
END_TEST

START_TEST(null_masks)
{
    char found[400];

    put("lib/a.conf", "");
    put("lib/a.conf.d/1.conf", "");
    put("lib/a.conf.d/2.conf", "");
    put("etc/a.conf.d/1.conf", NULL);
    ck_assert_int_eq(files("a", found), 0);
    ck_assert_str_eq(found, "lib/a.conf lib/a.conf.d/2.conf");
    put("etc/a.conf", NULL);
    ck_assert_int_eq(files("a", found), -ERFKILL);
    /* An empty file is no mask. */
    put("etc/a.conf", "");
    ck_assert_int_eq(files("a", found), 0);
    /* What is less important masks nothing. */
    put("lib/a.conf", NULL);
    put("lib/a.conf.d/1.conf", NULL);
    put("etc/a.conf.d/1.conf", "");
    ck_assert_int_eq(files("a", found), 0);
    ck_assert_str_eq(found, "etc/a.conf etc/a.conf.d/1.conf lib/a.conf.d/2.conf");
}
END_TEST

START_TEST(pools_are_listed)
{
    static const char *const expected[] = {"a", "a-b", "b", "wrong name"};
    char **names = NULL;
    size_t n;

    put("lib/a.conf", "");
    put("lib/masked.conf", "");
    put("lib/b.conf", "");
    put("etc/b.conf", "");
    put("etc/a-b.conf", "");
    put("etc/masked.conf", NULL);
    put("etc/wrong name.conf", "");
    put("etc/c.conf.d/x.conf", "");
    put("etc/readme", "");
    ck_assert_int_eq(config_list_pools(folders, &names, &n), 0);
    ck_assert_uint_eq(n, ARRAY_SIZE(expected));
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(names[i], expected[i]);
    config_free_names(names, n);
    ck_assert_int_eq(config_list_pools("/none:/none/too", &names, &n), 0);
    ck_assert_uint_eq(n, 0);
    config_free_names(names, n);
}
END_TEST

/* A folder that cannot be looked into might have the file that counts. */
START_TEST(closed_folders)
{
    _cleanup_loaded_ Loaded l = {0};
    char path[64], found[400];

    put("etc/a.conf", "");
    put("lib/a.conf", MINIMAL);
    snprintf(path, sizeof(path), "%s/etc", folder);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(chmod(path, 0), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(files("a", found), -EACCES);
    l.r = config_load_pool(folders, "a", &l.issues, &l.c);
    ck_assert_int_eq(l.r, -EACCES);
    ck_assert_uint_eq(l.issues.n_errors, 1);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(path, 0755), 0);
}
END_TEST

static Suite *folders_suite(void)
{
    Suite *s = suite_create("conf/folders");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, folder_remove);
    tcase_add_test(t, the_first_folder_counts);
    tcase_add_test(t, dropins_are_merged_by_name);
    tcase_add_test(t, null_masks);
    tcase_add_test(t, pools_are_listed);
    tcase_add_test(t, closed_folders);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(folders_suite)
