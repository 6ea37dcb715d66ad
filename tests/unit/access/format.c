#include "access/format.h"
#include "../run.h"

#include <errno.h>
#include <string.h>

static const char *find_param(void *userdata, const char *name)
{
    ck_assert_ptr_eq(userdata, "userdata");
    return strcmp(name, "HTTP_HOST") == 0 ? "example.org" : NULL;
}

static const char *find_header(void *userdata, const char *name)
{
    ck_assert_ptr_eq(userdata, "userdata");
    return strcmp(name, "X-Shop") == 0 ? "basket \"3\"" : NULL;
}

/* Thu Jan  1 00:00:01 1970 and a minute later. */
static AccessValues values(void)
{
    return (AccessValues){
        .pool = "www",
        .pid = 12,
        .manager_pid = 7,
        .method = "GET",
        .uri = "/a.php",
        .query = "x=1",
        .script = "/srv/a.php",
        .user = "anna",
        .remote = "192.0.2.1",
        .status = 404,
        .content_length = 5,
        .begun_realtime_usec = 1 * USEC_PER_SEC,
        .ended_realtime_usec = 61 * USEC_PER_SEC,
        .duration_usec = 1234567,
        .cpu_user_usec = 617284,
        .cpu_system_usec = 123457,
        .memory_peak_bytes = 2 * 1024 * 1024 + 1,
        .param = find_param,
        .header = find_header,
        .userdata = (void *)(uintptr_t) "userdata",
    };
}

static char *line_of(const char *text, const AccessValues *v)
{
    _cleanup_(access_format_freep) AccessFormat *f = NULL;
    char error[256] = "";
    Buffer b = {0};

    ck_assert_msg(access_format_new(text, &f, error, sizeof(error)) == 0, "%s: %s", text, error);
    ck_assert_int_eq(access_format_write(f, v, &b), 0);
    return buffer_steal(&b);
}

/* Of PHP-FPM's documentation; that PHP-FPM writes the same is seen in tests/system/access.py. */
static const struct {
    const char *format, *line;
} lines[] = {
    {"", "\n"},
    {"plain", "plain\n"},
    {"100%%", "100%\n"},
    {"%C %{total}C %{user}C %{system}C", "60.00 60.00 50.00 10.00\n"},
    {"%d %{seconds}d", "1.235 1.235\n"},
    {"%{milliseconds}d %{milli}d %{miliseconds}d %{mili}d",
     "1234.567 1234.567 1234.567 1234.567\n"},
    {"%{microseconds}d %{micro}d", "1234567 1234567\n"},
    {"%{HTTP_HOST}e %{NONE}e", "example.org -\n"},
    {"%f %l %m %n", "/srv/a.php 5 GET www\n"},
    {"%M %{bytes}M", "2097153 2097153\n"},
    {"%{kilobytes}M %{kilo}M %{megabytes}M %{mega}M", "2048 2048 2 2\n"},
    {"%{X-Shop}o %{X-None}o", "basket \\x223\\x22 -\n"},
    {"%p %P", "12 7\n"},
    {"%r%Q%q", "/a.php?x=1\n"},
    {"%R %s %u", "192.0.2.1 404 anna\n"},
    {"%t|%T", "01/Jan/1970:00:00:01 +0000|01/Jan/1970:00:01:01 +0000\n"},
    {"%{%Y-%m-%d}t %{%M:%S}T %{}t", "1970-01-01 01:01 \n"},
    {"%R - %u %t \"%m %r%Q%q\" %s", "192.0.2.1 - anna 01/Jan/1970:00:00:01 +0000 "
                                    "\"GET /a.php?x=1\" 404\n"},
};

START_TEST(each_letter)
{
    AccessValues v = values();
    _cleanup_free_ char *line = line_of(lines[_i].format, &v);

    ck_assert_str_eq(line, lines[_i].line);
}
END_TEST

START_TEST(of_a_request_without_anything)
{
    AccessValues v = {.pool = "www"};
    _cleanup_free_ char *line = line_of("%f %m %r %R [%u] [%q%Q] %{A}e %{B}o %C", &v);

    ck_assert_str_eq(line, "- - - - [] [] - - 0.00\n");
}
END_TEST

/* Nothing that a client sends ends a line, or its quotes, or speaks to a terminal. */
START_TEST(hostile_values)
{
    AccessValues v = {.pool = "www",
                      .method = "GET\n127.0.0.1 - - forged",
                      .uri = "/\"quoted\\\033[2J\x7f",
                      .query = "\xff\xfe<script>",
                      .user = "a\r\nb"};
    _cleanup_free_ char *line = line_of("\"%m %r?%q\" %u", &v);

    ck_assert_str_eq(line, "\"GET\\x0A127.0.0.1 - - forged /\\x22quoted\\x5C\\x1B[2J\\x7F?"
                           "\xff\xfe<script>\" a\\x0D\\x0Ab\n");
}
END_TEST

/* PHP-FPM cuts at 1024 bytes. */
START_TEST(no_limit_of_length)
{
    static char query[200001];
    AccessValues v = {.query = query};
    _cleanup_free_ char *line = NULL;

    memset(query, 'q', sizeof(query) - 1);
    line = line_of("<%q>", &v);
    ck_assert_uint_eq(strlen(line), sizeof(query) - 1 + 3);
    ck_assert_str_eq(line + strlen(line) - 3, "q>\n");
}
END_TEST

static const struct {
    const char *format, *error;
} wrong[] = {
    {"%z", "%z"},           {"a %", "ends in the midst"},  {"%{", "'}' is missing"},
    {"%{a", "'}'"},         {"%e", "%e needs a name"},     {"%{}e", "%e needs a name"},
    {"%o", "needs a name"}, {"%{x}m", "%m takes nothing"}, {"%{hours}d", "no unit 'hours'"},
    {"%{bytes}d", "unit"},  {"%{user}M", "no unit"},       {"%{kilo}C", "no unit"},
    {"%{a}", "midst"},      {"%{a}%", "%% takes nothing"},
};

START_TEST(formats_that_are_refused)
{
    AccessFormat *f = NULL;
    char error[256] = "";

    ck_assert_int_eq(access_format_new(wrong[_i].format, &f, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_null(f);
    ck_assert_msg(strstr(error, wrong[_i].error), "%s: %s", wrong[_i].format, error);
}
END_TEST

START_TEST(what_a_format_wants)
{
    _cleanup_(access_format_freep) AccessFormat *f = NULL;
    char error[256];

    ck_assert_int_eq(access_format_new("%%R C %{user}C", &f, error, sizeof(error)), 0);
    ck_assert(access_format_wants(f, 'C'));
    ck_assert(!access_format_wants(f, 'R'));
}
END_TEST

static Suite *format_suite(void)
{
    Suite *s = suite_create("access/format");
    TCase *t = tcase_create("all");

    setenv("TZ", "UTC", true);
    tcase_add_loop_test(t, each_letter, 0, ARRAY_SIZE(lines));
    tcase_add_test(t, of_a_request_without_anything);
    tcase_add_test(t, hostile_values);
    tcase_add_test(t, no_limit_of_length);
    tcase_add_loop_test(t, formats_that_are_refused, 0, ARRAY_SIZE(wrong));
    tcase_add_test(t, what_a_format_wants);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(format_suite)
