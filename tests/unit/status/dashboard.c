/*
 * The status page for people: what is in it whatever is in the snapshot. What it looks like is
 * tested with a browser.
 */

#include "example.h"
#include "status/dashboard.h"
#include "../run.h"

#include <inttypes.h>
#include <stdio.h>

#define MANY 3000

static History history;

static void fill_history(uint32_t n, uint64_t end_sec)
{
    history = (History){.version = HISTORY_VERSION, .n = n};
    for (uint32_t i = 0; i < n; i++)
        history.samples[i] = (HistorySample){.time_sec = end_sec - (n - 1 - i) * HISTORY_STEP_SEC,
                                             .step_usec = HISTORY_STEP_SEC * USEC_PER_SEC,
                                             .requests = 20,
                                             .errors = i % 2,
                                             .active = 3 + i % 5,
                                             .p50_usec = 1000,
                                             .p95_usec = 20000,
                                             .p99_usec = 300000};
}

static uint64_t now_sec(const Example *e)
{
    return (e->pool.started_usec + e->pool.uptime_usec) / USEC_PER_SEC;
}

static char *render(const Example *e, bool full, const History *h)
{
    Buffer b = {0};
    char *text;

    ck_assert_int_eq(dashboard_render(&b, &e->pool, e->workers, full, h, gmtime_r), 0);
    text = buffer_steal(&b);
    ck_assert_ptr_nonnull(text);
    return text;
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
        n++;
    return n;
}

/* Elements that are opened are closed, in the order of a tree. */
static void check_tree(const char *text)
{
    static const char *const empty[] = {"!DOCTYPE", "meta", "link", "br", "rect"};
    char open[64][16];
    size_t depth = 0;

    for (const char *p = text; (p = strchr(p, '<')); p++) {
        bool closes = p[1] == '/', is_empty = false;
        char name[16];

        ck_assert_int_eq(sscanf(p + 1 + closes, "%15[A-Za-z0-9!]", name), 1);
        for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
            is_empty |= strcmp(name, empty[i]) == 0;
        if (closes) {
            ck_assert_uint_gt(depth, 0);
            ck_assert_str_eq(open[--depth], name);
        } else if (!is_empty) {
            ck_assert_uint_lt(depth, ARRAY_SIZE(open));
            strcpy(open[depth++], name);
        }
    }
    ck_assert_uint_eq(depth, 0);
}

static void check_policy(const char *text)
{
    ck_assert_uint_eq(count(text, "<script"), 1);
    ck_assert_uint_eq(count(text, "<script src=\"?script="), 1);
    ck_assert_ptr_null(strstr(text, " style="));
    ck_assert_ptr_null(strstr(text, "<style"));
    ck_assert_ptr_null(strstr(text, "://"));
}

START_TEST(page)
{
    static const char *const shown[] = {"<title>www - fpmd</title>",
                                        "PHP 8.2.36",
                                        "generation 3",
                                        "1d 2h",
                                        "<td>running</td><td>100</td>",
                                        "GET /index.php?a=&quot;b&quot;",
                                        "/srv/www/index.php",
                                        "<dt>pm.max_children</dt><dd>16</dd>",
                                        "<dt>Process manager</dt><dd>ondemand</dd>",
                                        "<dt>Sandbox, moot here</dt><dd>landlock, securebits</dd>",
                                        "<dt>Slow log after</dt><dd>never</dd>",
                                        "<dt>pm.max_requests</dt><dd>no limit</dd>",
                                        "1 / 16",
                                        "2023-11-14 22:13:20 +0000"};
    Example e = example_make();
    _cleanup_free_ char *text = NULL;

    e.pool.opcache = (BoardOpcache){0}; /* there is none */
    text = render(&e, true, NULL);
    check_tree(text);
    check_policy(text);
    for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
        ck_assert_msg(strstr(text, shown[i]), "%s is missing in:\n%s", shown[i], text);
    ck_assert_ptr_null(strchr(text, '\x1b'));
    ck_assert_ptr_null(strstr(text, "OPcache"));
    ck_assert_ptr_null(strstr(text, "id=\"past\""));
    ck_assert_ptr_nonnull(strstr(text, "data-samples=\"\""));
}
END_TEST

START_TEST(workers_that_do_something)
{
    Example e = example_make();
    _cleanup_free_ char *busy = render(&e, false, NULL), *idle = NULL;

    ck_assert_ptr_nonnull(strstr(busy, "<td>100</td>"));
    ck_assert_ptr_null(strstr(busy, "<td>101</td>"));
    ck_assert_ptr_nonnull(strstr(busy, "1 busy of 2"));
    e.workers[0].board.state = WORKER_STATE_IDLE;
    idle = render(&e, false, NULL);
    ck_assert_ptr_nonnull(strstr(idle, "No worker is busy."));
    check_tree(idle);
}
END_TEST

START_TEST(longest_request_first)
{
    Example e = example_make();
    _cleanup_free_ char *text = NULL;

    e.workers[1].board.state = WORKER_STATE_FINISHING;
    e.workers[0].request_age_usec = 5;
    e.workers[1].request_age_usec = 6;
    text = render(&e, false, NULL);
    ck_assert(strstr(text, "<td>101</td>") < strstr(text, "<td>100</td>"));
}
END_TEST

/* However many are busy, who does not ask for all gets a small page. */
START_TEST(many_workers)
{
    struct {
        StatusPool pool;
        StatusWorker workers[MANY];
    } *e = calloc(1, sizeof(*e));
    Buffer b = {0};
    char *text;
    size_t n_style, n_script;

    ck_assert_ptr_nonnull(e);
    e->pool = example_make().pool;
    e->pool.n_workers = MANY;
    for (uint32_t i = 0; i < MANY; i++)
        e->workers[i] = (StatusWorker){.pid = i,
                                       .board = {.state = WORKER_STATE_RUNNING,
                                                 .method = "GET",
                                                 .uri = "/a/path?of=some&length=of+text",
                                                 .script = "/srv/www/html/index.php"}};
    fill_history(HISTORY_SAMPLES, 1700093784);
    ck_assert_int_eq(dashboard_render(&b, &e->pool, e->workers, false, &history, gmtime_r), 0);
    (void)dashboard_style(&n_style);
    (void)dashboard_script(&n_script);
    ck_assert_uint_lt(b.size + n_style + n_script, 60000);
    text = buffer_steal(&b);
    ck_assert_ptr_nonnull(strstr(text, "3000 busy of 3000"));
    ck_assert_ptr_nonnull(strstr(text, "and 2950 more"));
    check_tree(text);
    free(text);
    free(e);
}
END_TEST

static const char *const hostile[] = {
    "</td><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "<!-- ",
    "</title>",
    "&lt;script&gt;",
    "\xff\xfe<\xc3",
    "\x1b[2J\r\n\x01\x7f",
    "' onclick='alert(1)",
};

/* Wherever a text can stand. */
START_TEST(hostile_texts)
{
    Example e = example_make();
    const char *evil = hostile[_i];
    _cleanup_free_ char *plain = render(&e, true, NULL), *text = NULL;

    snprintf(e.pool.name, sizeof(e.pool.name), "%s", evil);
    snprintf(e.pool.state, sizeof(e.pool.state), "%.23s", evil);
    snprintf(e.pool.status_text, sizeof(e.pool.status_text), "%s", evil);
    snprintf(e.pool.runtime_version, sizeof(e.pool.runtime_version), "%s", evil);
    snprintf(e.pool.sandbox, sizeof(e.pool.sandbox), "%s", evil);
    snprintf(e.pool.request_user, sizeof(e.pool.request_user), "%s", evil);
    for (size_t i = 0; i < EXAMPLE_WORKERS; i++) {
        BoardSlot *slot = &e.workers[i].board;

        snprintf(slot->method, sizeof(slot->method), "%.15s", evil);
        snprintf(slot->uri, sizeof(slot->uri), "%s", evil);
        snprintf(slot->script, sizeof(slot->script), "%s", evil);
    }
    text = render(&e, true, NULL);
    check_tree(text);
    check_policy(text);
    ck_assert_uint_eq(count(text, "<"), count(plain, "<"));
    ck_assert_uint_eq(count(text, "\""), count(plain, "\""));
    for (const char *p = text; *p; p++)
        ck_assert(*p == '\n' || ((unsigned char)*p >= 0x20 && *p != 0x7f));
}
END_TEST

START_TEST(last_hour)
{
    Example e = example_make();
    _cleanup_free_ char *text = NULL;
    const char *samples;
    char first[64];

    fill_history(HISTORY_SAMPLES, now_sec(&e));
    text = render(&e, false, &history);
    check_tree(text);
    samples = strstr(text, "data-samples=\"");
    ck_assert_ptr_nonnull(samples);
    snprintf(first, sizeof(first), "data-samples=\"%" PRIu64 ",10000,20,0,3,",
             history.samples[0].time_sec);
    ck_assert_int_eq(strncmp(samples, first, strlen(first)), 0);
    ck_assert_uint_eq(count(samples, ";10,10000,20,"), HISTORY_SAMPLES - 1);
    /* Five minutes: 2 requests/s, 15 errors, at most 7 active. */
    ck_assert_uint_eq(count(text, "<td>2.00</td><td>15</td><td>7</td><td>0</td><td>1.00 ms</td>"
                                  "<td>20.0 ms</td><td>300 ms</td>"),
                      12);
}
END_TEST

/* What is older than an hour, or of a clock that was put back, is in no row. */
START_TEST(past_of_other_times)
{
    Example e = example_make();
    _cleanup_free_ char *old = NULL, *coming = NULL, *none = NULL;

    fill_history(5, now_sec(&e) - 7200);
    old = render(&e, false, &history);
    ck_assert_ptr_nonnull(strstr(old, "<tbody id=\"past-rows\" data-live>\n</tbody>"));
    fill_history(5, now_sec(&e) + 86400);
    coming = render(&e, false, &history);
    ck_assert_ptr_nonnull(strstr(coming, "<tbody id=\"past-rows\" data-live>\n</tbody>"));
    history.n = UINT32_MAX; /* bounded, whoever made it */
    none = render(&e, false, &history);
    ck_assert_uint_le(count(none, ";"), HISTORY_SAMPLES * 2);
}
END_TEST

/* A pool whose figures are absurd. */
START_TEST(extremes)
{
    Example e = example_make();
    StatusPool pool = e.pool;
    _cleanup_free_ char *text = NULL;

    memset(&e.pool.mode, 0xff, sizeof(e.pool) - offsetof(StatusPool, mode));
    e.pool.n_workers = 0;
    memcpy(e.pool.sandbox, pool.sandbox, sizeof(e.pool.sandbox));
    memcpy(e.pool.request_user, pool.request_user, sizeof(e.pool.request_user));
    text = render(&e, true, NULL);
    check_tree(text);
    ck_assert_ptr_nonnull(strstr(text, "unknown"));
    ck_assert_ptr_nonnull(strstr(text, "OPcache"));
    ck_assert_ptr_nonnull(strstr(text, "No workers."));
}
END_TEST

static Suite *dashboard_suite(void)
{
    Suite *s = suite_create("dashboard");
    TCase *c = tcase_create("page");

    tcase_add_test(c, page);
    tcase_add_test(c, workers_that_do_something);
    tcase_add_test(c, longest_request_first);
    tcase_add_test(c, many_workers);
    tcase_add_loop_test(c, hostile_texts, 0, ARRAY_SIZE(hostile));
    tcase_add_test(c, last_hour);
    tcase_add_test(c, past_of_other_times);
    tcase_add_test(c, extremes);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(dashboard_suite)
