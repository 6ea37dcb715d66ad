#include "example.h"
#include "status/render.h"
#include "../run.h"

#include <ctype.h>
#include <stdio.h>

static char *render(const Example *e, StatusFormat format, bool full)
{
    _cleanup_buffer_ Buffer b = {0};
    char *text;

    ck_assert_int_eq(status_render(&b, format, &e->pool, e->workers, full), 0);
    text = buffer_steal(&b);
    ck_assert_ptr_nonnull(text);
    return text;
}

/* ---- a strict reader of JSON (RFC 8259), that only says whether it is ---- */

static const char *skip_value(const char *p);

static const char *skip_blanks(const char *p)
{
    return p ? p + strspn(p, " \t\r\n") : NULL;
}

static const char *skip_string(const char *p)
{
    if (*p++ != '"')
        return NULL;
    for (; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            return NULL;
        if (*p != '\\')
            continue;
        p++;
        if (*p == 'u' && (strspn(p + 1, "0123456789abcdefABCDEF") < 4))
            return NULL;
        if (!*p || !strchr("\"\\/bfnrtu", *p))
            return NULL;
    }
    return p + 1;
}

static const char *skip_list(const char *p, char end, bool keys)
{
    p = skip_blanks(p + 1);
    if (*p == end)
        return p + 1;
    for (;;) {
        if (keys) {
            p = skip_blanks(skip_string(p));
            if (!p || *p++ != ':')
                return NULL;
        }
        p = skip_blanks(skip_value(skip_blanks(p)));
        if (!p)
            return NULL;
        if (*p == end)
            return p + 1;
        if (*p++ != ',')
            return NULL;
        p = skip_blanks(p);
    }
}

static const char *skip_number(const char *p)
{
    size_t n = strspn(p, "0123456789");

    if (n == 0 || (n > 1 && *p == '0'))
        return NULL;
    p += n;
    if (*p != '.')
        return p;
    n = strspn(p + 1, "0123456789");
    return n > 0 ? p + 1 + n : NULL;
}

static const char *skip_value(const char *p)
{
    if (!p)
        return NULL;
    if (*p == '{')
        return skip_list(p, '}', true);
    if (*p == '[')
        return skip_list(p, ']', false);
    return *p == '"' ? skip_string(p) : skip_number(p);
}

static void assert_json(const char *text)
{
    const char *end = skip_blanks(skip_value(text));

    ck_assert_msg(end && !*end, "not JSON: %s", text);
}

static void assert_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no '%s' in:\n%s", part, text);
}

START_TEST(json_short)
{
    Example e = example_make();
    _cleanup_free_ char *text = render(&e, STATUS_JSON, false);

    assert_json(text);
    assert_has(text, "\"pool\": \"www\",");
    assert_has(text, "\"mode\": \"ondemand\",");
    assert_has(text, "\"requests\": 18446744073709551615,");
    assert_has(text, "\"requests_per_second\": 12.450,");
    assert_has(text, "\"uptime_usec\": 93784000000,");
    assert_has(text, "\"sandbox_moot\": [\"landlock\", \"securebits\"]");
    assert_has(text, "\"max_requests\": 0,");
    assert_has(text, "\"opcache_hits\": 17,");
    assert_has(text, "\"requests_server_error\": 3,");
    assert_has(text, "\"latency\": [{\"at_most_usec\": 250, \"requests\": 0}, ");
    assert_has(text, "{\"at_most_usec\": 5000, \"requests\": 4}, ");
    assert_has(text, ", {\"requests\": 0}],");
    ck_assert_ptr_null(strstr(text, "workers\":"));
}
END_TEST

START_TEST(json_full)
{
    Example e = example_make();
    _cleanup_free_ char *text = render(&e, STATUS_JSON, true);

    assert_json(text);
    assert_has(text, "\"workers\": [\n    {\"pid\": 100,");
    assert_has(text, "\"state\": \"running\",");
    assert_has(text, "\"cpu_usec\": 1234, \"cpu_permille\": 55, \"resident_bytes\": 2097152,");
    assert_has(text, "\"request_id\": \"abc\",");
    assert_has(text, "\"uri\": \"/index.php?a=\\\"b\\\"\"}");
    assert_has(text, "\"uri\": \"/\\u001b[2J\\ufffd\"}");
}
END_TEST

START_TEST(json_no_workers)
{
    Example e = example_make();
    _cleanup_free_ char *text = NULL;

    e.pool.n_workers = 0;
    e.pool.moot = 0;
    text = render(&e, STATUS_JSON, true);
    assert_json(text);
    assert_has(text, "\"workers\": []");
    assert_has(text, "\"sandbox_moot\": []");
}
END_TEST

static Example with_generations(void)
{
    Example e = example_make();

    e.pool.parked = 11;
    e.pool.shed = 12;
    e.pool.abandoned = 13;
    e.pool.read_timeouts = 14;
    e.pool.stopped = 15;
    e.pool.ended = 16;
    e.pool.reloads = 17;
    e.pool.reloads_refused = 18;
    e.pool.emergency_restarts = 19;
    e.workers[0].generation = 4;
    e.workers[1].generation = 2;
    return e;
}

START_TEST(json_generations)
{
    Example e = with_generations();
    _cleanup_free_ char *text = render(&e, STATUS_JSON, false), *none = NULL;

    assert_json(text);
    assert_has(text, "\"other_generations\": [{\"generation\": 2, \"state\": \"leaving\", "
                     "\"pids\": [101]}, {\"generation\": 4, \"state\": \"starting\", "
                     "\"pids\": [100]}]\n");
    assert_has(text, "\"connections_parked\": 11,");
    assert_has(text, "\"connections_shed\": 12,");
    assert_has(text, "\"requests_abandoned\": 13,");
    assert_has(text, "\"read_timeouts\": 14,");
    assert_has(text, "\"scripts_stopped\": 15,");
    assert_has(text, "\"workers_ended\": 16,");
    assert_has(text, "\"reloads\": 17,");
    assert_has(text, "\"reloads_refused\": 18,");
    assert_has(text, "\"emergency_restarts\": 19,");
    e = example_make();
    none = render(&e, STATUS_JSON, true);
    assert_json(none);
    assert_has(none, "\"other_generations\": [],\n  \"workers\"");
}
END_TEST

START_TEST(text_generations)
{
    Example e = with_generations();
    _cleanup_free_ char *text = NULL, *both = NULL;

    text = render(&e, STATUS_TEXT, false);
    assert_has(text, " generation: 3\n");
    assert_has(text, " generation: 2 (leaving): pid 101\n");
    assert_has(text, " generation: 4 (starting): pid 100\n");
    assert_has(text, " emergency restarts: 19\n");
    e.workers[0].generation = 2;
    both = render(&e, STATUS_TEXT, false);
    assert_has(both, " generation: 2 (leaving): pid 100 101\n");
    ck_assert_ptr_null(strstr(both, "starting):"));
}
END_TEST

/* Every byte in every text, and numbers that no enum has. */
START_TEST(json_any_bytes)
{
    Example e = example_make();
    _cleanup_free_ char *text = NULL;

    for (size_t i = 0; i < 255; i++)
        e.pool.status_text[i] = (char)(i + 1);
    for (size_t i = 0; i < sizeof(e.workers[0].board.uri) - 1; i++)
        e.workers[0].board.uri[i] = (char)(i * 7 % 255 + 1);
    e.pool.mode = UINT32_MAX;
    e.workers[0].board.state = 77;
    text = render(&e, STATUS_JSON, true);
    assert_json(text);
    assert_has(text, "\"mode\": \"unknown\"");
    assert_has(text, "\"state\": \"unknown\"");
}
END_TEST

START_TEST(text_short)
{
    Example e = example_make();
    _cleanup_free_ char *text = render(&e, STATUS_TEXT, false);

    assert_has(text, " pool: www\n");
    assert_has(text, " mode: ondemand\n");
    assert_has(text, " started: 2023-11-14T22:13:20Z\n");
    assert_has(text, " up for: 1d 2h\n");
    assert_has(text, "requests per second: 12.4\n");
    assert_has(text, " sandbox, moot: landlock, securebits\n");
    assert_has(text, " sandbox: no-new-privs seccomp\n");
    assert_has(text, " durations: 50 % 2.50 ms, 95 % 5.00 ms, 99 % 5.00 ms\n");
    assert_has(text, " max lifetime: 1h 0m\n");
    assert_has(text, " max memory: 64.0 MiB\n");
    assert_has(text, " opcache hits: 17\n");
    /* What is off has no line. */
    ck_assert_ptr_null(strstr(text, "opcache used"));
    ck_assert_ptr_null(strstr(text, "max requests"));
    ck_assert_ptr_null(strstr(text, "PID"));
}
END_TEST

START_TEST(text_full)
{
    Example e = example_make();
    _cleanup_free_ char *text = render(&e, STATUS_TEXT, true);

    assert_has(text, "\nPID     SLOT ");
    assert_has(text, "\n100     0    3   running   ");
    assert_has(text, " 1m 5s ");
    assert_has(text, " 1.50 ms ");
    assert_has(text, " 2.00 MiB ");
    assert_has(text, " /index.php?a=\"b\"\n");
    assert_has(text, " /?[2J?\n");
    for (const char *p = text; *p; p++)
        ck_assert(isprint((unsigned char)*p) || *p == '\n');
}
END_TEST

static Suite *render_suite(void)
{
    Suite *s = suite_create("status/render");
    TCase *tc = tcase_create("render");

    tcase_add_test(tc, json_short);
    tcase_add_test(tc, json_full);
    tcase_add_test(tc, json_no_workers);
    tcase_add_test(tc, json_any_bytes);
    tcase_add_test(tc, json_generations);
    tcase_add_test(tc, text_generations);
    tcase_add_test(tc, text_short);
    tcase_add_test(tc, text_full);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(render_suite)
