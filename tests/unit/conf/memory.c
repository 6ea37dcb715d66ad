#include "conf/loader.h"
#include "load.h"
#include "../run.h"

#include <errno.h>

/* The linker sends the allocations of the code under test here. */
static long left = -1; /* allocations until one fails; negative: none fails */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

#define WRAP(type, name, parameters, arguments)                                                    \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        if (fails()) {                                                                             \
            errno = ENOMEM;                                                                        \
            return NULL;                                                                           \
        }                                                                                          \
        return __real_##name arguments;                                                            \
    }

WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t n), (p, n))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))
WRAP(char *, strndup, (const char *s, size_t n), (s, n))

/* Something of everything, with errors (whose texts are allocated too) and without. */
static const char good[] =
    "log_level = error\n" MINIMAL "user = a\nuser = b\nlisten = /a 9000 [::1]:1\n"
    "security.limit_extensions = .a .b\nenv[A] = b\nenv[A] = c\nphp_value[a] = b\n"
    "php_admin_value[disable_functions] = a\nphp_admin_value[disable_functions] = b\n"
    "php_flag[f] = on\nslowlog = x\naccess.suppress_path[] = /x\nprefix = p\nchroot = $prefix/c\n"
    "chdir = d\npm.status_listen = s\nlisten.allowed_clients = ::1 10.0.0.1/8\n"
    "supplementary_groups = a, b\n[b]\npm = x\nphp_value[error_log] = ${A}e\n";
static const char bad[] = MINIMAL "user = a|b\nxyzzy = 1\nlisten = x:y\nenv = 1\n"
                                  "chroot = a/$prefix\n[c]\n";

/* Of a pool's drop-in, which replaces and adds. */
static const char dropin[] = "user = c\nlisten = /b\nenv[A] = d\nenv[N] = e\nphp_value[a] = c\n"
                             "php_admin_value[disable_functions] = c\nphp_value[n] = 1\n"
                             "supplementary_groups = c\nlisten.allowed_clients = ::2\n";

static Loaded load(const char *text)
{
    Loaded l = {0};
    _cleanup_(loader_done) Loader loader = {.issues = &l.issues, .name = "www", .in_memory = true};

    l.r = loader_begin(&loader, "t.conf");
    if (l.r == 0)
        l.r = loader_add(&loader, text, strlen(text), "t.conf");
    if (l.r == 0)
        l.r = loader_add(&loader, dropin, strlen(dropin), "d.conf");
    if (l.r == 0)
        l.r = loader_finish(&loader, "t.conf", false, &l.c);
    return l;
}

START_TEST(files)
{
    int r = -ENOMEM;
    long n = 0;

    for (; n < 1000; n++) {
        _cleanup_loaded_ Loaded l = {0};
        long unused;

        left = n;
        l.r = config_load_pool("/none:/none/too", "www", &l.issues, &l.c);
        unused = left;
        left = -1;
        r = l.r;
        ck_assert(r == -ENOENT || r == -ENOMEM);
        ck_assert_ptr_null(l.c);
        if (unused >= 0)
            break;
    }
    ck_assert_int_eq(r, -ENOENT);
    ck_assert_int_gt(n, 10);
}
END_TEST

static void fail_each(const char *text, int expected)
{
    long n = 0;
    int r = -ENOMEM;

    for (; n < 10000; n++) {
        _cleanup_loaded_ Loaded l = {0};
        long unused;

        left = n;
        l = load(text);
        unused = left;
        left = -1;
        r = l.r;
        ck_assert_int_eq(r == 0, l.c != NULL);
        /* Whatever failed, a file with errors is never taken. */
        ck_assert(expected == 0 || r < 0);
        if (unused >= 0)
            break;
    }
    ck_assert_int_eq(r, expected);
    ck_assert_int_gt(n, 50);
}

START_TEST(each_allocation_fails_in_turn)
{
    fail_each(good, 0);
    fail_each(bad, -EINVAL);
}
END_TEST

static Suite *memory_suite(void)
{
    Suite *s = suite_create("conf/memory");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, each_allocation_fails_in_turn);
    tcase_add_test(t, files);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(memory_suite)
