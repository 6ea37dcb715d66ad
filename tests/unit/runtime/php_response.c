#include "runtime/php/response.h"
#include "../run.h"

#include <string.h>

static const struct {
    ResponseStatus status;
    const char *line;
    int code;
} cases[] = {
    {{.code = 200, .reason = "OK"}, "", 200},
    {{.code = 200, .reason = "OK", .always = true}, "Status: 200 OK", 200},
    {{.code = 404, .reason = "Not Found"}, "Status: 404 Not Found", 404},
    {{.code = 299}, "Status: 299", 299},
    {{.code = 418, .line = "HTTP/1.1 418 Teapot"}, "Status: 418 Teapot", 418},
    {{.code = 404, .reason = "Not Found", .line = "http/2 404 gone"}, "Status: 404 gone", 404},
    {{.code = 404, .reason = "Not Found", .line = "HTTP/1.1 404 Gone", .full_line = true},
     "HTTP/1.1 404 Gone",
     404},
    /* a line that is none leaves the standard phrase */
    {{.code = 404, .reason = "Not Found", .line = "HTTP/1.1"}, "Status: 404 Not Found", 404},
    {{.code = 404, .reason = "Not Found", .line = "FTP 404 x"}, "Status: 404 Not Found", 404},
    /* the script's own header goes out instead */
    {{.code = 302, .reason = "Found", .header = " 503 Busy"}, "", 503},
    {{.code = 200, .reason = "OK", .header = " 404 Nope"}, "", 404},
    /* unless a status line outranks it */
    {{.code = 500, .header = "404", .line = "HTTP/1.0 500 Bad"}, "Status: 500 Bad", 500},
    /* 200 given by a line says nothing either */
    {{.code = 200, .line = "HTTP/1.1 200 Fine"}, "", 200},
};

START_TEST(line_of_each_case)
{
    char line[RESPONSE_STATUS_MAX + 1];
    int code = -1;
    size_t n = response_status_line(&cases[_i].status, line, &code);

    ck_assert_str_eq(line, cases[_i].line);
    ck_assert_uint_eq(n, strlen(line));
    ck_assert_int_eq(code, cases[_i].code);
}
END_TEST

START_TEST(long_line_is_cut)
{
    char text[4000], line[RESPONSE_STATUS_MAX + 1];
    ResponseStatus status = {.code = 404, .line = text};
    int code;

    memset(text, 'x', sizeof(text));
    memcpy(text, "HTTP/1.1 404 ", 13);
    text[sizeof(text) - 1] = 0;
    ck_assert_uint_eq(response_status_line(&status, line, &code), RESPONSE_STATUS_MAX);
    ck_assert_uint_eq(strlen(line), RESPONSE_STATUS_MAX);
    ck_assert_int_eq(code, 404);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("runtime/php_response");
    TCase *t = tcase_create("status line");

    tcase_add_loop_test(t, line_of_each_case, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, long_line_is_cut);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
