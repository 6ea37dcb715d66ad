/*
 * Figures for people.
 */

#include "status/human.h"
#include "../run.h"

static const struct {
    uint64_t n;
    const char *count, *bytes, *span, *milli;
} figures[] = {
    {0, "0", "0 B", "0 s", "0"},
    {1, "1", "1 B", "0.00 ms", "0.00"},
    {250, "250", "250 B", "0.25 ms", "0.25"},
    {999, "999", "999 B", "1.00 ms", "1.00"},
    {1000, "1,000", "1000 B", "1.00 ms", "1.00"},
    {1023, "1,023", "1023 B", "1.02 ms", "1.02"},
    {1024, "1,024", "1.00 KiB", "1.02 ms", "1.02"},
    {12345, "12,345", "12.1 KiB", "12.3 ms", "12.3"},
    {999999, "999,999", "977 KiB", "1000 ms", "1000"},
    {1000000, "1,000,000", "977 KiB", "1.00 s", "1,000"},
    {1023487, "1,023,487", "999 KiB", "1.02 s", "1,023"},
    {1023488, "1,023,488", "0.98 MiB", "1.02 s", "1,023"},
    {59999999, "59,999,999", "57.2 MiB", "60.0 s", "60,000"},
    {60000000, "60,000,000", "57.2 MiB", "1m 0s", "60,000"},
    {UINT64_C(3599999999), "3,599,999,999", "3.35 GiB", "59m 59s", "3,600,000"},
    {UINT64_C(93784000000), "93,784,000,000", "87.3 GiB", "1d 2h", "93,784,000"},
    {UINT64_MAX, "18,446,744,073,709,551,615", "16.0 EiB", "213503982d 8h",
     "18,446,744,073,709,552"},
};

START_TEST(figure)
{
    char text[HUMAN_SIZE];

    human_count(figures[_i].n, text);
    ck_assert_str_eq(text, figures[_i].count);
    human_bytes(figures[_i].n, text);
    ck_assert_str_eq(text, figures[_i].bytes);
    human_span(figures[_i].n, text);
    ck_assert_str_eq(text, figures[_i].span);
    human_milli(figures[_i].n, text);
    ck_assert_str_eq(text, figures[_i].milli);
}
END_TEST

static const struct {
    uint64_t part, whole;
    const char *text;
} parts[] = {
    {0, 0, "0 %"},           {5, 0, "0 %"},         {0, 7, "0 %"},
    {1, 100000, "< 0.01 %"}, {1, 10000, "0.01 %"},  {1, 8, "12.5 %"},
    {7, 7, "100 %"},         {4000, 1000, "400 %"}, {UINT64_MAX, 1, "1844674407370955161600 %"},
};

START_TEST(percent)
{
    char text[HUMAN_SIZE];

    human_percent(parts[_i].part, parts[_i].whole, text);
    ck_assert_str_eq(text, parts[_i].text);
}
END_TEST

static Suite *human_suite(void)
{
    Suite *s = suite_create("human");
    TCase *c = tcase_create("figures");

    tcase_add_loop_test(c, figure, 0, ARRAY_SIZE(figures));
    tcase_add_loop_test(c, percent, 0, ARRAY_SIZE(parts));
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(human_suite)
