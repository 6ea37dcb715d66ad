#include "fcgi/client.h"
#include "fcgi/params.h"
#include "fcgi/parser.h"
#include "../run.h"

#include <errno.h>
#include <string.h>

/* What the client builds the parser reads. */
START_TEST(a_request_goes_through_the_parser)
{
    static const char *const pairs[] = {"A", "1", "EMPTY", "", "B", "two", NULL};
    _cleanup_buffer_ Buffer bytes = {0}, body = {0}, seen = {0};
    _cleanup_(fcgi_params_done) FcgiParams params = {0};
    size_t at = 0, used;
    FcgiParser p;
    FcgiEvent e;

    for (unsigned i = 0; i < 40000; i++)
        buffer_append(&body, &i, sizeof(i));
    ck_assert_int_eq(fcgi_client_begin(&bytes, 7, FCGI_RESPONDER, FCGI_KEEP_CONN), 0);
    ck_assert_int_eq(fcgi_client_params(&bytes, 7, pairs), 0);
    ck_assert_int_eq(fcgi_client_stream(&bytes, FCGI_STDIN, 7, body.data, body.size), 0);
    ck_assert_int_eq(fcgi_client_stream_end(&bytes, FCGI_STDIN, 7), 0);

    fcgi_parser_init(&p);
    do {
        ck_assert_int_eq(
            fcgi_parser_next(&p, (uint8_t *)bytes.data + at, bytes.size - at, &used, &e), 0);
        at += used;
        if (e.kind == FCGI_EVENT_BEGIN)
            ck_assert(e.keep && e.request_id == 7);
        if (e.kind == FCGI_EVENT_PARAMS)
            ck_assert_int_eq(fcgi_params_push(&params, e.data, e.size), 0);
        if (e.kind == FCGI_EVENT_STDIN)
            buffer_append(&seen, e.data, e.size);
    } while (e.kind != FCGI_EVENT_NONE);
    ck_assert(fcgi_parser_request_read(&p));
    ck_assert_uint_eq(params.n, 3);
    ck_assert_str_eq(fcgi_params_get(&params, "B", NULL), "two");
    ck_assert_str_eq(fcgi_params_get(&params, "EMPTY", NULL), "");
    ck_assert_uint_eq(seen.size, body.size);
    ck_assert_mem_eq(seen.data, body.data, body.size);
}
END_TEST

static void put(Buffer *b, unsigned type, const char *text, unsigned padding)
{
    uint8_t header[FCGI_HEADER_SIZE];

    fcgi_put_header(header, type, 1, strlen(text), padding);
    buffer_append(b, header, sizeof(header));
    buffer_append(b, text, strlen(text));
    buffer_append(b, "\0\0\0\0\0\0\0", padding);
}

static void make_answer(Buffer *b)
{
    uint8_t end[FCGI_END_REQUEST_SIZE];

    put(b, FCGI_STDOUT, "Hello, ", 3);
    put(b, FCGI_STDERR, "oh", 0);
    put(b, 99, "skipped", 0);
    put(b, FCGI_STDOUT, "World", 0);
    put(b, FCGI_STDOUT, "", 0);
    fcgi_put_end_request(end, 1, 0x01020304, FCGI_OVERLOADED);
    buffer_append(b, end, sizeof(end));
}

START_TEST(an_answer_at_every_split)
{
    _cleanup_buffer_ Buffer b = {0};
    size_t end;

    make_answer(&b);
    end = b.size;
    buffer_append(&b, "next", 4);
    for (size_t at = 0; at < end; at++) {
        FcgiResponse r = {0};
        size_t used = 0;

        ck_assert_int_eq(fcgi_response_push(&r, (uint8_t *)b.data, at, &used), 0);
        ck_assert_uint_eq(used, at);
        ck_assert_int_eq(fcgi_response_push(&r, (uint8_t *)b.data + at, b.size - at, &used), 1);
        ck_assert_uint_eq(used, end - at);
        ck_assert(r.ended);
        ck_assert_uint_eq(r.app_status, 0x01020304);
        ck_assert_uint_eq(r.protocol_status, FCGI_OVERLOADED);
        ck_assert_uint_eq(r.out.size, 12);
        ck_assert_mem_eq(r.out.data, "Hello, World", 12);
        ck_assert_uint_eq(r.err.size, 2);
        fcgi_response_reset(&r);
        ck_assert(!r.ended);
        ck_assert_uint_eq(r.out.size, 0);
        fcgi_response_done(&r);
    }
}
END_TEST

START_TEST(broken_answers)
{
    static const uint8_t version[] = {2, 6, 0, 1, 0, 0, 0, 0};
    static const uint8_t short_end[] = {1, 3, 0, 1, 0, 7, 0, 0};
    FcgiResponse r = {0};
    size_t used;

    ck_assert_int_eq(fcgi_response_push(&r, version, sizeof(version), &used), -EBADMSG);
    fcgi_response_done(&r);
    ck_assert_int_eq(fcgi_response_push(&r, short_end, sizeof(short_end), &used), -EBADMSG);
    fcgi_response_done(&r);
}
END_TEST

static Suite *client_suite(void)
{
    Suite *s = suite_create("fcgi/client");
    TCase *t = tcase_create("all");

    tcase_add_test(t, a_request_goes_through_the_parser);
    tcase_add_test(t, an_answer_at_every_split);
    tcase_add_test(t, broken_answers);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(client_suite)
