#pragma once

/*
 * Files to try things on, outside of all that every pool may reach, and a process that is an
 * ordinary user's. Made in the process of each test, before it drops what root has, so that links
 * can be another user's.
 */

#include "base/macro.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_USER 65534

static char tree[64];
static bool tree_was_root;

/* A path of the tree; valid until the eighth call after. */
static inline const char *tree_path(const char *path)
{
    static char paths[8][PATH_MAX];
    static size_t n;
    char *text = paths[n++ % ARRAY_SIZE(paths)];

    snprintf(text, PATH_MAX, "%s/%s", tree, path);
    return text;
}

static inline void tree_folder(const char *path)
{
    ck_assert_int_eq(mkdir(tree_path(path), 0755), 0);
    if (tree_was_root)
        ck_assert_int_eq(chown(tree_path(path), TREE_USER, TREE_USER), 0);
}

static inline void tree_file(const char *path)
{
    int fd = open(tree_path(path), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "content\n", 8), 8);
    if (tree_was_root)
        ck_assert_int_eq(fchown(fd, TREE_USER, TREE_USER), 0);
    close(fd);
}

static inline void tree_link(const char *target, const char *path)
{
    ck_assert_int_eq(symlink(target, tree_path(path)), 0);
}

static inline void tree_begin(void)
{
    /* Not below /tmp, which every pool may reach. */
    static const char *const places[] = {"/dev/shm", "/var/lib", "/run"};

    tree_was_root = geteuid() == 0;
    for (size_t i = 0; i < ARRAY_SIZE(places) && !*tree; i++) {
        snprintf(tree, sizeof(tree), "%s/fpmd-test.XXXXXX", places[i]);
        if (!mkdtemp(tree))
            *tree = 0;
    }
    ck_assert_msg(*tree, "there is no folder for the files of the test");
    ck_assert_int_eq(chmod(tree, 0755), 0);
}

/* From here on an ordinary user's process. */
static inline void tree_drop(void)
{
    if (tree_was_root) {
        ck_assert_int_eq(setgroups(0, NULL), 0);
        ck_assert_int_eq(setresgid(TREE_USER, TREE_USER, TREE_USER), 0);
        /* The saved id is for tree_end(). */
        ck_assert_int_eq(setresuid(TREE_USER, TREE_USER, 0), 0);
    }
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
}

static inline int tree_remove(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    return remove(path);
}

static inline void tree_end(void)
{
    if (tree_was_root)
        ck_assert_int_eq(seteuid(0), 0);
    if (*tree)
        nftw(tree, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
    *tree = 0;
}
