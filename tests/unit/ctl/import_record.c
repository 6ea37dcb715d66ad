/*
 * What an import leaves on disk: its record, files and links that are put back, the text of its
 * drop-ins.
 */

#include "base/fd.h"
#include "ctl/import.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *name, const char *text, const char *how)
{
    FILE *f = fopen(in(name), how);

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void assert_mode(const char *path, mode_t mode)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq((int)(st.st_mode & 07777), (int)mode);
}

/* A state as a writer has it that does not care whose it is. */
static FileState file(const char *text, mode_t mode)
{
    return (FileState){FILE_REGULAR, (char *)(uintptr_t)text, strlen(text), mode, (uid_t)-1,
                       (gid_t)-1};
}

static const FileState nothing = {.kind = FILE_NONE};

START_TEST(files_and_links)
{
    _cleanup_file_state_ FileState link = {0}, back = {0}, none = {0};
    FileState wide = file("text", 06777);

    ck_assert_int_eq(symlink("/dev/null", in("link")), 0);
    ck_assert_int_eq(file_state_read(in("link"), &link), 0);
    ck_assert_int_eq(link.kind, FILE_LINK);
    ck_assert_str_eq(link.data, "/dev/null");
    /* Not what the link leads to, and nobody else may write. */
    ck_assert_int_eq(file_state_write(in("link"), &wide), 0);
    assert_mode(in("link"), 0755);
    ck_assert_int_eq(file_state_write(in("link"), &link), 0);
    ck_assert_int_eq(file_state_read(in("link"), &back), 0);
    ck_assert(file_state_is_same(&link, &back));
    ck_assert_int_eq(file_state_write(in("link"), &nothing), 0);
    ck_assert_int_eq(file_state_write(in("link"), &nothing), 0);
    ck_assert_int_eq(file_state_read(in("link"), &none), 0);
    ck_assert_int_eq(none.kind, FILE_NONE);
    ck_assert_int_eq(file_state_read(dir, &none), -EINVAL);
    ck_assert_int_eq(mkfifo(in("pipe"), 0600), 0);
    ck_assert_int_eq(file_state_read(in("pipe"), &none), -EINVAL);
}
END_TEST

/* Somebody's link at the name of the temporary file is not written through. */
START_TEST(temporary_names)
{
    FileState text = file("text", 0640);
    struct stat st;

    write_file("victim", "untouched", "we");
    ck_assert_int_eq(symlink(in("victim"), in(".a~")), 0);
    ck_assert_int_eq(file_state_write(in("a"), &text), 0);
    ck_assert_int_eq(stat(in("victim"), &st), 0);
    ck_assert_int_eq((int)st.st_size, 9);
    ck_assert_int_eq(lstat(in("a"), &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    ck_assert_int_lt(access(in(".a~"), F_OK), 0);
    write_file(".a~", "left over", "we");
    file_state_sweep(in("a"));
    ck_assert_int_lt(access(in(".a~"), F_OK), 0);
}
END_TEST

START_TEST(owners)
{
    FileState s = file("text", 0640);
    _cleanup_file_state_ FileState back = {0};

    s.uid = 12345;
    s.gid = 12346;
    if (geteuid() != 0) {
        ck_assert_int_eq(file_state_write(in("a"), &s), -EPERM);
        ck_assert_int_lt(access(in("a"), F_OK), 0);
        return;
    }
    ck_assert_int_eq(file_state_write(in("a"), &s), 0);
    ck_assert_int_eq(file_state_read(in("a"), &back), 0);
    ck_assert_uint_eq(back.uid, 12345);
    ck_assert_uint_eq(back.gid, 12346);
    ck_assert_int_eq((int)back.mode, 0640);
}
END_TEST

/* A file with two lines, of which the second was "old\n". */
static void make_record(Record *r)
{
    FileState old = file("old\n", 0640);

    old.uid = 12345;
    old.gid = 12346;
    ck_assert_int_eq(record_init(r, dir), 0);
    ck_assert_int_eq(record_add_pool(r, "www"), 0);
    ck_assert_int_eq(record_add_file(r, in("new"), "new\n", 4, &nothing), 0);
    ck_assert_int_eq(record_add_file(r, in("old file"), "newer\n", 6, &old), 0);
    ck_assert_int_eq(record_add_file(r, in("gone"), NULL, 0, &old), 0);
    ck_assert_int_eq(record_add_file(r, "/a\nb", "x", 1, &nothing), -EINVAL);
}

START_TEST(record)
{
    _cleanup_(record_done) Record r = {0}, again = {0};
    _cleanup_(record_lines_done) RecordLines lines = {0};
    _cleanup_file_state_ FileState earlier = {0};
    FileState newer = file("newer\n", 0600), other = file("newex\n", 0600);

    make_record(&r);
    assert_mode(in(".import"), 0700);
    assert_mode(in(".import/0001/record"), 0600);
    assert_mode(in(".import/0001/1"), 0600);

    ck_assert_int_eq(record_init(&again, dir), 0);
    ck_assert_int_eq(record_open_last(&again), 0);
    ck_assert_int_eq(record_read(&again, &lines), 0);
    ck_assert_uint_eq(lines.n, 4);
    ck_assert_int_eq(lines.items[0].kind, RECORD_POOL);
    ck_assert_str_eq(lines.items[0].path, "www");
    ck_assert_str_eq(lines.items[2].path, in("old file"));
    ck_assert(record_is_ours(&lines.items[2], &newer));
    ck_assert(!record_is_ours(&lines.items[2], &other));
    ck_assert(!record_is_ours(&lines.items[2], &nothing));
    ck_assert(record_is_ours(&lines.items[3], &nothing));
    ck_assert(!record_is_ours(&lines.items[3], &newer));
    ck_assert_int_eq(record_read_earlier(&again, &lines.items[1], &earlier), 0);
    ck_assert_int_eq(earlier.kind, FILE_NONE);
    ck_assert_int_eq(record_read_earlier(&again, &lines.items[2], &earlier), 0);
    ck_assert_int_eq(earlier.kind, FILE_REGULAR);
    ck_assert_str_eq(earlier.data, "old\n");
    ck_assert_int_eq((int)earlier.mode, 0640);
    ck_assert_uint_eq(earlier.uid, 12345);
    ck_assert_uint_eq(earlier.gid, 12346);
}
END_TEST

START_TEST(record_is_finished)
{
    _cleanup_(record_done) Record r = {0}, none = {0};
    _cleanup_(record_lines_done) RecordLines lines = {0}, less = {0};
    const RecordLine *kept[1];

    make_record(&r);
    ck_assert_int_eq(record_read(&r, &lines), 0);
    kept[0] = &lines.items[1];
    ck_assert_int_eq(record_finish(&r, kept, 1), 0);
    ck_assert_int_eq(record_read(&r, &less), 0);
    ck_assert_uint_eq(less.n, 1);
    ck_assert_str_eq(less.items[0].path, in("new"));
    ck_assert_int_eq(record_finish(&r, NULL, 0), 0);
    ck_assert_int_eq(record_init(&none, dir), 0);
    ck_assert_int_eq(record_open_last(&none), -ENOENT);
    ck_assert_int_lt(access(in(".import"), F_OK), 0);
}
END_TEST

/* A last line that did not get to the disk as a whole. */
START_TEST(record_is_cut_off)
{
    _cleanup_(record_done) Record r = {0};
    _cleanup_(record_lines_done) RecordLines lines = {0}, none = {0};

    make_record(&r);
    write_file(".import/0001/record", "created 00", "ae");
    ck_assert_int_eq(record_read(&r, &lines), 0);
    ck_assert_uint_eq(lines.n, 4);
    write_file(".import/0001/record", "fpmctl im", "we");
    ck_assert_int_eq(record_read(&r, &none), 0);
    ck_assert_uint_eq(none.n, 0);
    ck_assert_int_eq(unlink(in(".import/0001/record")), 0);
    ck_assert_int_eq(record_read(&r, &none), 0);
}
END_TEST

/* The disk is full for a moment: the line that had no room leaves nothing behind. */
START_TEST(record_without_room)
{
    _cleanup_(record_done) Record r = {0};
    _cleanup_(record_lines_done) RecordLines lines = {0};
    struct rlimit limit = {.rlim_max = RLIM_INFINITY};
    struct stat st;

    make_record(&r);
    ck_assert_int_eq(stat(in(".import/0001/record"), &st), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit.rlim_cur = (rlim_t)st.st_size + 10;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(record_add_pool(&r, "second"), -EFBIG);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(record_add_pool(&r, "third"), 0);
    ck_assert_int_eq(record_read(&r, &lines), 0);
    ck_assert_uint_eq(lines.n, 5);
    ck_assert_str_eq(lines.items[4].path, "third");
}
END_TEST

START_TEST(record_of_others)
{
    static const char *const cases[] = {
        "something\n",
        "fpmctl import 1\ncreated 0 0 0 0644 /x\n",
        "fpmctl import 2\nfrobbed 0 0 0 0 0 0 /x\n",
        "fpmctl import 2\ncreated 0 0 0 0 0 /x\n",
        "fpmctl import 2\ncreated 0 0 0 0100644 0 0 \n",
        "fpmctl import 3\n",
    };
    _cleanup_(record_done) Record r = {0};
    _cleanup_(record_lines_done) RecordLines lines = {0};

    ck_assert_int_eq(mkdir(in(".import"), 0700), 0);
    ck_assert_int_eq(mkdir(in(".import/0007"), 0700), 0);
    write_file(".import/0007/record", cases[_i], "we");
    ck_assert_int_eq(record_init(&r, dir), 0);
    ck_assert_int_eq(record_open_last(&r), 0);
    ck_assert_int_eq(record_read(&r, &lines), -EBADMSG);
}
END_TEST

/* The paths of the drop-in are those that the pool gets. */
START_TEST(paths_of_a_dropin)
{
    static char *paths[] = {
        (char *)(uintptr_t) "/home/joe/www~old", (char *)(uintptr_t) "/home/a(b)&|^=!",
        (char *)(uintptr_t) "/home/c\\d",        (char *)(uintptr_t) "/home/e$f",
        (char *)(uintptr_t) "/home/${HOME}",     (char *)(uintptr_t) "/home/[x],g;h"};
    const size_t n = ARRAY_SIZE(paths);
    PoolConfig config = {.unit_read_write_paths = {.items = paths, .n = n}};
    ImportPool pool = {.config = &config, .write_paths = {.items = paths, .n = 1}};
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_config_freep) PoolConfig *c = NULL;
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_free_ char *text = NULL;

    ck_assert_int_eq(import_make_dropin(&pool, &b), 0);
    text = buffer_steal(&b);
    write_file("www.conf",
               "[www]\nuser = nobody\nlisten = /run/www.sock\npm = static\npm.max_children = 1\n",
               "we");
    ck_assert_int_eq(mkdir(in("www.conf.d"), 0755), 0);
    write_file("www.conf.d/50-import.conf", text, "we");
    ck_assert_msg(config_load_pool(dir, "www", &issues, &c) == 0, "%s: %s", text,
                  issues.n > 0 ? issues.items[0].text : "");
    ck_assert_uint_eq(c->unit_read_write_paths.n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(c->unit_read_write_paths.items[i], paths[i]);
}
END_TEST

START_TEST(links_of_a_socket)
{
    static char *paths[] = {(char *)(uintptr_t) "/run/php/100%h.sock",
                            (char *)(uintptr_t) "/run/php/back\\"};
    ImportPool pool = {.aliases = {.items = paths, .n = 2}}, none = {0};
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_free_ char *text = NULL;

    ck_assert_int_eq(import_make_socket_dropin(&none, &b), 0);
    ck_assert_uint_eq(b.size, 0);
    ck_assert_int_eq(import_make_socket_dropin(&pool, &b), 0);
    text = buffer_steal(&b);
    ck_assert_str_eq(text, "# Written by fpmctl import\n[Socket]\n"
                           "Symlinks=/run/php/100%%h.sock /run/php/back\\\\\n");
}
END_TEST

static Suite *import_record_suite(void)
{
    Suite *s = suite_create("ctl/import_record");
    TCase *tc = tcase_create("import_record");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, files_and_links);
    tcase_add_test(tc, temporary_names);
    tcase_add_test(tc, owners);
    tcase_add_test(tc, record);
    tcase_add_test(tc, record_is_finished);
    tcase_add_test(tc, record_is_cut_off);
    tcase_add_test(tc, record_without_room);
    tcase_add_loop_test(tc, record_of_others, 0, 6);
    tcase_add_test(tc, paths_of_a_dropin);
    tcase_add_test(tc, links_of_a_socket);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(import_record_suite)
