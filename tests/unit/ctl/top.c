/*
 * What "fpmctl top" shows, and in which order, from figures of our own.
 */

#include "ctl/top.h"
#include "../run.h"
#include "../status/example.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the program has elsewhere: here nobody is asked. */
int running_list(const Ctl *ctl, char ***ret_names, size_t *ret_n);
void running_free(char **names, size_t n);
int ask_connect(const Ctl *ctl, const char *pool);
int figures_ask(const Ctl *ctl, const char *pool, int fd, Figures *ret);

int running_list(const Ctl *ctl, char ***ret_names, size_t *ret_n)
{
    return -EACCES;
}

void running_free(char **names, size_t n)
{
}

int ask_connect(const Ctl *ctl, const char *pool)
{
    return strcmp(pool, "gone") == 0 ? -ENOENT : -EACCES;
}

int figures_ask(const Ctl *ctl, const char *pool, int fd, Figures *ret)
{
    return -EBADMSG;
}

void figures_done(Figures *figures)
{
    *figures = (Figures){0};
}

const char *ctl_complaint(void)
{
    return "\033not permitted";
}

static Example one, two;
static TopPool pools[2];
static Top top;

static void set_up(void)
{
    one = example_make();
    for (size_t i = 0; i < EXAMPLE_WORKERS; i++) {
        StatusWorker *w = &one.workers[i];

        w->pid = 100 + (uint32_t)i;
        w->age_usec = i == 0 ? 65 * USEC_PER_SEC : 1500;
        w->request_age_usec = 0;
        w->board.cpu_permille = w->board.resident_bytes = w->board.requests = 0;
    }
    one.pool.resident_bytes = one.pool.crashed = 0;
    one.pool.outcomes[BOARD_OUTCOME_SERVER_ERROR] = 0;
    two = one;
    strcpy(two.pool.name, "shop");
    for (size_t i = 0; i < EXAMPLE_WORKERS; i++) {
        two.workers[i].pid = 50 + (uint32_t)i;
        two.workers[i].board.cpu_permille = 10 * (i + 1);
        two.workers[i].board.resident_bytes = (i + 1) << 20;
        two.workers[i].board.requests = 7;
    }
    one.workers[0].request_age_usec = 1500 * USEC_PER_MSEC;
    two.workers[1].request_age_usec = 5 * USEC_PER_SEC;
    pools[0] = (TopPool){
        .name = (char *)(uintptr_t) "shop", .fd = -1, .figures = {&two.pool, two.workers, 0}};
    pools[1] = (TopPool){
        .name = (char *)(uintptr_t) "www", .fd = -1, .figures = {&one.pool, one.workers, 0}};
    top = (Top){.pools = pools, .n_pools = 2};
}

static void tear_down(void)
{
    free(top.rows);
}

static void assert_pids(const uint32_t *pids, size_t n)
{
    ck_assert_int_eq(top_arrange(&top), 0);
    ck_assert_uint_eq(top.n_rows, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(top.rows[i].worker->pid, pids[i]);
}

#define PIDS(...) (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4

START_TEST(order)
{
    assert_pids(PIDS(51, 100, 50, 101)); /* the longest request; then by pool and pid */
    top.sort = TOP_SORT_CPU;
    assert_pids(PIDS(51, 50, 100, 101));
    top.sort = TOP_SORT_MEMORY;
    assert_pids(PIDS(51, 50, 100, 101));
    top.sort = TOP_SORT_AGE;
    assert_pids(PIDS(50, 100, 51, 101));
    top.sort = TOP_SORT_REQUESTS;
    assert_pids(PIDS(50, 51, 100, 101));
    top.sort = TOP_SORT_PID;
    assert_pids(PIDS(50, 51, 100, 101));
    top.reverse = true;
    assert_pids(PIDS(101, 100, 51, 50));
    top.hide_idle = true;
    assert_pids(PIDS(100, 51));
}
END_TEST

static void assert_line(const Buffer *b, const char *expected)
{
    ck_assert_msg(b->size == strlen(expected) && memcmp(b->data, expected, b->size) == 0,
                  "is '%.*s'\nnot '%s'", (int)b->size, b->data, expected);
}

START_TEST(lines)
{
    _cleanup_buffer_ Buffer heads = {0}, pool = {0}, row = {0}, summary = {0};

    two.pool.outcomes[BOARD_OUTCOME_SERVER_ERROR] = 3;
    two.pool.crashed = 1;
    two.pool.requests = 1234567;
    strcpy(two.workers[1].board.uri, "/\033[2J\377");
    strcpy(two.workers[1].board.method, "");
    two.workers[1].board.state = WORKER_STATE_IDLE;
    ck_assert_int_eq(top_arrange(&top), 0);
    ck_assert_int_eq(top_write_pool(&heads, NULL), 0);
    ck_assert_int_eq(top_write_pool(&pool, &pools[0]), 0);
    assert_line(&heads, "POOL             STATE      ACTIVE   IDLE    MAX  QUEUED    REQ/S      "
                        "REQUESTS      5XX     CPU     MEMORY SAYS");
    assert_line(&pool, "shop             ready           1      1     16       0     12.4     "
                       "1,234,567        4  3.00 %          - 1 active, 1 idle");
    ck_assert_int_eq(top_write_row(&row, &top.rows[0]), 0);
    assert_line(&row, "shop                   51 idle        2.00 %   2.00 MiB          7  1.50 ms"
                      "     5.00 s -       /?[2J?");
    ck_assert_int_eq(top_write_summary(&summary, &top), 0);
    assert_line(&summary, "2 pools, 4 workers, 2 of them active, 24.9 requests/s");
}
END_TEST

START_TEST(forms)
{
    _cleanup_buffer_ Buffer text = {0}, json = {0};

    pools[1].figures = (Figures){0};
    pools[1].problem = (char *)(uintptr_t) "www: \033[2J no answer";
    ck_assert_int_eq(top_arrange(&top), 0);
    ck_assert_int_eq(top_write_text(&text, &top), 0);
    ck_assert_int_eq(buffer_append(&text, "", 1), 0);
    ck_assert_ptr_nonnull(strstr(text.data, "\nwww              www: ?[2J no answer\n"));
    ck_assert_ptr_null(strchr(text.data, '\033'));
    ck_assert_int_eq(top_write_json(&json, &top), 0);
    ck_assert_int_eq(buffer_append(&json, "", 1), 0);
    ck_assert_int_eq(strncmp(json.data, "[\n{\n  \"pool\": \"shop\",", 21), 0);
    ck_assert_ptr_nonnull(strstr(json.data, "\n}\n]\n"));
}
END_TEST

START_TEST(pools_that_do_not_answer)
{
    char *names[] = {(char *)(uintptr_t) "shut", (char *)(uintptr_t) "gone"};
    Top mine = {.names = names, .n_names = 2};

    ck_assert_int_eq(top_refresh(&mine, 1), 0);
    ck_assert_uint_eq(mine.n_pools, 2);
    ck_assert_str_eq(mine.pools[0].name, "gone");
    ck_assert_str_eq(mine.pools[0].problem, "not running");
    ck_assert_str_eq(mine.pools[1].problem, "\033not permitted");
    ck_assert_uint_gt(mine.pools[1].next_try_usec, 1);
    ck_assert_uint_eq(mine.n_rows, 0);
    top_done(&mine);
    mine.n_names = 0;
    ck_assert_int_eq(top_refresh(&mine, 1), -EACCES);
    top_done(&mine);
}
END_TEST

static Suite *top_suite(void)
{
    Suite *s = suite_create("ctl/top");
    TCase *tc = tcase_create("top");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, order);
    tcase_add_test(tc, lines);
    tcase_add_test(tc, forms);
    tcase_add_test(tc, pools_that_do_not_answer);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(top_suite)
