#include "manager/logfile.h"

#include "base/clock.h"
#include "base/fd.h"
#include "manager/logpath.h"
#include "manager/manager.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-logfile-XXXXXX";
static char access_path[64], slow_path[64], text[4096];
static Manager manager;
static Generation generation;
static PoolSetup setup;
static ConfigIssues issues;

static void set_up(void)
{
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(access_path, sizeof(access_path), "%s/access.log", folder);
    snprintf(slow_path, sizeof(slow_path), "%s/slow.log", folder);
    setup = (PoolSetup){.config = pool_config_new("www")};
    ck_assert_ptr_nonnull(setup.config);
    setup.config->access_log = strdup(access_path);
    setup.config->slowlog = strdup(slow_path);
    setup.config->slowlog_timeout_usec = USEC_PER_SEC;
    generation = (Generation){.setup = &setup, .link_fd = -1};
    manager = (Manager){.generations = &generation};
    issues = (ConfigIssues){0};
}

static void tear_down(void)
{
    char command[128];

    logfiles_setup_done(&setup);
    pool_config_free(setup.config);
    config_issues_done(&issues);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *read_file(const char *path)
{
    _cleanup_free_ char *content = NULL;

    if (fd_read_file(path, sizeof(text) - 1, &content, NULL) < 0)
        return "(none)";
    return strcpy(text, content);
}

static void write_access(const char *line)
{
    ck_assert_int_eq(write(logfiles_access_fd(&setup), line, strlen(line)), (ssize_t)strlen(line));
}

static void move(const char *path)
{
    char other[80];

    snprintf(other, sizeof(other), "%s.1", path);
    ck_assert_int_eq(rename(path, other), 0);
}

START_TEST(both_are_opened)
{
    struct stat st;

    umask(0);
    ck_assert_int_eq(logfiles_open(&setup, &issues), 0);
    ck_assert_int_eq(stat(access_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    write_access("one\n");
    logfiles_write_slow(&manager, &setup, "two\n", 4);
    ck_assert_str_eq(read_file(access_path), "one\n");
    ck_assert_str_eq(read_file(slow_path), "two\n");
    ck_assert_int_eq(fcntl(logfiles_access_fd(&setup), F_GETFL) & (O_APPEND | O_NONBLOCK),
                     O_APPEND | O_NONBLOCK);
    ck_assert_int_eq(fcntl(logfiles_access_fd(&setup), F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(only_what_is_used_is_opened)
{
    free(setup.config->access_log);
    setup.config->access_log = _i == 0 ? NULL : strdup("journal");
    setup.config->slowlog_timeout_usec = 0;
    ck_assert_int_eq(logfiles_open(&setup, &issues), 0);
    ck_assert_ptr_null(setup.files);
    ck_assert_int_eq(logfiles_access_fd(&setup), -1);
    ck_assert_int_eq(access(slow_path, F_OK), -1);
    logfiles_write_slow(&manager, &setup, "two\n", 4);
    ck_assert_int_eq(logfiles_reopen(&manager), 0);
}
END_TEST

/* Both are said at once. */
START_TEST(what_cannot_be_opened_is_an_error)
{
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(logfiles_open(&setup, &issues), -ENOENT);
    ck_assert_uint_eq(issues.n, 2);
    ck_assert_str_eq(issues.items[0].directive, "access.log");
    ck_assert_ptr_nonnull(strstr(issues.items[0].text, access_path));
    ck_assert_ptr_nonnull(strstr(issues.items[0].text, "No such file or directory, expected"));
    ck_assert_str_eq(issues.items[1].directive, "slowlog");
    ck_assert_int_eq(logfiles_access_fd(&setup), -1);
}
END_TEST

/* Without a reader it would be written to by nobody knows whom later. */
START_TEST(a_pipe_needs_a_reader)
{
    int reader;

    ck_assert_int_eq(mkfifo(access_path, 0600), 0);
    ck_assert_int_eq(logfiles_open(&setup, &issues), -ENXIO);
    ck_assert_ptr_nonnull(strstr(issues.items[0].text, "a pipe that somebody reads"));
    logfiles_setup_done(&setup);
    reader = open(access_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_eq(logfiles_open(&setup, &issues), 0);
    write_access("one\n");
    ck_assert_int_eq(read(reader, text, sizeof(text)), 4);
    close(reader);
}
END_TEST

START_TEST(opened_anew_on_demand)
{
    ck_assert_int_eq(logfiles_open(&setup, &issues), 0);
    write_access("one\n");
    move(access_path);
    move(slow_path);
    write_access("two\n");
    ck_assert_int_eq(logfiles_reopen(&manager), 0);
    write_access("three\n");
    logfiles_write_slow(&manager, &setup, "slow\n", 5);
    ck_assert_str_eq(read_file(access_path), "three\n");
    ck_assert_str_eq(read_file(slow_path), "slow\n");
}
END_TEST

START_TEST(workers_and_templates_are_told)
{
    Worker worker = {.generation = &generation};
    int link[2], line[2];

    ck_assert_int_eq(link_pair(link), 0);
    ck_assert_int_eq(link_pair(line), 0);
    ck_assert_int_eq(logfiles_open(&setup, &issues), 0);
    generation.link_fd = link[0];
    worker.life_line = line[0];
    manager.workers = &worker;
    /* A generation of the same setup is not told twice. */
    generation.next = &(Generation){.setup = &setup, .link_fd = -1};
    move(access_path);
    ck_assert_int_eq(logfiles_reopen(&manager), 0);
    for (int i = 0; i < 2; i++) {
        LinkMessage m;
        size_t n_fds = 0;
        int end = i == 0 ? link[1] : line[1], fd = -1;

        ck_assert_int_eq(link_receive(end, MSG_DONTWAIT, &m, &fd, 1, &n_fds, NULL), 1);
        ck_assert_uint_eq(m.type, LINK_REOPEN);
        ck_assert_uint_eq(n_fds, 1);
        ck_assert_int_eq(write(fd, "x", 1), 1);
        close(fd);
        ck_assert_int_eq(link_receive(end, MSG_DONTWAIT, &m, NULL, 0, NULL, NULL), -EAGAIN);
    }
    ck_assert_str_eq(read_file(access_path), "xx");
    for (int i = 0; i < 2; i++) {
        close(link[i]);
        close(line[i]);
    }
}
END_TEST

START_TEST(a_rename_is_seen)
{
    uint64_t now_usec = 100 * USEC_PER_SEC;

    ck_assert_int_eq(logfiles_open(&setup, &issues), 0);
    write_access("one\n");
    logfiles_look(&manager, now_usec);
    ck_assert_str_eq(read_file(access_path), "one\n");
    if (_i == 0)
        move(access_path);
    else
        ck_assert_int_eq(unlink(access_path), 0);
    /* Not more than one look a second. */
    logfiles_look(&manager, now_usec + USEC_PER_SEC / 2);
    ck_assert_str_eq(read_file(access_path), "(none)");
    logfiles_look(&manager, now_usec + USEC_PER_SEC);
    write_access("two\n");
    ck_assert_str_eq(read_file(access_path), "two\n");
    /* Another one in its place. */
    move(access_path);
    close(open(access_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    logfiles_look(&manager, now_usec + 2 * USEC_PER_SEC);
    write_access("three\n");
    ck_assert_str_eq(read_file(access_path), "three\n");
}
END_TEST

/* Then the old one is written on. */
START_TEST(when_it_cannot_be_opened_anew)
{
    char moved[80];

    ck_assert_int_eq(logfiles_open(&setup, &issues), 0);
    move(access_path);
    ck_assert_int_eq(mkdir(access_path, 0700), 0);
    ck_assert_int_eq(logfiles_reopen(&manager), -EISDIR);
    write_access("one\n");
    snprintf(moved, sizeof(moved), "%s.1", access_path);
    ck_assert_str_eq(read_file(moved), "one\n");
    ck_assert_int_eq(rmdir(access_path), 0);
    ck_assert_int_eq(logfiles_reopen(&manager), 0);
    write_access("two\n");
    ck_assert_str_eq(read_file(access_path), "two\n");
}
END_TEST

/* After a re-exec the file may be gone for good; the pool goes on. */
START_TEST(of_an_earlier_program)
{
    free(setup.config->access_log);
    setup.config->access_log = strdup("/none/access.log");
    logfiles_adopt(&setup);
    ck_assert_int_eq(logfiles_access_fd(&setup), -1);
    logfiles_write_slow(&manager, &setup, "slow\n", 5);
    ck_assert_str_eq(read_file(slow_path), "slow\n");
    ck_assert_int_eq(logfiles_reopen(&manager), -ENOENT);
}
END_TEST

/* Links of root and of others, at the end of the path and on the way. */
START_TEST(root_follows_no_links_of_others)
{
    char target[80], link[80], through[96];
    uid_t owner = _i % 2 ? 1000 : 0;
    int fd;

    if (geteuid() != 0)
        return;
    snprintf(target, sizeof(target), "%s/real", folder);
    snprintf(link, sizeof(link), "%s/link", folder);
    snprintf(through, sizeof(through), "%s/access.log", link);
    ck_assert_int_eq(mkdir(target, 0755), 0);
    if (_i < 2)
        ck_assert_int_eq(symlink("real", link), 0);
    else {
        ck_assert_int_eq(mkdir(link, 0755), 0);
        ck_assert_int_eq(symlink("../real/log", through), 0);
    }
    ck_assert_int_eq(lchown(_i < 2 ? link : through, owner, owner), 0);
    fd = logpath_open(through, O_WRONLY | O_CREAT, 0600);
    if (owner == 0)
        ck_assert_int_ge(fd, 0);
    else
        ck_assert_int_eq(fd, -ELOOP);
    strcat(target, _i < 2 ? "/access.log" : "/log");
    ck_assert_int_eq(access(target, F_OK), owner == 0 ? 0 : -1);
    fd_close(fd);
}
END_TEST

/* As in containers. */
START_TEST(what_is_open_already)
{
    int pair[2], fd;
    char path[64];

    ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", pair[1]);
    fd = logpath_open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "one", 3), 3);
    ck_assert_int_eq(read(pair[0], text, sizeof(text)), 3);
    fd_close(fd);
    fd_close(pair[0]);
    fd_close(pair[1]);
}
END_TEST

static Suite *logfile_suite(void)
{
    Suite *s = suite_create("manager/logfile");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, both_are_opened);
    tcase_add_loop_test(t, only_what_is_used_is_opened, 0, 2);
    tcase_add_test(t, what_cannot_be_opened_is_an_error);
    tcase_add_test(t, a_pipe_needs_a_reader);
    tcase_add_test(t, opened_anew_on_demand);
    tcase_add_test(t, workers_and_templates_are_told);
    tcase_add_loop_test(t, a_rename_is_seen, 0, 2);
    tcase_add_test(t, when_it_cannot_be_opened_anew);
    tcase_add_test(t, of_an_earlier_program);
    tcase_add_loop_test(t, root_follows_no_links_of_others, 0, 4);
    tcase_add_test(t, what_is_open_already);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(logfile_suite)
