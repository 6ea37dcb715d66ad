#pragma once

/*
 * Files in a folder of the test's own, for the tests of conf that read some.
 */

#include "load.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/fpmd-test-XXXXXX";

static inline void folder_make(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void folder_remove(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
    memset(folder + sizeof(folder) - 7, 'X', 6);
}

/** A file below the folder, with the folders it needs. text NULL: a link to /dev/null. */
static inline void put(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    for (char *p = strchr(path + sizeof(folder), '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        mkdir(path, 0755);
        *p = '/';
    }
    unlink(path);
    if (!text) {
        ck_assert_int_eq(symlink("/dev/null", path), 0);
        return;
    }
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/** Whether there is the issue "FOLDER/rest"; tells what was found instead. */
static inline void assert_issue(const Loaded *l, const char *rest)
{
    char text[400];

    snprintf(text, sizeof(text), "%s/%s", folder, rest);
    for (size_t i = 0; i < l->issues.n && !has_issue(&l->issues, text); i++) {
        _cleanup_free_ char *s = config_issue_to_string(&l->issues.items[i]);

        fprintf(stderr, "found: %s\n", s);
    }
    ck_assert_msg(has_issue(&l->issues, text), "expected: %s", text);
}
