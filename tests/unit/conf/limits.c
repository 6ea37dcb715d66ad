#include "files.h"
#include "../run.h"

#include <errno.h>

#define LIMIT 4096

/* A text of many lines. */
typedef struct Text {
    char *data;
    size_t n;
    FILE *file;
} Text;

static FILE *begin(Text *t)
{
    t->file = open_memstream(&t->data, &t->n);
    ck_assert_ptr_nonnull(t->file);
    fputs(MINIMAL, t->file);
    return t->file;
}

static Loaded end(Text *t)
{
    Loaded l;

    fclose(t->file);
    l = parse(t->data);
    free(t->data);
    return l;
}

static const char *const kinds[] = {"env", "php_value", "php_flag", "php_admin_value",
                                    "php_admin_flag"};

/* The most of every kind, all different. */
static void put_entries(FILE *f)
{
    for (unsigned k = ARRAY_SIZE(kinds); k-- > 0;)
        for (unsigned i = 0; i < LIMIT; i++)
            fprintf(f, "%s[K%u_%u] = 1\n", kinds[k], k, i);
}

START_TEST(entries)
{
    _cleanup_loaded_ Loaded l = {0};
    Text t;

    begin(&t);
    put_entries(t.file);
    l = end(&t);
    ck_assert_int_eq(l.r, 0);
    ck_assert_uint_eq(l.c->n_env, LIMIT);
    ck_assert_uint_eq(l.c->n_ini, 4 * LIMIT);
    /* The order is that of the file, admin behind. */
    ck_assert_str_eq(l.c->ini[0].key, "K2_0");
    ck_assert_str_eq(l.c->ini[LIMIT].key, "K1_0");
    ck_assert_str_eq(l.c->ini[2 * LIMIT].key, "K4_0");
    ck_assert_str_eq(l.c->ini[4 * LIMIT - 1].key, "K3_4095");
    for (unsigned i = 0; i < LIMIT; i++)
        ck_assert_uint_eq(l.c->env[i].line, 4 * LIMIT + 4 + i);
}
END_TEST

START_TEST(one_entry_too_many)
{
    _cleanup_loaded_ Loaded l = {0};
    char expected[160];
    Text t;

    begin(&t);
    for (unsigned i = 0; i < LIMIT + 9; i++)
        fprintf(t.file, "%s[K%u] = 1\n", kinds[_i], i % 4000);
    l = end(&t);
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n_errors, 1);
    snprintf(expected, sizeof(expected),
             "t.conf:4100: %s: is one entry too many, expected at most 4096 in a pool", kinds[_i]);
    ck_assert(has_issue(&l.issues, expected));
}
END_TEST

/* Sections that are gone on with count as well. */
START_TEST(sections)
{
    _cleanup_loaded_ Loaded l = {0};

    for (unsigned more = 0; more < 3; more++) {
        Text t;

        begin(&t);
        for (unsigned i = 1; i < LIMIT + more; i++)
            fprintf(t.file, more == 2 ? "[s]\n" : "[s%u]\n", i);
        loaded_done(&l);
        l = end(&t);
        ck_assert_int_eq(l.r, more ? -EINVAL : 0);
        ck_assert_uint_eq(l.issues.n_errors, more ? 1 : 0);
        if (more)
            ck_assert(has_issue(&l.issues, "t.conf:4099: is one section too many, expected at most "
                                           "4096"));
    }
}
END_TEST

START_TEST(addresses)
{
    _cleanup_loaded_ Loaded l = {0};

    for (unsigned more = 0; more < 2; more++) {
        Text t;

        fputs("listen =", begin(&t));
        for (unsigned i = 0; i < LIMIT + more; i++)
            fprintf(t.file, " 127.1.%u.%u:9000", i / 256, i % 256);
        fputs("\n", t.file);
        loaded_done(&l);
        l = end(&t);
        ck_assert_int_eq(l.r, more ? -EINVAL : 0);
        ck_assert_uint_eq(l.issues.n, more);
    }
    ck_assert(has_issue(&l.issues, "t.conf:4: listen: there are too many addresses, expected at "
                                   "most 4096 in all files of a pool"));
}
END_TEST

static void put_comment(const char *name, size_t n)
{
    char *text = malloc(n + 1);

    ck_assert_ptr_nonnull(text);
    memset(text, ';', n);
    text[n] = 0;
    put(name, text);
    free(text);
}

/* Of the pool file, an included one and drop-ins together. */
START_TEST(bytes)
{
    _cleanup_loaded_ Loaded l = {0};
    char path[64], folders[64], name[32];
    const size_t mb = 1024 * 1024;

    snprintf(folders, sizeof(folders), "%s/etc", folder);
    put("etc/www.conf", MINIMAL "include = big\n");
    put_comment("etc/big", mb);
    for (unsigned i = 1; i <= 2; i++) {
        snprintf(name, sizeof(name), "etc/www.conf.d/%u.conf", i);
        put_comment(name, mb);
    }
    put_comment("etc/www.conf.d/3.conf", mb - strlen(MINIMAL "include = big\n"));
    l.r = config_load_pool(folders, "www", &l.issues, &l.c);
    ck_assert_int_eq(l.r, 0);
    loaded_done(&l);

    put("etc/www.conf.d/4.conf", ";");
    l.r = config_load_pool(folders, "www", &l.issues, &l.c);
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n_errors, 1);
    assert_issue(&l, "etc/www.conf.d/4.conf: with it the files of the pool have more than 4 MB "
                     "together, expected less");
    loaded_done(&l);

    put("etc/www.conf", MINIMAL "include = big\ninclude = big\ninclude = b*g\ninclude = big\n");
    l.r = config_load_pool(folders, "www", &l.issues, &l.c);
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n_errors, 1);
    snprintf(path, sizeof(path), "%s/etc/big", folder);
    ck_assert_ptr_nonnull(strstr(l.issues.items[0].text, path));
    ck_assert_uint_eq(l.issues.items[0].line, 7);
}
END_TEST

START_TEST(includes)
{
    _cleanup_loaded_ Loaded l = {0};
    char path[64];
    Text t;

    begin(&t);
    for (unsigned i = 0; i < LIMIT + 9; i++)
        fputs("include = none*\n", t.file);
    fclose(t.file);
    put("www.conf", t.data);
    free(t.data);
    snprintf(path, sizeof(path), "%s/www.conf", folder);
    l.r = config_load(path, "www", &l.issues, &l.c);
    ck_assert_int_eq(l.r, -EINVAL);
    ck_assert_uint_eq(l.issues.n_errors, 1);
}
END_TEST

static Suite *limits_suite(void)
{
    Suite *s = suite_create("conf/limits");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, folder_make, folder_remove);
    tcase_add_test(t, entries);
    tcase_add_loop_test(t, one_entry_too_many, 0, (int)ARRAY_SIZE(kinds));
    tcase_add_test(t, sections);
    tcase_add_test(t, addresses);
    tcase_add_test(t, bytes);
    tcase_add_test(t, includes);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(limits_suite)
