#include "base/parse.h"
#include "../run.h"

#include <errno.h>

START_TEST(numbers)
{
    static const struct {
        const char *text;
        int r;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"42", 0, 42},
        {"100", 0, 100},
        {"101", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1x", -EINVAL, 0},
        {"18446744073709551616", -ERANGE, 0},
        {"99999999999999999999999", -ERANGE, 0},
    };
    uint64_t value = 7;

    ck_assert_int_eq(parse_u64(cases[_i].text, 0, 100, &value), cases[_i].r);
    ck_assert_uint_eq(value, cases[_i].r == 0 ? cases[_i].value : 7);
}
END_TEST

START_TEST(times)
{
    static const struct {
        const char *text;
        int r;
        uint64_t usec;
    } cases[] = {
        {"10", 0, 10000000},
        {"10s", 0, 10000000},
        {"2m", 0, 120000000},
        {"1h", 0, 3600000000},
        {"1d", 0, 86400000000},
        {"5ms", 0, 5000},
        {"10 s", -EINVAL, 0},
        {"1.5s", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-5", -EINVAL, 0},
        {"5w", -EINVAL, 0},
        {"99999999999999999d", -ERANGE, 0},
    };
    uint64_t usec = 7;

    ck_assert_int_eq(parse_usec(cases[_i].text, &usec), cases[_i].r);
    ck_assert_uint_eq(usec, cases[_i].r == 0 ? cases[_i].usec : 7);
}
END_TEST

START_TEST(sizes_modes_booleans)
{
    uint64_t bytes;
    unsigned mode;
    bool b;

    ck_assert_int_eq(parse_size("128M", &bytes), 0);
    ck_assert_uint_eq(bytes, 128u << 20);
    ck_assert_int_eq(parse_size("1X", &bytes), -EINVAL);
    ck_assert_int_eq(parse_size("99999999999G", &bytes), -ERANGE);

    ck_assert_int_eq(parse_mode("0660", &mode), 0);
    ck_assert_uint_eq(mode, 0660);
    ck_assert_int_eq(parse_mode("rw", &mode), -EINVAL);
    ck_assert_int_eq(parse_mode("0680", &mode), -EINVAL);
    ck_assert_int_eq(parse_mode("77777", &mode), -ERANGE);
    ck_assert_int_eq(parse_mode("", &mode), -EINVAL);

    ck_assert_int_eq(parse_bool("On", &b), 0);
    ck_assert(b);
    ck_assert_int_eq(parse_bool("", &b), 0);
    ck_assert(!b);
    ck_assert_int_eq(parse_bool("maybe", &b), -EINVAL);
}
END_TEST

static Suite *parse_suite(void)
{
    Suite *s = suite_create("base/parse");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, numbers, 0, 12);
    tcase_add_loop_test(t, times, 0, 13);
    tcase_add_test(t, sizes_modes_booleans);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(parse_suite)
