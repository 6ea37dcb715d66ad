#include "base/buffer.h"
#include "fcgi/params.h"
#include "fcgi/wire.h"
#include "../run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEXT(s) s, sizeof(s) - 1

/* The pairs as "name=value;", at the end the result of fcgi_params_end() if it is an error. */
static void describe(FcgiParams *p, Buffer *b)
{
    for (size_t i = 0; i < p->n; i++) {
        buffer_append(b, fcgi_param_name(p, i), p->items[i].name_size);
        buffer_append(b, "=", 1);
        buffer_append(b, fcgi_param_value(p, i), p->items[i].value_size);
        buffer_append(b, ";", 1);
        ck_assert_int_eq(fcgi_param_name(p, i)[p->items[i].name_size], 0);
        ck_assert_int_eq(fcgi_param_value(p, i)[p->items[i].value_size], 0);
    }
    if (fcgi_params_end(p) < 0)
        buffer_append(b, "!", 1);
    buffer_append(b, "", 1);
}

static const struct {
    const char *bytes;
    size_t n;
    const char *pairs;
    size_t n_pairs;
} cases[] = {
    {TEXT(""), TEXT("")},
    {TEXT("\1\1ab"), TEXT("a=b;")},
    {TEXT("\1\1ab\2\3xyuvw"), TEXT("a=b;xy=uvw;")},
    {TEXT("\0\0"), TEXT("=;")},
    {TEXT("\0\0\0\0\1\0a"), TEXT("=;=;a=;")},
    {TEXT("\0\2ab"), TEXT("=ab;")},
    {TEXT("\3\3a\0bc\0d"), TEXT("a\0b=c\0d;")},
    {TEXT("\200\0\0\1\200\0\0\2abc"), TEXT("a=bc;")},
    {TEXT("\1\200\0\0\0a"), TEXT("a=;")},
    {TEXT("\1"), TEXT("!")},
    {TEXT("\200\0\0"), TEXT("!")},
    {TEXT("\1\1a"), TEXT("!")},
    {TEXT("\1\1ab\1\2cd"), TEXT("a=b;!")},
};

static void check_split(size_t i, size_t at)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};
    _cleanup_buffer_ Buffer b = {0};
    const uint8_t *bytes = (const uint8_t *)cases[i].bytes;

    ck_assert_int_eq(fcgi_params_push(&p, bytes, at), 0);
    ck_assert_int_eq(fcgi_params_push(&p, bytes + at, cases[i].n - at), 0);
    describe(&p, &b);
    ck_assert_uint_eq(b.size, cases[i].n_pairs + 1);
    ck_assert_mem_eq(b.data, cases[i].pairs, cases[i].n_pairs);
}

START_TEST(pairs_at_every_split)
{
    for (size_t at = 0; at <= cases[_i].n; at++)
        check_split((size_t)_i, at);
}
END_TEST

START_TEST(pairs_byte_by_byte_into_a_used_arena)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};
    _cleanup_buffer_ Buffer b = {0};

    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\4\4name", 6), 0);
    fcgi_params_clear(&p);
    for (size_t i = 0; i < cases[_i].n; i++) {
        /* A copy of its own, so that reading beyond it is seen. */
        uint8_t *byte = malloc(1);

        *byte = (uint8_t)cases[_i].bytes[i];
        ck_assert_int_eq(fcgi_params_push(&p, byte, 1), 0);
        free(byte);
    }
    describe(&p, &b);
    ck_assert_uint_eq(b.size, cases[_i].n_pairs + 1);
    ck_assert_mem_eq(b.data, cases[_i].pairs, cases[_i].n_pairs);
}
END_TEST

/* The first bytes where they are, in a block of their own, and then elsewhere; the rest behind
 * them.
 */
START_TEST(pairs_in_place_at_every_split)
{
    for (size_t at = 0; at <= cases[_i].n; at++) {
        _cleanup_(fcgi_params_done) FcgiParams p = {0};
        _cleanup_buffer_ Buffer b = {0}, kept = {0};
        uint8_t *bytes = malloc(at + 1);

        memcpy(bytes, cases[_i].bytes, at);
        bytes = realloc(bytes, at ? at : 1);
        ck_assert_int_eq(fcgi_params_place(&p, bytes, at), 0);
        if (at == cases[_i].n) {
            describe(&p, &b);
            ck_assert_uint_eq(b.size, cases[_i].n_pairs + 1);
            ck_assert_mem_eq(b.data, cases[_i].pairs, cases[_i].n_pairs);
        }
        ck_assert_int_eq(fcgi_params_keep(&p), 0);
        ck_assert_uint_eq(p.n_outside, 0);
        free(bytes);
        ck_assert_int_eq(
            fcgi_params_push(&p, (const uint8_t *)cases[_i].bytes + at, cases[_i].n - at), 0);
        describe(&p, &kept);
        ck_assert_uint_eq(kept.size, cases[_i].n_pairs + 1);
        ck_assert_mem_eq(kept.data, cases[_i].pairs, cases[_i].n_pairs);
    }
}
END_TEST

START_TEST(pairs_in_place_are_not_copied)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};
    uint8_t bytes[] = "\1\1ab\2\3xyuvw";

    ck_assert_int_eq(fcgi_params_place(&p, bytes, sizeof(bytes) - 1), 0);
    ck_assert_uint_eq(p.n_outside, 1);
    ck_assert_uint_eq(p.arena_size, 7); /* the last one */
    ck_assert_ptr_eq(fcgi_params_get(&p, "a", NULL), bytes + 3);
    ck_assert_str_eq(fcgi_params_get(&p, "a", NULL), "b");
    ck_assert_str_eq(fcgi_params_get(&p, "xy", NULL), "uvw");
    ck_assert_int_eq(fcgi_params_add(&p, "ID", 2, "0123", 4), 0);
    ck_assert_str_eq(fcgi_params_get(&p, "ID", NULL), "0123");
    ck_assert_uint_eq(p.arena_size, 7);
}
END_TEST

/* Of texts in place too, the added pair included. */
START_TEST(limits_hold_in_place)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {.max_bytes = 8, .max_pairs = 2};
    uint8_t two[] = "\1\1ab\1\1cd", three[] = "\0\0\0\0\0\0", large[] = "\1\6abcdefg";

    ck_assert_int_eq(fcgi_params_place(&p, two, sizeof(two) - 1), 0);
    ck_assert_int_eq(fcgi_params_add(&p, "", 0, "", 0), -E2BIG);
    fcgi_params_clear(&p);
    ck_assert_int_eq(fcgi_params_place(&p, three, sizeof(three) - 1), -E2BIG);
    fcgi_params_clear(&p);
    ck_assert_int_eq(fcgi_params_place(&p, large, sizeof(large) - 1), -E2BIG);
}
END_TEST

/* Names of every look, so that many share a chain. */
START_TEST(each_of_many_names_is_found)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};
    char name[16];

    for (unsigned i = 0; i < 1000; i++) {
        uint8_t bytes[32];
        int n = snprintf(name, sizeof(name), "NAME_%u", i);
        uint8_t *end = fcgi_put_pair(bytes, name, (size_t)n, &i, sizeof(i));

        ck_assert_int_eq(fcgi_params_push(&p, bytes, (size_t)(end - bytes)), 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        size_t size = 0;

        snprintf(name, sizeof(name), "NAME_%u", i);
        ck_assert_mem_eq(fcgi_params_get(&p, name, &size), &i, sizeof(i));
        ck_assert_uint_eq(size, sizeof(i));
    }
    ck_assert_ptr_null(fcgi_params_get(&p, "NAME_1000", NULL));
}
END_TEST

START_TEST(the_last_of_a_name_counts)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};
    size_t size = 0;

    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\1\1ax\1\2ayz\2\0ab", 13), 0);
    ck_assert_str_eq(fcgi_params_get(&p, "a", &size), "yz");
    ck_assert_uint_eq(size, 2);
    ck_assert_str_eq(fcgi_params_get(&p, "ab", NULL), "");
    ck_assert_ptr_null(fcgi_params_get(&p, "A", NULL));
    ck_assert_ptr_null(fcgi_params_get(&p, "", NULL));
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
} hostile[] = {
    {TEXT("\377\377\377\377\377\377\377\377")},
    {TEXT("\377\377\377\377\1")},
    {TEXT("\1\377\377\377\377")},
    {TEXT("\200\20\0\0\0")},           /* 1 MiB without room for the ends */
    {TEXT("\1\1ab\200\17\377\374\0")}, /* four bytes over what is left */
    {TEXT("\200\10\0\0\200\10\0\0")},
};

START_TEST(hostile_lengths_are_refused_at_once)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};

    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)hostile[_i].bytes, hostile[_i].n),
                     -E2BIG);
    ck_assert_uint_lt(p.arena_room, 8192);
}
END_TEST

/* Of a pool that allows less; a used arena has no limits of its own any more. */
START_TEST(limits_of_a_pool)
{
    FcgiParams p = {.max_bytes = 8, .max_pairs = 2};

    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\1\1ab\1\1cd", 8), 0);
    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\0\0", 2), -E2BIG);
    fcgi_params_clear(&p);
    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\1\5abcdef", 8), 0);
    fcgi_params_clear(&p);
    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\1\6", 2), -E2BIG);
    fcgi_params_done(&p);
    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\1\6abcdefg", 9), 0);
    fcgi_params_done(&p);
}
END_TEST

START_TEST(claimed_bytes_take_no_memory)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};

    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\200\7\0\0\200\7\0\0abc", 11), 0);
    ck_assert_uint_lt(p.arena_room, 8192);
    ck_assert_int_eq(fcgi_params_end(&p), -EBADMSG);
}
END_TEST

START_TEST(the_largest_fits)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};
    uint8_t chunk[1024];

    memset(chunk, 'x', sizeof(chunk));
    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\0\200\17\377\376", 5), 0);
    for (unsigned i = 0; i < 1023; i++)
        ck_assert_int_eq(fcgi_params_push(&p, chunk, sizeof(chunk)), 0);
    ck_assert_int_eq(fcgi_params_push(&p, chunk, 1022), 0);
    ck_assert_int_eq(fcgi_params_end(&p), 0);
    ck_assert_uint_eq(p.items[0].value_size, FCGI_PARAMS_MAX_BYTES - 2);
    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\0\0", 2), -E2BIG);
}
END_TEST

START_TEST(the_number_of_pairs_is_bounded)
{
    _cleanup_(fcgi_params_done) FcgiParams p = {0};

    for (unsigned i = 0; i < FCGI_PARAMS_MAX_PAIRS; i++)
        ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\0\0", 2), 0);
    ck_assert_uint_eq(p.n, FCGI_PARAMS_MAX_PAIRS);
    ck_assert_int_eq(fcgi_params_push(&p, (const uint8_t *)"\0\0", 2), -E2BIG);
}
END_TEST

static Suite *params_suite(void)
{
    Suite *s = suite_create("fcgi/params");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, pairs_at_every_split, 0, ARRAY_SIZE(cases));
    tcase_add_loop_test(t, pairs_byte_by_byte_into_a_used_arena, 0, ARRAY_SIZE(cases));
    tcase_add_loop_test(t, pairs_in_place_at_every_split, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, pairs_in_place_are_not_copied);
    tcase_add_test(t, limits_hold_in_place);
    tcase_add_test(t, each_of_many_names_is_found);
    tcase_add_test(t, the_last_of_a_name_counts);
    tcase_add_loop_test(t, hostile_lengths_are_refused_at_once, 0, ARRAY_SIZE(hostile));
    tcase_add_test(t, limits_of_a_pool);
    tcase_add_test(t, claimed_bytes_take_no_memory);
    tcase_add_test(t, the_largest_fits);
    tcase_add_test(t, the_number_of_pairs_is_bounded);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(params_suite)
