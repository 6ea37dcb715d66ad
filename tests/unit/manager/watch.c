#include "manager/watch.h"
#include "../run.h"

#include "base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static sd_event *event;
static Watch watch;
static unsigned changes;

static void on_change(void *userdata)
{
    changes++;
}

static const char *in(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(in(name), "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* How many changes are told within a time that is longer than a burst is gathered. */
static unsigned changes_now(void)
{
    uint64_t end_usec = clock_monotonic_usec() + 250 * USEC_PER_MSEC;
    unsigned before = changes;

    do
        sd_event_run(event, 20 * USEC_PER_MSEC);
    while (clock_monotonic_usec() < end_usec || watch.burst_usec > 0);
    return changes - before;
}

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fpmd-watch.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(watch_begin(&watch, event, on_change, NULL), 0);
    changes = 0;
}

static void tear_down(void)
{
    char command[128];

    watch_done(&watch);
    sd_event_unref(event);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_file_is_written_moved_removed)
{
    put("pool.conf", "one");
    put("other.conf", "one");
    watch_add_file(&watch, in("pool.conf"));
    ck_assert_uint_eq(changes_now(), 0);
    put("pool.conf", "two");
    ck_assert_uint_eq(changes_now(), 1);
    put("new", "three");
    ck_assert_uint_eq(changes_now(), 0);
    ck_assert_int_eq(rename(in("new"), in("pool.conf")), 0);
    ck_assert_uint_eq(changes_now(), 1);
    ck_assert_int_eq(chmod(in("pool.conf"), 0600), 0);
    ck_assert_uint_eq(changes_now(), 1);
    ck_assert_int_eq(unlink(in("pool.conf")), 0);
    ck_assert_uint_eq(changes_now(), 1);
    put("other.conf", "two");
    ck_assert_uint_eq(changes_now(), 0);
}
END_TEST

START_TEST(reading_is_no_change)
{
    char text[8];
    int fd;

    put("pool.conf", "one");
    watch_add_file(&watch, in("pool.conf"));
    fd = open(in("pool.conf"), O_RDONLY);
    ck_assert_int_ge(read(fd, text, sizeof(text)), 0);
    close(fd);
    ck_assert_uint_eq(changes_now(), 0);
}
END_TEST

START_TEST(a_burst_is_one_change)
{
    put("pool.conf", "one");
    watch_add_file(&watch, in("pool.conf"));
    for (unsigned i = 0; i < 20; i++)
        put("pool.conf", "more");
    ck_assert_uint_eq(changes_now(), 1);
}
END_TEST

/* Who writes without a pause does not put it off for ever. */
START_TEST(a_burst_without_end_is_told)
{
    uint64_t end_usec = clock_monotonic_usec() + 1500 * USEC_PER_MSEC;

    put("pool.conf", "one");
    watch_add_file(&watch, in("pool.conf"));
    while (clock_monotonic_usec() < end_usec) {
        put("pool.conf", "more");
        sd_event_run(event, 20 * USEC_PER_MSEC);
    }
    ck_assert_uint_ge(changes, 1);
    ck_assert_uint_le(changes, 2);
}
END_TEST

START_TEST(missing_folders_may_come)
{
    watch_add_file(&watch, in("a/b/pool.conf"));
    ck_assert_int_eq(mkdir(in("x"), 0700), 0);
    ck_assert_uint_eq(changes_now(), 0);
    ck_assert_int_eq(mkdir(in("a"), 0700), 0);
    ck_assert_uint_eq(changes_now(), 1);
    /* As after each try that fails. */
    watch_add_file(&watch, in("a/b/pool.conf"));
    ck_assert_int_eq(mkdir(in("a/b"), 0700), 0);
    ck_assert_uint_eq(changes_now(), 1);
    watch_add_file(&watch, in("a/b/pool.conf"));
    put("a/b/pool.conf", "one");
    ck_assert_uint_eq(changes_now(), 1);
}
END_TEST

START_TEST(a_link_and_what_it_leads_to)
{
    ck_assert_int_eq(mkdir(in("available"), 0700), 0);
    ck_assert_int_eq(mkdir(in("conf.d"), 0700), 0);
    put("available/opcache.ini", "one");
    put("available/other.ini", "one");
    ck_assert_int_eq(symlink("../available/opcache.ini", in("conf.d/10-opcache.ini")), 0);
    watch_add_folder(&watch, in("conf.d"));
    put("available/opcache.ini", "two");
    ck_assert_uint_eq(changes_now(), 1);
    put("available/other.ini", "two");
    ck_assert_uint_eq(changes_now(), 0);
    put("conf.d/99-new.ini", "one");
    ck_assert_uint_eq(changes_now(), 1);
    ck_assert_int_eq(rename(in("conf.d"), in("away")), 0);
    ck_assert_uint_eq(changes_now(), 1);
}
END_TEST

START_TEST(adding_twice_does_no_harm)
{
    size_t n;

    put("pool.conf", "one");
    watch_add_file(&watch, in("pool.conf"));
    n = watch.n_names;
    for (unsigned i = 0; i < 1000; i++)
        watch_add_file(&watch, in("pool.conf"));
    ck_assert_uint_eq(watch.n_names, n);
    put("pool.conf", "two");
    ck_assert_uint_eq(changes_now(), 1);
    watch_add_file(&watch, "relative");
    watch_add_folder(&watch, "");
    ck_assert_uint_eq(watch.n_names, n);
}
END_TEST

static Suite *watch_suite(void)
{
    Suite *s = suite_create("manager/watch");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 20);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_file_is_written_moved_removed);
    tcase_add_test(t, reading_is_no_change);
    tcase_add_test(t, a_burst_is_one_change);
    tcase_add_test(t, a_burst_without_end_is_told);
    tcase_add_test(t, missing_folders_may_come);
    tcase_add_test(t, a_link_and_what_it_leads_to);
    tcase_add_test(t, adding_twice_does_no_harm);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(watch_suite)
