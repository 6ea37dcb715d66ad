#include "example.h"
#include "status/answer.h"
#include "../run.h"

#include <stdio.h>

static const struct {
    const char *query, *accept;
    const char *type;    /* begin of the content type */
    const char *begin;   /* of the body */
    const char *within;  /* somewhere in the body */
    const char *without; /* nowhere */
} questions[] = {
    {NULL, NULL, "text/plain", "pool:  ", "accepted conn:", "\npid: "},
    {"", NULL, "text/plain", "pool:  ", "accepted conn:", "\npid: "},
    {"full", NULL, "text/plain", "pool:  ", "\npid: ", "<"},
    {"full=", NULL, "text/plain", "pool:  ", "\npid: ", "<"},
    {"a=1&full&b", NULL, "text/plain", "pool:  ", "\npid: ", "<"},
    {"fuller&jsonp&xmlns", NULL, "text/plain", "pool:  ", "\n", "\npid: "},
    {"JSON", NULL, "text/plain", "pool:  ", "\n", "\npid: "},
    {"a=json", NULL, "text/plain", "pool:  ", "\n", "\npid: "},
    {"json", NULL, "application/json", "{\"pool\":\"www\"", "\"generation\":3", "processes\":["},
    {"json[]=1&full", NULL, "application/json", "{\"pool\":\"www\"", "\"processes\":[", "\n"},
    {"&&json=0", NULL, "application/json", "{\"pool\":\"www\"", "}", "\n"},
    {"xml&full", NULL, "text/xml", "<?xml version=\"1.0\" ?>\n<status>", "</process>", "\x1b"},
    {"json&xml", NULL, "text/xml", "<?xml", "</status>", "<process>"},
    {"openmetrics&json", NULL, "application/json", "{", "}", "# EOF"},
    {"xml&html", NULL, "text/html; charset=utf-8", "<!DOCTYPE html>", "www", "<?xml"},
    {"openmetrics", NULL, "text/plain; version=0.0.4", "# HELP phpfpm_up",
     "# TYPE fpmd_requests_total counter\n", "fpmd_worker_"},
    {"openmetrics&full", "*/*", "text/plain; version=0.0.4", "# HELP phpfpm_up",
     "fpmd_worker_requests_total{pool=\"www\",pid=\"100\"}", "# TYPE fpmd_requests counter"},
    {"openmetrics", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
     "application/openmetrics-text; version=1.0.0", "# HELP phpfpm_up",
     "# TYPE fpmd_requests counter\n", "_total counter"},
    {"openmetrics", "application/openmetrics-text", "application/openmetrics-text", "# HELP",
     "le=\"1.0\"} ", "le=\"1\"} "},
    {"openmetrics", NULL, "text/plain", "# HELP", "le=\"1\"} ", "le=\"1.0\"} "},
    {"style", NULL, "text/css", "", "{", "<"},
    {"script", NULL, "text/javascript", "", "function", "</script"},
    {"script&html&full", NULL, "text/javascript", "", "function", "</script"},
};

static int answer(const StatusQuestion *q, const Example *e, StatusAnswer *ret)
{
    bool needs = status_question_needs_snapshot(q);

    return status_answer_make(q, needs ? &e->pool : NULL, needs ? e->workers : NULL, NULL, gmtime_r,
                              ret);
}

START_TEST(question)
{
    const StatusQuestion q = {.query = questions[_i].query, .accept = questions[_i].accept};
    _cleanup_free_ char *body = NULL;
    Example e = example_make();
    StatusAnswer a;

    ck_assert_int_eq(answer(&q, &e, &a), 0);
    body = buffer_steal(&a.body);
    ck_assert_int_eq(a.code, 200);
    ck_assert_int_eq(strncmp(a.content_type, questions[_i].type, strlen(questions[_i].type)), 0);
    ck_assert_int_eq(strncmp(body, questions[_i].begin, strlen(questions[_i].begin)), 0);
    ck_assert_msg(strstr(body, questions[_i].within), "%s is not in:\n%s", questions[_i].within,
                  body);
    ck_assert_ptr_null(strstr(body, questions[_i].without));
}
END_TEST

/* The same headers with an empty body, and nobody is asked for a snapshot. */
START_TEST(head)
{
    StatusQuestion q = {.query = questions[_i].query, .accept = questions[_i].accept};
    Example e = example_make();
    StatusAnswer whole, a;

    ck_assert_int_eq(answer(&q, &e, &whole), 0);
    buffer_done(&whole.body);
    q.head = true;
    ck_assert(!status_question_needs_snapshot(&q));
    ck_assert_int_eq(answer(&q, &e, &a), 0);
    ck_assert_uint_eq(a.body.size, 0);
    ck_assert_str_eq(a.content_type, whole.content_type);
    for (size_t i = 0; i < ARRAY_SIZE(a.headers); i++)
        ck_assert_ptr_eq(a.headers[i], whole.headers[i]);
}
END_TEST

static bool has_header(const StatusAnswer *a, const char *begin)
{
    for (size_t i = 0; i < ARRAY_SIZE(a->headers) && a->headers[i]; i++)
        if (strncmp(a->headers[i], begin, strlen(begin)) == 0)
            return true;
    return false;
}

/* What is of the moment is kept by nobody; only pages for browsers have rules for browsers. */
START_TEST(headers)
{
    static const char *const queries[] = {"", "json", "xml", "openmetrics", "html", "style"};
    Example e = example_make();

    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        const StatusQuestion q = {.query = queries[i]};
        StatusAnswer a;

        ck_assert_int_eq(answer(&q, &e, &a), 0);
        buffer_done(&a.body);
        ck_assert(has_header(&a, "Cache-Control: no-cache, no-store") == (i < 5));
        ck_assert(has_header(&a, "Expires: Thu, 01 Jan 1970") == (i < 5));
        ck_assert(has_header(&a, "Content-Security-Policy: default-src 'none'") == (i == 4));
        ck_assert(has_header(&a, "X-Content-Type-Options: nosniff") == (i >= 4));
    }
}
END_TEST

static Suite *answer_suite(void)
{
    Suite *s = suite_create("status/answer");
    TCase *tc = tcase_create("answer");

    tcase_add_loop_test(tc, question, 0, ARRAY_SIZE(questions));
    tcase_add_loop_test(tc, head, 0, ARRAY_SIZE(questions));
    tcase_add_test(tc, headers);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(answer_suite)
