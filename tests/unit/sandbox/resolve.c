/* Which file a path means, and which links are followed. */
#include "base/fd.h"
#include "sandbox/resolve.h"
#include "tree.h"
#include "../run.h"

#include <errno.h>

static int root_fd;

static void setup(void)
{
    tree_begin();
    tree_folder("own");
    tree_folder("own/deep");
    tree_file("own/file");
    tree_folder("jail");
    tree_folder("jail/data");
    tree_file("jail/data/file");
    if (tree_was_root) {
        tree_link("own", "relative");
        tree_link("own/../own/./deep", "winding");
        tree_link("nowhere", "dangling");
        tree_link("loop", "loop");
        tree_link("../file", "own/deep/of-root"); /* in a folder that the user may write */
        ck_assert_int_eq(mkdir(tree_path("sticky"), 0755), 0);
        ck_assert_int_eq(chmod(tree_path("sticky"), 01777), 0);
        tree_link("../own", "sticky/of-root");
        ck_assert_int_eq(mkdir(tree_path("jail2"), 0755), 0);
        ck_assert_int_eq(mkdir(tree_path("jail2/data"), 0755), 0);
        tree_link("/data", "jail2/absolute");
        tree_link("../../../../../data", "jail2/up");
    }
    tree_drop();
    tree_link("../file", "own/deep/own-link");
    root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(root_fd, 0);
}

static void teardown(void)
{
    close(root_fd);
    tree_end();
}

/* Whether path below root means the same file as other. */
static void check_same(int root, const char *path, const char *other)
{
    _cleanup_fd_ int fd = resolve_path(root, path, NULL, 0);
    struct stat a, b;

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(-fd));
    ck_assert_int_eq(fstat(fd, &a), 0);
    ck_assert_int_eq(stat(other, &b), 0);
    ck_assert_msg(a.st_dev == b.st_dev && a.st_ino == b.st_ino, "%s is not %s", path, other);
}

static const struct {
    const char *path, *means;
    bool needs_root;
} good[] = {
    {"own", "own", false},
    {"own/", "own", false},
    {"own//deep///", "own/deep", false},
    {"./own/./deep/../file", "own/file", false},
    {"own/deep/../../jail", "jail", false},
    {"relative/file", "own/file", true},
    {"winding", "own/deep", true},
    {"sticky/of-root/file", "own/file", true},
};

START_TEST(paths_mean_what_the_kernel_says)
{
    if (good[_i].needs_root && !tree_was_root)
        return;
    check_same(root_fd, tree_path(good[_i].path), tree_path(good[_i].means));
}
END_TEST

static const struct {
    const char *path;
    int error;
    bool needs_root;
} bad[] = {
    {"nothing", -ENOENT, false},
    {"own/file/below", -ENOTDIR, false},
    {"dangling", -ENOENT, true},
    {"loop", -ELOOP, true},
    {"own/deep/own-link", -EKEYREJECTED, false},
    {"own/deep/of-root", -EKEYREJECTED, true},
};

START_TEST(what_cannot_be_resolved)
{
    char link[PATH_MAX] = "";

    if (bad[_i].needs_root && !tree_was_root)
        return;
    ck_assert_int_eq(resolve_path(root_fd, tree_path(bad[_i].path), link, sizeof(link)),
                     bad[_i].error);
    if (bad[_i].error == -EKEYREJECTED)
        ck_assert_str_eq(link, tree_path(bad[_i].path));
}
END_TEST

START_TEST(the_root_is_a_path_and_the_highest)
{
    check_same(root_fd, "/", "/");
    check_same(root_fd, "/../..", "/");
    check_same(root_fd, "/proc/..//usr", "/usr");
}
END_TEST

START_TEST(only_absolute_paths)
{
    ck_assert_int_eq(resolve_path(root_fd, "", NULL, 0), -EINVAL);
    ck_assert_int_eq(resolve_path(root_fd, "usr", NULL, 0), -EINVAL);
}
END_TEST

START_TEST(below_another_root)
{
    _cleanup_fd_ int jail = open(tree_path("jail"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_fd_ int jail2 = open(tree_path("jail2"), O_PATH | O_DIRECTORY | O_CLOEXEC);

    check_same(jail, "/data/file", tree_path("jail/data/file"));
    check_same(jail, "/../../data", tree_path("jail/data"));
    ck_assert_int_eq(resolve_path(jail, "/own", NULL, 0), -ENOENT);
    if (!tree_was_root)
        return;
    check_same(jail2, "/absolute", tree_path("jail2/data"));
    check_same(jail2, "/up", tree_path("jail2/data"));
}
END_TEST

START_TEST(too_long_or_too_deep)
{
    char path[PATH_MAX + 8];

    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = 0;
    ck_assert_int_eq(resolve_path(root_fd, path, NULL, 0), -ENAMETOOLONG);
    path[NAME_MAX + 2] = 0;
    ck_assert_int_eq(resolve_path(root_fd, path, NULL, 0), -ENAMETOOLONG);
    path[NAME_MAX + 1] = 0;
    ck_assert_int_eq(resolve_path(root_fd, path, NULL, 0), -ENOENT);
}
END_TEST

/* A walk leaves nothing open, however it ends. */
START_TEST(descriptors)
{
    int before = open("/", O_PATH | O_CLOEXEC), after;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        fd_close(resolve_path(root_fd, tree_path(bad[i].path), NULL, 0));
    fd_close(resolve_path(root_fd, tree_path("own/deep/../file"), NULL, 0));
    fd_close(resolve_path(root_fd, "/", NULL, 0));
    close(before);
    after = open("/", O_PATH | O_CLOEXEC);
    ck_assert_int_eq(before, after);
    close(after);
}
END_TEST

static Suite *resolve_suite(void)
{
    Suite *s = suite_create("sandbox/resolve");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, paths_mean_what_the_kernel_says, 0, ARRAY_SIZE(good));
    tcase_add_loop_test(t, what_cannot_be_resolved, 0, ARRAY_SIZE(bad));
    tcase_add_test(t, the_root_is_a_path_and_the_highest);
    tcase_add_test(t, only_absolute_paths);
    tcase_add_test(t, below_another_root);
    tcase_add_test(t, too_long_or_too_deep);
    tcase_add_test(t, descriptors);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(resolve_suite)
