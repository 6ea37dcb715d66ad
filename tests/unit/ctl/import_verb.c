#include "importing.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_up(void)
{
    set_up_folders();
    server_write(&server, "../old/a.conf",
                 "; of a\n[a]\nuser = nobody\nlisten = /run/old/a.sock\npm = static\n"
                 "pm.max_children = 2\nruntime = true\n");
    server_write(&server, "../old/two.conf",
                 "[b]\nuser = nobody\nlisten = 127.0.0.1:64999\npm = static\npm.max_children = 1\n"
                 "runtime = true\nlisten.setfib = 2\n"
                 "[c]\nuser = nobody\nlisten = /run/old/a.sock\npm = static\n"
                 "pm.max_children = many\nruntime = true\n");
    server_write(&server, "../php-fpm.conf", "[global]\npid = /run/x\nrlimit_files = 4000\n");
}

static void assert_file(const char *name, const char *content)
{
    _cleanup_free_ char *text = NULL;
    int r = fd_read_file(path(name), 65536, &text, NULL);

    if (!content) {
        ck_assert_msg(r < 0, "%s is there:\n%s", name, text);
        return;
    }
    ck_assert_msg(r == 0, "%s: %s", name, strerror(-r));
    assert_has(text, content);
}

START_TEST(usage)
{
    ck_assert_int_eq(run(IMPORTING("import")), 64);
    assert_has(errors, "import PATH... | --undo");
    ck_assert_int_eq(run(IMPORTING("import", "--undo", old)), 64);
    ck_assert_int_eq(run(IMPORTING("import", "/nowhere/at/all")), 1);
    assert_has(errors, "/nowhere/at/all: No such file");
    ck_assert_int_eq(run(IMPORTING("import", path("../units"))), 1);
    assert_has(errors, "there is no pool");
    ck_assert_int_eq(run(IMPORTING("import", "--undo")), 1);
    assert_has(errors, "there is no import");
}
END_TEST

/* Says the same as the import itself, and writes nothing. */
START_TEST(dry_run)
{
    ck_assert_int_eq(run(IMPORTING("import", "--dry-run", old)), 78);
    assert_has(output, "POOL                    TAKEN OVER  MOVED TO SYSTEMD  NEEDS A LOOK\n");
    assert_has(output, "would be imported");
    assert_has(output, "listen: ListenStream=/run/old/a.sock of fpmd@a.socket");
    assert_has(output, "/old/two.conf:12: error: pm.max_children: ");
    assert_has(output, "NOT imported");
    assert_has(output, "listen.setfib");
    assert_has(output, "pid: Type=notify of the service unit");
    assert_has(output, "\n2 pools would be taken over, ");
    assert_has(output, "take the sections of the imported pools out of ");
    assert_has(output, "systemctl enable --now fpmd@{a,b}.socket\n");
    assert_file("a.conf", NULL);
    assert_file(".import/0001/record", NULL);
    assert_file("../units/fpmd@a.socket.d/50-pool-file.conf", NULL);
}
END_TEST

START_TEST(import_and_undo)
{
    ck_assert_int_eq(run(IMPORTING("import", old)), 78);
    assert_has(output, "\n2 pools taken over, ");
    assert_file("a.conf", "; of a\n[a]\n");
    assert_file("a.conf.d/50-import.conf", "\nrlimit_files = 4000\n");
    assert_file("b.conf", "[b]\nuser = nobody\n");
    assert_file("c.conf", NULL);
    assert_file("../units/fpmd@a.socket.d/50-pool-file.conf", "\nListenStream=/run/old/a.sock\n");
    assert_file("../units/fpmd@b.socket.d/50-pool-file.conf", "\nListenStream=127.0.0.1:64999\n");
    assert_file("../units/fpmd@c.socket.d/50-pool-file.conf", NULL);

    ck_assert_msg(run(IMPORTING("import", path("../old/a.conf"))) == 0, "%s%s", output, errors);
    assert_has(output, "  unchanged\n");
    assert_file(".import/0002/record", NULL);

    ck_assert_int_eq(run(IMPORTING("import", "--undo", "--dry-run")), 0);
    assert_has(output, "/conf/a.conf\n");
    assert_file("a.conf", "[a]");
    ck_assert_int_eq(run(IMPORTING("import", "--undo")), 0);
    assert_file("a.conf", NULL);
    assert_file("b.conf", NULL);
    ck_assert_int_lt(access(path("a.conf.d"), F_OK), 0);
    ck_assert_int_lt(access(path("../units/fpmd@a.socket.d"), F_OK), 0);
    ck_assert_int_lt(access(path(".import"), F_OK), 0);
}
END_TEST

START_TEST(existing_files)
{
    server_write(&server, "a.conf", "; my own\n");
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 78);
    assert_has(output, "/conf/a.conf is there and differs; --force replaces it");
    assert_file("a.conf", "; my own\n");
    assert_file("a.conf.d/50-import.conf", NULL);
    ck_assert_int_eq(run(IMPORTING("import", "--force", path("../old/a.conf"))), 0);
    assert_has(output, "  replaced\n");
    assert_file("a.conf", "; of a\n");
    ck_assert_int_eq(run(IMPORTING("import", "--undo")), 0);
    assert_file("a.conf", "; my own\n");
}
END_TEST

START_TEST(edited_files_are_kept)
{
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 0);
    server_write(&server, "a.conf", "; edited\n");
    ck_assert_int_eq(run(IMPORTING("import", "--undo")), 0);
    assert_has(errors, "/conf/a.conf has been changed since, and is kept");
    assert_has(output, "1 kept\n");
    assert_file("a.conf", "; edited\n");
    assert_file("a.conf.d/50-import.conf", NULL);
    ck_assert_int_eq(run(IMPORTING("import", "--undo", "--force")), 0);
    assert_file("a.conf", NULL);
}
END_TEST

/* The folder of the drop-in cannot be made: nothing of the pool stays behind. */
START_TEST(all_or_nothing)
{
    server_write(&server, "a.conf.d", "a file\n");
    ck_assert_int_eq(run(IMPORTING("import", old)), 78);
    assert_has(output, "/a.conf.d/50-import.conf cannot be written: ");
    assert_file("a.conf", NULL);
    assert_file("b.conf", "[b]");
    ck_assert_int_eq(run(IMPORTING("import", "--undo")), 0);
    assert_file("b.conf", NULL);
    assert_file("a.conf.d", "a file\n");
}
END_TEST

START_TEST(needs_a_look)
{
    server_write(&server, "../old/d.conf",
                 "[d]\nuser = nobody-of-this-name\nlisten = /run/old/a.sock\npm = static\n"
                 "pm.max_children = 2\nruntime = true\nchdir = /no/such/folder\n");
    ck_assert_int_eq(run(IMPORTING("import", "--dry-run", old)), 78);
    assert_has(output, "/old/d.conf:2: user: ");
    assert_has(output, "/old/d.conf:7: chdir: ");
    assert_has(output, "listen: /run/old/a.sock is also that of pool d (");
    assert_has(output, "listen: /run/old/a.sock is also that of pool a (");
}
END_TEST

/* Root gives the file to the manager's group, where there is one; others are told to. */
START_TEST(secret_files_stay_secret)
{
    const struct passwd *manager = geteuid() == 0 ? getpwnam(FPMD_MANAGER_USER) : NULL;
    struct stat st;

    ck_assert_int_eq(chmod(path("../old/a.conf"), 0600), 0);
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 0);
    ck_assert_int_eq(stat(path("a.conf"), &st), 0);
    ck_assert_int_eq((int)(st.st_mode & 0777), 0640);
    if (manager)
        ck_assert_uint_eq(st.st_gid, manager->pw_gid);
    else
        assert_has(output, "chgrp ");
}
END_TEST

/* conf/a.conf of mode 0640, and of others when we are root. */
static void make_secret(struct stat *ret)
{
    server_write(&server, "a.conf", "; my own secret\n");
    if (geteuid() == 0)
        ck_assert_int_eq(chown(path("a.conf"), 12345, 12346), 0);
    ck_assert_int_eq(chmod(path("a.conf"), 0640), 0);
    ck_assert_int_eq(stat(path("a.conf"), ret), 0);
}

static void assert_access(const struct stat *was)
{
    struct stat st;

    ck_assert_int_eq(lstat(path("a.conf"), &st), 0);
    ck_assert_int_eq((int)st.st_mode, (int)was->st_mode);
    ck_assert_uint_eq(st.st_uid, was->st_uid);
    ck_assert_uint_eq(st.st_gid, was->st_gid);
}

START_TEST(undo_brings_back_owner_and_mode)
{
    struct stat was, st;

    make_secret(&was);
    ck_assert_int_eq(run(IMPORTING("import", "--force", path("../old/a.conf"))), 0);
    ck_assert_int_eq(stat(path("a.conf"), &st), 0);
    /* What was secret stays so, although the new file was not. */
    ck_assert_int_eq((int)(st.st_mode & 0777), 0640);
    ck_assert_int_eq(run(IMPORTING("import", "--undo")), 0);
    assert_file("a.conf", "; my own secret\n");
    assert_access(&was);
}
END_TEST

START_TEST(a_failed_import_brings_back_owner_and_mode)
{
    struct stat was;

    make_secret(&was);
    server_write(&server, "a.conf.d", "a file\n");
    ck_assert_int_eq(run(IMPORTING("import", "--force", path("../old/a.conf"))), 78);
    assert_has(output, "NOT imported");
    assert_file("a.conf", "; my own secret\n");
    assert_access(&was);
}
END_TEST

START_TEST(a_masked_pool_comes_back)
{
    char target[64] = "";

    ck_assert_int_eq(symlink("/dev/null", path("a.conf")), 0);
    ck_assert_int_eq(run(IMPORTING("import", "--force", path("../old/a.conf"))), 0);
    assert_file("a.conf", "; of a\n");
    ck_assert_int_eq(run(IMPORTING("import", "--undo")), 0);
    ck_assert_int_eq(readlink(path("a.conf"), target, sizeof(target) - 1), 9);
    ck_assert_str_eq(target, "/dev/null");
}
END_TEST

/* The drop-in of a unit cannot be noted: it is not written either. */
START_TEST(no_dropin_without_a_record)
{
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 0);
    ck_assert_int_eq(unlink(path("../units/fpmd@a.socket.d/50-pool-file.conf")), 0);
    ck_assert_int_eq(rename(path(".import"), path("was")), 0);
    server_write(&server, ".import", "a file\n");
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 1);
    assert_has(errors, "/fpmd@a.socket.d/50-pool-file.conf: Not a directory");
    assert_file("../units/fpmd@a.socket.d/50-pool-file.conf", NULL);
}
END_TEST

/* Files that are unchanged, units that are not: --undo asks whether the pool is in use. */
START_TEST(only_units_are_changed)
{
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 0);
    ck_assert_int_eq(unlink(path("../units/fpmd@a.socket.d/50-pool-file.conf")), 0);
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 0);
    assert_has(output, "  unchanged\n");
    assert_file(".import/0002/record", "/units/fpmd@a.socket.d/50-pool-file.conf\n");
    ck_assert_int_eq(mkdir(path("../units/multi-user.target.wants"), 0755), 0);
    ck_assert_int_eq(symlink("x", path("../units/multi-user.target.wants/fpmd@a.service")), 0);
    ck_assert_int_eq(run(IMPORTING("import", "--undo")), 1);
    assert_has(errors, "systemctl disable --now fpmd@a.socket");
}
END_TEST

START_TEST(one_import_at_a_time)
{
    int fd = open(path("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 1);
    assert_has(errors, "another import is at work there");
    ck_assert_int_eq(run(IMPORTING("import", "--dry-run", path("../old/a.conf"))), 0);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(run(IMPORTING("import", path("../old/a.conf"))), 0);
}
END_TEST

static Suite *import_verb_suite(void)
{
    Suite *s = suite_create("ctl/import_verb");
    TCase *tc = tcase_create("import_verb");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, usage);
    tcase_add_test(tc, dry_run);
    tcase_add_test(tc, import_and_undo);
    tcase_add_test(tc, existing_files);
    tcase_add_test(tc, edited_files_are_kept);
    tcase_add_test(tc, all_or_nothing);
    tcase_add_test(tc, needs_a_look);
    tcase_add_test(tc, secret_files_stay_secret);
    tcase_add_test(tc, undo_brings_back_owner_and_mode);
    tcase_add_test(tc, a_failed_import_brings_back_owner_and_mode);
    tcase_add_test(tc, a_masked_pool_comes_back);
    tcase_add_test(tc, no_dropin_without_a_record);
    tcase_add_test(tc, only_units_are_changed);
    tcase_add_test(tc, one_import_at_a_time);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(import_verb_suite)
