#include "fcgi/wire.h"
#include "../run.h"

#include <string.h>

START_TEST(records_are_as_the_specification_draws_them)
{
    static const uint8_t begin[] = {1, 1, 0x12, 0x34, 0, 8, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0};
    static const uint8_t end[] = {1, 3, 0x12, 0x34, 0, 8, 0, 0, 1, 2, 3, 4, 2, 0, 0, 0};
    static const uint8_t unknown[] = {1, 11, 0, 0, 0, 8, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t header[] = {1, 6, 0xff, 0xff, 0xff, 0xff, 7, 0};
    uint8_t p[16];

    fcgi_put_begin_request(p, 0x1234, FCGI_FILTER, FCGI_KEEP_CONN);
    ck_assert_mem_eq(p, begin, sizeof(begin));
    fcgi_put_end_request(p, 0x1234, 0x01020304, FCGI_OVERLOADED);
    ck_assert_mem_eq(p, end, sizeof(end));
    fcgi_put_unknown_type(p, 77);
    ck_assert_mem_eq(p, unknown, sizeof(unknown));
    fcgi_put_header(p, FCGI_STDOUT, 0xffff, 65535, 7);
    ck_assert_mem_eq(p, header, sizeof(header));
}
END_TEST

static const struct {
    size_t name, value, head;
    uint8_t bytes[8];
} lengths[] = {
    {0, 0, 2, {0, 0}},
    {1, 127, 2, {1, 127}},
    {127, 128, 5, {127, 0x80, 0, 0, 128}},
    {128, 1, 5, {0x80, 0, 0, 128, 1}},
    {300, 70000, 8, {0x80, 0, 1, 44, 0x80, 1, 0x11, 0x70}},
};

START_TEST(pair_lengths_take_one_or_four_bytes)
{
    size_t size = fcgi_pair_size(lengths[_i].name, lengths[_i].value);
    char *name = malloc(lengths[_i].name + 1), *value = malloc(lengths[_i].value + 1);
    uint8_t *p = malloc(size);

    memset(name, 'n', lengths[_i].name);
    memset(value, 'v', lengths[_i].value);
    ck_assert_uint_eq(size, lengths[_i].head + lengths[_i].name + lengths[_i].value);
    ck_assert_ptr_eq(fcgi_put_pair(p, name, lengths[_i].name, value, lengths[_i].value), p + size);
    ck_assert_mem_eq(p, lengths[_i].bytes, lengths[_i].head);
    ck_assert_mem_eq(p + lengths[_i].head, name, lengths[_i].name);
    ck_assert_mem_eq(p + lengths[_i].head + lengths[_i].name, value, lengths[_i].value);
    free(p);
    free(name);
    free(value);
}
END_TEST

START_TEST(roles_have_names)
{
    ck_assert_str_eq(fcgi_role_to_string(FCGI_RESPONDER), "RESPONDER");
    ck_assert_str_eq(fcgi_role_to_string(FCGI_AUTHORIZER), "AUTHORIZER");
    ck_assert_str_eq(fcgi_role_to_string(FCGI_FILTER), "FILTER");
    ck_assert_ptr_null(fcgi_role_to_string(0));
    ck_assert_ptr_null(fcgi_role_to_string(4));
    ck_assert_ptr_null(fcgi_role_to_string(65535));
}
END_TEST

static Suite *wire_suite(void)
{
    Suite *s = suite_create("fcgi/wire");
    TCase *t = tcase_create("all");

    tcase_add_test(t, records_are_as_the_specification_draws_them);
    tcase_add_loop_test(t, pair_lengths_take_one_or_four_bytes, 0, ARRAY_SIZE(lengths));
    tcase_add_test(t, roles_have_names);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(wire_suite)
