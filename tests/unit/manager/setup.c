/* What the manager checks of a pool file: what its own privileges and limits allow. */
#include "manager/manager.h"
#include "../run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], libexec[128];

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* A pool of this process's own user, which needs no privilege. */
static int load(const Manager *m, const char *more, char **ret_reason)
{
    _cleanup_(pool_setup_unrefp) PoolSetup *s = NULL;
    char text[1024];
    Manager copy = *m;

    snprintf(folder, sizeof(folder), "/tmp/fpmd-setup.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(libexec, sizeof(libexec), "%s", folder);
    write_file("php", "", 0755);
    snprintf(text, sizeof(text), "[www]\nruntime = php\npm = static\npm.max_children = 1\n%s\n",
             more);
    write_file("www.conf", text, 0644);
    copy.options =
        (ManagerOptions){.pool = "www", .config_folders = folder, .libexec_dir = libexec};
    if (copy.nofile_hard == 0)
        copy.nofile_hard = 100000;
    *ret_reason = NULL;
    return pool_setup_load(&copy, true, &s, ret_reason);
}

static void remove_files(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* The reason has all these parts. */
static void expect_refused(const Manager *m, const char *more, const char *const *parts)
{
    _cleanup_free_ char *reason = NULL;

    ck_assert_int_lt(load(m, more, &reason), 0);
    ck_assert_ptr_nonnull(reason);
    for (; *parts; parts++)
        ck_assert_msg(strstr(reason, *parts), "%s: no \"%s\"", reason, *parts);
    remove_files();
}

static void expect_taken(const Manager *m, const char *more)
{
    _cleanup_free_ char *reason = NULL;

    ck_assert_msg(load(m, more, &reason) == 0, "%s", reason ? reason : "no reason");
    remove_files();
}

START_TEST(chroot_needs_its_capability)
{
    static const char *const parts[] = {"www.conf:5: chroot: ", "CAP_SYS_CHROOT",
                                        "'fpmctl apply www'",
                                        "fpmd@www.service.d/50-pool-file.conf", NULL};
    Manager m = {0};

    expect_refused(&m, "chroot = /tmp", parts);
    m.privileges.may_chroot = true;
    expect_taken(&m, "chroot = /tmp");
}
END_TEST

/* Up to what the shipped unit asks for there is no drop-in to write, nor is there for a user's. */
START_TEST(files_above_the_hard_limit)
{
    static const char *const parts[] = {
        "www.conf:5: rlimit_files: ", "is above the hard limit of the service, 4000",
        "LimitNOFILE=", "limit of systemd itself", NULL};
    static const char *const apply[] = {"'fpmctl apply www'", NULL};
    static const char *const above = "rlimit_files = 524289", *const shipped =
                                                                  "rlimit_files = 524288";
    _cleanup_free_ char *reason = NULL, *own = NULL;
    const Manager m = {.nofile_hard = 4000};

    ck_assert_int_eq(unsetenv("MANAGERPID"), 0);
    expect_refused(&m, shipped, parts);
    expect_refused(&m, above, parts);
    expect_refused(&m, above, apply);
    ck_assert_int_lt(load(&m, shipped, &reason), 0);
    remove_files();
    ck_assert_ptr_null(strstr(reason, "fpmctl"));
    ck_assert_int_eq(setenv("MANAGERPID", "1", 1), 0);
    ck_assert_int_lt(load(&m, above, &own), 0);
    remove_files();
    ck_assert_ptr_null(strstr(own, "fpmctl"));
    expect_taken(&m, "rlimit_files = 4000");
    expect_taken(&m, "");
}
END_TEST

START_TEST(core_above_the_hard_limit)
{
    static const char *const parts[] = {
        "www.conf:5: rlimit_core: ", "LimitCORE=", "'fpmctl apply www'", NULL};
    const struct rlimit limit = {4096, 4096};
    const Manager m = {0};

    ck_assert_int_eq(unsetenv("MANAGERPID"), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limit), 0);
    expect_refused(&m, "rlimit_core = 8192\nprocess.dumpable = yes", parts);
    expect_refused(&m, "rlimit_core = unlimited\nprocess.dumpable = yes", parts);
    expect_taken(&m, "rlimit_core = 4096\nprocess.dumpable = yes");
    /* None is dumped then, so nothing is asked for. */
    expect_taken(&m, "rlimit_core = unlimited");
}
END_TEST

START_TEST(workers_need_descriptors)
{
    static const char *const parts[] = {"pm.max_children", "LimitNOFILE=", NULL};
    const Manager m = {.nofile_hard = 200};

    expect_refused(&m, "", parts);
}
END_TEST

START_TEST(no_file)
{
    _cleanup_free_ char *reason = NULL;
    const Manager m = {.options = {.pool = "none",
                                   .config_folders = "/nonexistent/a:/nonexistent/b",
                                   .libexec_dir = "/"}};
    PoolSetup *s = NULL;
    Manager copy = m;

    ck_assert_int_eq(pool_setup_load(&copy, true, &s, &reason), -ENOENT);
    ck_assert_ptr_nonnull(strstr(reason, "none.conf"));
}
END_TEST

static Suite *setup_suite(void)
{
    Suite *s = suite_create("manager/setup");
    TCase *t = tcase_create("all");

    tcase_add_test(t, chroot_needs_its_capability);
    tcase_add_test(t, files_above_the_hard_limit);
    tcase_add_test(t, core_above_the_hard_limit);
    tcase_add_test(t, workers_need_descriptors);
    tcase_add_test(t, no_file);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(setup_suite)
