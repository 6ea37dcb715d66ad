#include "status/escape.h"
#include "../run.h"

#include <string.h>

static const struct {
    const char *text;
    const char *json;
    const char *terminal;
} cases[] = {
    {"", "\"\"", ""},
    {"www", "\"www\"", "www"},
    {"a\"b\\c/d", "\"a\\\"b\\\\c/d\"", "a\"b\\c/d"},
    {"\n\t\r\b\f", "\"\\n\\t\\r\\b\\f\"", "?????"},
    {"\x01\x1b[31m\x7f", "\"\\u0001\\u001b[31m\\u007f\"", "??[31m?"},
    {"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80", "\"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80\"",
     "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80"},
    /* C1 control */
    {"\xc2\x9b"
     "1m",
     "\"\\u009b1m\"", "?1m"},
    /* a continuation byte alone, overlong forms, a surrogate, beyond U+10FFFF */
    {"\x80", "\"\\ufffd\"", "?"},
    {"\xc0\xaf", "\"\\ufffd\\ufffd\"", "??"},
    {"\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\"", "???"},
    {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "???"},
    {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", "????"},
    {"\xff", "\"\\ufffd\"", "?"},
    /* cut in the middle of a character */
    {"x\xc3", "\"x\\ufffd\"", "x?"},
    {"x\xe2\x82", "\"x\\ufffd\\ufffd\"", "x??"},
    {"x\xf0\x9f\x98", "\"x\\ufffd\\ufffd\\ufffd\"", "x???"},
};

START_TEST(json)
{
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_free_ char *text = NULL;

    ck_assert_int_eq(escape_json(&b, cases[_i].text), 0);
    text = buffer_steal(&b);
    ck_assert_str_eq(text, cases[_i].json);
}
END_TEST

START_TEST(terminal)
{
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_free_ char *text = NULL;

    ck_assert_int_eq(escape_text(&b, cases[_i].text), 0);
    text = buffer_steal(&b);
    ck_assert_str_eq(text, cases[_i].terminal);
}
END_TEST

static Suite *escape_suite(void)
{
    Suite *s = suite_create("status/escape");
    TCase *tc = tcase_create("escape");

    tcase_add_loop_test(tc, json, 0, ARRAY_SIZE(cases));
    tcase_add_loop_test(tc, terminal, 0, ARRAY_SIZE(cases));
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(escape_suite)
