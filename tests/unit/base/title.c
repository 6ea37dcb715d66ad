#include "base/title.h"
#include "../run.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

/* Arguments as execve(2) lays them out, and a byte behind them that is not theirs. */
typedef struct Arguments {
    char memory[64];
    char *argv[3];
    size_t size;
} Arguments;

static void lay_out(Arguments *a, const char *first, const char *second)
{
    memset(a, 'X', sizeof(*a));
    a->argv[0] = strcpy(a->memory, first);
    a->size = strlen(first) + 1;
    a->argv[1] = strcpy(a->memory + a->size, second);
    a->size += strlen(second) + 1;
    a->argv[2] = NULL;
}

START_TEST(title_takes_the_room_of_the_arguments)
{
    Arguments a;
    char name[16];

    lay_out(&a, "/usr/libexec/php", "          ");
    title_init(2, a.argv);
    ck_assert_str_eq(a.argv[0], "/usr/libexec/php");
    title_set("fpmd-template", "fpmd: pool %s, long", "www");
    ck_assert_str_eq(a.memory, "fpmd: pool www, long");
    /* A shorter one leaves nothing of it. */
    title_set("fpmd-worker", "fpmd: pool %s", "www");
    ck_assert_str_eq(a.memory, "fpmd: pool www");
    for (size_t i = strlen("fpmd: pool www"); i < a.size; i++)
        ck_assert_int_eq(a.memory[i], 0);
    ck_assert_int_eq(a.memory[a.size], 'X');
    ck_assert_str_eq(a.argv[0], "/usr/libexec/php");
    ck_assert_int_eq(prctl(PR_GET_NAME, name), 0);
    ck_assert_str_eq(name, "fpmd-worker");
}
END_TEST

START_TEST(title_is_cut)
{
    Arguments a;

    lay_out(&a, "a", "    ");
    title_init(2, a.argv);
    title_set("x", "0123456789");
    ck_assert_str_eq(a.memory, "012345");
    ck_assert_int_eq(a.memory[a.size], 'X');
}
END_TEST

/* Somebody has moved the second argument: only the first is ours. */
START_TEST(only_memory_in_one_piece_is_taken)
{
    static char elsewhere[] = "elsewhere";
    Arguments a;

    lay_out(&a, "first", "second");
    a.argv[1] = elsewhere;
    title_init(2, a.argv);
    title_set("x", "0123456789");
    ck_assert_str_eq(a.memory, "01234");
    ck_assert_str_eq(a.memory + 6, "second");
    ck_assert_str_eq(elsewhere, "elsewhere");
}
END_TEST

START_TEST(without_arguments)
{
    char *argv[] = {NULL};

    title_init(0, argv);
    title_set("x", "nothing happens");
}
END_TEST

static Suite *title_suite(void)
{
    Suite *s = suite_create("base/title");
    TCase *t = tcase_create("all");

    tcase_add_test(t, title_takes_the_room_of_the_arguments);
    tcase_add_test(t, title_is_cut);
    tcase_add_test(t, only_memory_in_one_piece_is_taken);
    tcase_add_test(t, without_arguments);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(title_suite)
