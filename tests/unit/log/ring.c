#include "log/ring.h"
#include "../run.h"

#include <errno.h>
#include <string.h>

START_TEST(first_in_first_out)
{
    size_t n = 0;
    Ring ring;

    ck_assert_int_eq(ring_init(&ring, 64), 0);
    ck_assert(ring_is_empty(&ring));
    ck_assert_ptr_null(ring_first(&ring, &n));
    ring_pop(&ring);
    ck_assert_int_eq(ring_push(&ring, "first", 5), 0);
    ck_assert_int_eq(ring_push(&ring, "", 0), 0);
    ck_assert_int_eq(ring_push(&ring, "third", 5), 0);
    ck_assert_mem_eq(ring_first(&ring, &n), "first", 5);
    ck_assert_uint_eq(n, 5);
    ring_pop(&ring);
    ck_assert_ptr_nonnull(ring_first(&ring, &n));
    ck_assert_uint_eq(n, 0);
    ring_pop(&ring);
    ck_assert_mem_eq(ring_first(&ring, &n), "third", 5);
    ring_pop(&ring);
    ck_assert(ring_is_empty(&ring));
    ring_done(&ring);
}
END_TEST

START_TEST(full_to_the_byte)
{
    Ring ring;

    ck_assert_int_eq(ring_init(&ring, 20), 0);
    ck_assert_int_eq(ring_push(&ring, "0123456789abcdefg", 17), -ENOBUFS);
    ck_assert_int_eq(ring_push(&ring, "0123456789abcdef", 16), 0);
    ck_assert_int_eq(ring_push(&ring, "", 0), -ENOBUFS);
    ring_clear(&ring);
    ck_assert_int_eq(ring_push(&ring, "", 0), 0);
    ring_done(&ring);
    ck_assert_int_eq(ring_init(&ring, 0), 0);
    ck_assert_int_eq(ring_push(&ring, "", 0), -ENOBUFS);
    ring_done(&ring);
}
END_TEST

/* Records of changing sizes through a small ring, compared with what went in. */
START_TEST(keeps_order_over_many_rounds)
{
    unsigned in = 0, out = 0;
    Ring ring;

    ck_assert_int_eq(ring_init(&ring, 100), 0);
    srandom(7);
    while (out < 10000) {
        char record[40];
        size_t n = sizeof(in) + (size_t)(random() % 30);

        memset(record, (int)(in & 0xff), sizeof(record));
        memcpy(record, &in, sizeof(in));
        if (random() % 2 && ring_push(&ring, record, n) == 0)
            in++;
        if (random() % 2) {
            const char *first = ring_first(&ring, &n);
            unsigned number;

            if (!first)
                continue;
            memcpy(&number, first, sizeof(number));
            if (number != out || (n > sizeof(number) && first[n - 1] != (char)(number & 0xff)))
                ck_abort_msg("record %u is not %u", number, out);
            ring_pop(&ring);
            out++;
        }
    }
    ring_done(&ring);
}
END_TEST

static Suite *ring_suite(void)
{
    Suite *s = suite_create("log/ring");
    TCase *t = tcase_create("all");

    tcase_add_test(t, first_in_first_out);
    tcase_add_test(t, full_to_the_byte);
    tcase_add_test(t, keeps_order_over_many_rounds);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(ring_suite)
