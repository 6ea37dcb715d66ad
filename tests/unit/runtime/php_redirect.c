#include "runtime/php/redirect.h"
#include "../run.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef int Ppid(void);
typedef pid_t (*Pointer(void))(void);

static void *library;

static int our_ppid(void)
{
    return -7;
}

static void *find(const char *name)
{
    void *found;

    if (!library)
        library = dlopen(REDIRECTED, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library, "%s", dlerror());
    found = dlsym(library, name);
    ck_assert_ptr_nonnull(found);
    return found;
}

/* The mappings of the library, with their rights. */
static void read_maps(char *ret, size_t size)
{
    FILE *file = fopen("/proc/self/maps", "re");
    char line[512];

    ck_assert_ptr_nonnull(file);
    *ret = 0;
    while (fgets(line, sizeof(line), file))
        if (strstr(line, "redirected")) {
            ck_assert_uint_lt(strlen(ret) + strlen(line), size);
            strcat(ret, line);
        }
    fclose(file);
    ck_assert_str_ne(ret, "");
}

START_TEST(calls_of_one_library)
{
    static const char *const names[] = {"getpid_of_nobody", "getppid", NULL};
    static char before[8192], after[8192];
    Ppid *ppid;
    Pointer *pointer;

    *(void **)&ppid = find("redirected_ppid");
    *(void **)&pointer = find("redirected_pointer");
    ck_assert_int_eq(ppid(), getppid());
    read_maps(before, sizeof(before));
    ck_assert_int_ge(redirect_calls((uintptr_t)ppid, names, (uintptr_t)our_ppid), 1);
    read_maps(after, sizeof(after));
    ck_assert_int_eq(ppid(), -7);
    ck_assert_int_eq(pointer()(), -7);
    ck_assert_int_ne(getppid(), -7);
    ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(nothing_to_lead)
{
    static const char *const none[] = {"no_such_function", NULL};
    static const char *const own[] = {"redirected_ppid", NULL};
    Ppid *ppid;

    *(void **)&ppid = find("redirected_ppid");
    ck_assert_int_eq(redirect_calls((uintptr_t)ppid, none, (uintptr_t)our_ppid), 0);
    ck_assert_int_eq(redirect_calls((uintptr_t)ppid, own, (uintptr_t)our_ppid), 0);
    ck_assert_int_eq(redirect_calls(1, none, (uintptr_t)our_ppid), -ENOENT);
    ck_assert_int_eq(ppid(), getppid());
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("runtime/php_redirect");
    TCase *t = tcase_create("redirect");

    tcase_add_test(t, calls_of_one_library);
    tcase_add_test(t, nothing_to_lead);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
