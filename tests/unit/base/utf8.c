#include "base/utf8.h"
#include "../run.h"

static const struct {
    const char *bytes;
    size_t n, length;
    uint32_t code;
} decode_cases[] = {
    {"a", 1, 1, 'a'},
    {"\0", 1, 1, 0},
    {"\x7f", 1, 1, 0x7f},
    {"\xc3\xa9", 2, 2, 0xe9},
    {"\xe2\x82\xac", 3, 3, 0x20ac},
    {"\xf0\x9f\x98\x80", 4, 4, 0x1f600},
    {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
    {"", 0, 0, 0},
    {"\x80", 1, 0, 0},     /* continuation alone */
    {"\xc3", 1, 0, 0},     /* cut */
    {"\xe2\x82", 2, 0, 0}, /* cut */
    {"\xc3"
     "a",
     2, 0, 0},                         /* no continuation */
    {"\xc0\x80", 2, 0, 0},             /* overlong NUL */
    {"\xc1\xbf", 2, 0, 0},             /* overlong */
    {"\xe0\x9f\xbf", 3, 0, 0},         /* overlong */
    {"\xf0\x8f\xbf\xbf", 4, 0, 0},     /* overlong */
    {"\xed\xa0\x80", 3, 0, 0},         /* surrogate */
    {"\xf4\x90\x80\x80", 4, 0, 0},     /* beyond U+10FFFF */
    {"\xf8\x88\x80\x80\x80", 5, 0, 0}, /* five bytes */
    {"\xff", 1, 0, 0},
};

START_TEST(decodes)
{
    uint32_t code = 0;

    ck_assert_uint_eq(utf8_decode(decode_cases[_i].bytes, decode_cases[_i].n, &code),
                      decode_cases[_i].length);
    ck_assert_uint_eq(code, decode_cases[_i].code);
}
END_TEST

START_TEST(printable)
{
    static const uint32_t no[] = {0,      '\n',   0x1b,   0x7f,   0x9b,   0x2028,
                                  0x202e, 0x2066, 0x200f, 0xfeff, 0xffff, 0xfffe};
    static const uint32_t yes[] = {' ', '~', 0xa0, 0xe9, 0x20ac, 0x1f600, 0xfffd};

    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        ck_assert_msg(!utf8_is_printable(no[i]), "U+%04X", no[i]);
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        ck_assert_msg(utf8_is_printable(yes[i]), "U+%04X", yes[i]);
}
END_TEST

START_TEST(cuts_between_characters)
{
    ck_assert_uint_eq(utf8_cut("abc", 2), 2);
    ck_assert_uint_eq(utf8_cut("a\xc3\xa9z", 2), 1);
    ck_assert_uint_eq(utf8_cut("a\xc3\xa9z", 3), 3);
    ck_assert_uint_eq(utf8_cut("a\xe2\x82\xacz", 3), 1);
    ck_assert_uint_eq(utf8_cut("\xf0\x9f\x98\x80z", 3), 0);
    ck_assert_uint_eq(utf8_cut("\x80\x80\x80\x80\x80\x80", 5), 5);
}
END_TEST

static Suite *utf8_suite(void)
{
    Suite *s = suite_create("base/utf8");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, decodes, 0, ARRAY_SIZE(decode_cases));
    tcase_add_test(t, printable);
    tcase_add_test(t, cuts_between_characters);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(utf8_suite)
