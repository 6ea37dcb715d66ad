#include "manager/counter.h"
#include "../run.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fpmd-counter.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/failed-starts", folder);
}

static void tear_down(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, n, f), n);
    fclose(f);
}

START_TEST(what_was_written_is_read)
{
    struct stat st;

    ck_assert_uint_eq(counter_read(path), 0);
    ck_assert_int_eq(counter_write(path, 1), 0);
    ck_assert_uint_eq(counter_read(path), 1);
    ck_assert_int_eq(counter_write(path, 4711), 0);
    ck_assert_uint_eq(counter_read(path), 4711);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    counter_remove(path);
    ck_assert_uint_eq(counter_read(path), 0);
    counter_remove(path);
}
END_TEST

START_TEST(a_large_number_stays_readable)
{
    ck_assert_int_eq(counter_write(path, 4000000000U), 0);
    ck_assert_uint_eq(counter_read(path), 1000000);
}
END_TEST

START_TEST(garbage_is_no_counter)
{
    static const struct {
        const char *text;
        size_t n;
    } texts[] = {
        {"", 0},      {"\n", 1},         {"0\n", 2},        {"7", 1},
        {"-1\n", 3},  {"seven\n", 6},    {"7 \n", 3},       {"1\0002\n", 4},
        {"7\n\n", 3}, {"99999999\n", 9}, {"\xff\xfe\n", 3}, {"1234567890123456789\n", 20},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        put(texts[i].text, texts[i].n);
        ck_assert_msg(counter_read(path) == 0, "text %zu: %u", i, counter_read(path));
    }
}
END_TEST

/* With User= of the pool's own a script can put anything there. */
START_TEST(other_kinds_of_files_are_no_counter)
{
    char other[160];

    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_uint_eq(counter_read(path), 0);
    ck_assert_int_eq(counter_write(path, 3), 0);
    ck_assert_uint_eq(counter_read(path), 3);

    snprintf(other, sizeof(other), "%s/other", folder);
    ck_assert_int_eq(rename(path, other), 0);
    ck_assert_int_eq(symlink(other, path), 0);
    ck_assert_uint_eq(counter_read(path), 0);
    ck_assert_int_eq(counter_write(path, 5), 0);
    ck_assert_uint_eq(counter_read(path), 5);
    ck_assert_uint_eq(counter_read(other), 3);

    counter_remove(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_uint_eq(counter_read(path), 0);
    ck_assert_int_lt(counter_write(path, 6), 0);
    snprintf(other, sizeof(other), "%s.new", path);
    ck_assert_int_ne(access(other, F_OK), 0);
}
END_TEST

START_TEST(the_folder_is_that_of_the_service)
{
    static const struct {
        const char *folder, *path;
    } cases[] = {
        {NULL, NULL},
        {"", NULL},
        {"relative", NULL},
        {"/run/fpmd-control/www", "/run/fpmd-control/www/failed-starts"},
        {"/run/fpmd-control/www:/run/more", "/run/fpmd-control/www/failed-starts"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *found = NULL;

        if (cases[i].folder)
            setenv("RUNTIME_DIRECTORY", cases[i].folder, true);
        else
            unsetenv("RUNTIME_DIRECTORY");
        found = counter_path();
        if (cases[i].path)
            ck_assert_str_eq(found, cases[i].path);
        else
            ck_assert_ptr_null(found);
    }
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error)
{
    ck_assert_int_lt(counter_write("/nonexistent/failed-starts", 1), 0);
    ck_assert_uint_eq(counter_read("/nonexistent/failed-starts"), 0);
}
END_TEST

static Suite *counter_suite(void)
{
    Suite *s = suite_create("manager/counter");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, what_was_written_is_read);
    tcase_add_test(t, a_large_number_stays_readable);
    tcase_add_test(t, garbage_is_no_counter);
    tcase_add_test(t, other_kinds_of_files_are_no_counter);
    tcase_add_test(t, the_folder_is_that_of_the_service);
    tcase_add_test(t, a_folder_that_is_not_there_is_an_error);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(counter_suite)
