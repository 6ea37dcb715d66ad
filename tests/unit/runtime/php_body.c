#include "runtime/php/body.h"
#include "../run.h"

#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64];

static const char *at(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void link_to(const char *target, const char *name)
{
    ck_assert_int_eq(symlink(target, at(name)), 0);
}

static void make_files(void)
{
    strcpy(base, "/tmp/php-body-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    ck_assert_int_eq(mkdir(at("allowed"), 0755), 0);
    ck_assert_int_eq(mkdir(at("allowed/sub"), 0755), 0);
    ck_assert_int_eq(mkdir(at("other"), 0755), 0);
    put("allowed/file", "body");
    put("allowed/sub/file", "deep");
    put("other/secret", "secret");
    link_to(at("other/secret"), "allowed/link");
    link_to("../other", "allowed/folder-link");
    link_to("file", "allowed/inner-link");
    ck_assert_int_eq(mkfifo(at("allowed/fifo"), 0600), 0);
    link_to("allowed", "way-in");
}

static void remove_files(void)
{
    static const char *const names[] = {
        "allowed/file",
        "allowed/sub/file",
        "allowed/sub",
        "other/secret",
        "allowed/link",
        "allowed/folder-link",
        "allowed/inner-link",
        "allowed/fifo",
        "allowed",
        "other",
        "way-in",
        "",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_int_eq(remove(at(names[i])), 0);
}

/* The text of the file, or the error, through a folder. */
static const char *open_through(const char *folder, const char *path, int *ret_error)
{
    static char text[64];
    char given[512], wanted[512];
    const char *const folders[] = {"/nowhere", given};
    _cleanup_fd_ int fd = -1;
    ssize_t n;

    snprintf(given, sizeof(given), "%s", at(folder));
    snprintf(wanted, sizeof(wanted), "%s", path[0] == '/' ? path : at(path));
    fd = body_open(wanted, folders, ARRAY_SIZE(folders));
    *ret_error = fd < 0 ? fd : 0;
    if (fd < 0)
        return NULL;
    n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static const struct {
    const char *folder, *path, *text; /* text NULL: error */
    int error;
} cases[] = {
    {"allowed", "allowed/file", "body", 0},
    {"allowed/", "allowed/file", "body", 0},
    {"allowed", "allowed//sub/./file", "deep", 0},
    {"way-in", "way-in/sub/file", "deep", 0}, /* the folder itself may be a link */
    {"allowed", "other/secret", NULL, -EPERM},
    {"allowed", "allowed-not/file", NULL, -EPERM},
    {"allowed", "allowed/../other/secret", NULL, -EPERM},
    {"allowed", "allowed/sub/../file", NULL, -EPERM},
    {"allowed", "allowed/link", NULL, -EPERM},
    {"allowed", "allowed/inner-link", NULL, -EPERM},
    {"allowed", "allowed/folder-link/secret", NULL, -EPERM},
    {"allowed", "allowed", NULL, -EPERM},
    {"allowed", "allowed/", NULL, -EPERM},
    {"allowed", "/proc/self/environ", NULL, -EPERM},
    {"allowed", "allowed/none", NULL, -ENOENT},
    {"allowed", "allowed/none/file", NULL, -ENOENT},
    {"allowed", "allowed/file/x", NULL, -EPERM},
    {"allowed", "allowed/sub", NULL, -EINVAL},
    {"allowed", "allowed/fifo", NULL, -EINVAL},
};

START_TEST(each_case)
{
    const char *text;
    int error;

    make_files();
    text = open_through(cases[_i].folder, cases[_i].path, &error);
    ck_assert_int_eq(error, cases[_i].error);
    if (cases[_i].text)
        ck_assert_str_eq(text, cases[_i].text);
    remove_files();
}
END_TEST

START_TEST(no_folders)
{
    ck_assert_int_eq(body_open("/etc/passwd", NULL, 0), -EPERM);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("runtime/php_body");
    TCase *t = tcase_create("folders");

    tcase_add_loop_test(t, each_case, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, no_folders);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
