#include "conf/value.h"
#include "../run.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *raw;
    const char *text; /* NULL: an error */
} cases[] = {
    {"", ""},
    {"a  b", "a  b"},
    {"\"a b\"", "a b"},
    {"'a b'", "a b"},
    {"\"a\"b", "ab"},
    {"\"a\" 'b' c", "ab c"},
    {"x  \"y\"  z", "xyz"},
    {"x 'y' z", "x y z"},
    {"'a'  'b'", "a  b"},
    {"'a' \"b\"", "ab"},
    {"\"x\" ${FPMD_TEST} \"y\"", "xsety"},
    {"${FPMD_TEST} 'y' ${FPMD_TEST}  z", "set y set  z"},
    {"\"  a  \" b", "  a  b"},
    {"\"a\\\\\"", "a\\"},
    {"\"a\\\\\\\"b\"", "a\\\"b"},
    {"\"a\\'b\\$c\\x\"", "a\\'b$c\\x"},
    {"\"\\${FPMD_TEST}\"", "${FPMD_TEST}"},
    {"\"a\\\"b\"", "a\"b"},
    {"\"a\\nb\"", "a\\nb"},
    {"'a\\nb'", "a\\nb"},
    {"${FPMD_TEST}", "set"},
    {"x${FPMD_TEST}y", "xsety"},
    {"\"x ${FPMD_TEST}\"", "x set"},
    {"'${FPMD_TEST}'", "${FPMD_TEST}"},
    {"${FPMD_UNSET}", ""},
    {"${FPMD_UNSET:-other}", "other"},
    {"${FPMD_TEST:-other}", "set"},
    {"${FPMD_TEST", NULL},
    {"$HOME", "$HOME"},
    {"a|b", NULL},
    {"a&b", NULL},
    {"!a", NULL},
    {"a(b", NULL},
    {"a=b", NULL},
    {"\"a|b&(=\"", "a|b&(="},
};

START_TEST(expansion)
{
    _cleanup_free_ char *text = NULL;
    const char *error = NULL;
    int r;

    setenv("FPMD_TEST", "set", 1);
    unsetenv("FPMD_UNSET");
    r = value_expand((Slice){cases[_i].raw, strlen(cases[_i].raw)}, &text, &error);
    ck_assert_int_eq(r, cases[_i].text ? 0 : -EINVAL);
    if (cases[_i].text)
        ck_assert_str_eq(text, cases[_i].text);
    else
        ck_assert_ptr_nonnull(error);
}
END_TEST

START_TEST(raw_texts_of_php)
{
    static const struct {
        const char *raw;
        int r;
    } raws[] = {{"E_ALL & ~E_NOTICE", 0}, {"(1|2)", 0},     {"a=b", -EINVAL},    {"\"a=b(\"", 0},
                {"a(b", -EINVAL},         {"a)b", -EINVAL}, {")(", -EINVAL},     {"'='", 0},
                {"\"\\\"=\"", 0},         {"", 0},          {"\"a\"=b", -EINVAL}};
    const char *error;

    for (size_t i = 0; i < ARRAY_SIZE(raws); i++)
        ck_assert_int_eq(value_check_ini((Slice){raws[i].raw, strlen(raws[i].raw)}, &error),
                         raws[i].r);
}
END_TEST

START_TEST(pool_is_replaced)
{
    static const char text[] = "$pool/$poolx/$poo$pool";
    _cleanup_free_ char *replaced = value_replace_pool((Slice){text, sizeof(text) - 1}, "www");

    ck_assert_str_eq(replaced, "www/wwwx/$poowww");
}
END_TEST

static Suite *value_suite(void)
{
    Suite *s = suite_create("conf/value");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, expansion, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, raw_texts_of_php);
    tcase_add_test(t, pool_is_replaced);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(value_suite)
