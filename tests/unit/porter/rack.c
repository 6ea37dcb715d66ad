#include "porter/rack.h"
#include "../run.h"

/* The members of a list in order, as digits. */
static const char *members(const Rack *r, RackList list)
{
    static char text[64];
    size_t n = 0;
    int before = -1;

    for (int fd = rack_first(r, list); fd >= 0; fd = rack_place(r, fd)->next) {
        ck_assert_int_eq(rack_place(r, fd)->prev, before);
        ck_assert_int_eq(rack_place(r, fd)->list, list);
        text[n++] = (char)('0' + fd);
        before = fd;
    }
    ck_assert_int_eq(r->lists[list].last, before);
    ck_assert_uint_eq(rack_count(r, list), n);
    text[n] = 0;
    return text;
}

START_TEST(order_is_that_of_arrival)
{
    Rack r;

    rack_init(&r);
    ck_assert_int_eq(rack_first(&r, RACK_IDLE), -1);
    for (int fd = 3; fd <= 7; fd++)
        ck_assert_int_eq(rack_put(&r, fd, RACK_IDLE, 0, 1), 0);
    ck_assert_str_eq(members(&r, RACK_IDLE), "34567");
    rack_drop(&r, 5); /* from the middle, the end, the begin */
    rack_drop(&r, 7);
    rack_drop(&r, 3);
    ck_assert_str_eq(members(&r, RACK_IDLE), "46");
    rack_drop(&r, 5); /* not there any more */
    rack_drop(&r, 4000);
    rack_drop(&r, -1);
    ck_assert_str_eq(members(&r, RACK_IDLE), "46");
    rack_drop(&r, 4);
    rack_drop(&r, 6);
    ck_assert_str_eq(members(&r, RACK_IDLE), "");
    ck_assert_int_eq(rack_put(&r, 8, RACK_IDLE, 0, 1), 0);
    ck_assert_str_eq(members(&r, RACK_IDLE), "8");
    rack_done(&r);
}
END_TEST

START_TEST(one_list_at_a_time)
{
    Rack r;

    rack_init(&r);
    for (int fd = 3; fd <= 5; fd++)
        ck_assert_int_eq(rack_put(&r, fd, RACK_IDLE, 1, 10), 0);
    ck_assert_int_eq(rack_put(&r, 4, RACK_READY, rack_place(&r, 4)->flags, 20), 0);
    ck_assert_int_eq(rack_put(&r, 3, RACK_READY, 0, 30), 0);
    ck_assert_str_eq(members(&r, RACK_IDLE), "5");
    ck_assert_str_eq(members(&r, RACK_READY), "43");
    ck_assert_uint_eq(rack_place(&r, 4)->flags, 1);
    ck_assert_uint_eq(rack_place(&r, 3)->flags, 0);
    ck_assert_uint_eq(rack_place(&r, 4)->since_usec, 20);
    /* Again into the same one: at its end. */
    ck_assert_int_eq(rack_put(&r, 4, RACK_READY, 0, 40), 0);
    ck_assert_str_eq(members(&r, RACK_READY), "34");
    rack_done(&r);
}
END_TEST

START_TEST(numbers_may_be_large)
{
    Rack r;

    rack_init(&r);
    ck_assert_int_eq(rack_put(&r, 3, RACK_LINGERING, 0, 0), 0);
    ck_assert_int_eq(rack_put(&r, 100000, RACK_LINGERING, 0, 0), 0);
    ck_assert_uint_eq(rack_count(&r, RACK_LINGERING), 2);
    ck_assert_int_eq(rack_place(&r, 3)->next, 100000);
    for (int fd = 4; fd < 200000; fd += 37)
        ck_assert_int_eq(rack_place(&r, fd)->list, RACK_NONE);
    rack_done(&r);
    ck_assert_int_eq(rack_first(&r, RACK_LINGERING), -1);
}
END_TEST

static Suite *rack_suite(void)
{
    Suite *s = suite_create("porter/rack");
    TCase *t = tcase_create("all");

    tcase_add_test(t, order_is_that_of_arrival);
    tcase_add_test(t, one_list_at_a_time);
    tcase_add_test(t, numbers_may_be_large);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(rack_suite)
