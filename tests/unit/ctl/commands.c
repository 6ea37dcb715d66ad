/*
 * The verbs of fpmctl that ask managers, against managers of our own.
 */

#include "fpmctl.h"
#include "../status/example.h"
#include "board/trace.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

static void set_up(void)
{
    server_init(&server);
}

static void tear_down(void)
{
    server_done(&server);
}

START_TEST(status_running)
{
    Example e = example_make();
    ControlReply reply = {.version = CONTROL_VERSION};

    server_start(&server, "www", CONTROL_STATUS, &reply, &e, sizeof(e));
    ck_assert_int_eq(run(WORDS("status", "www", "--full", "-o", "json")), 0);
    assert_has(output, "\"pool\": \"www\"");
    assert_has(output, "\"workers\": [");
}
END_TEST

START_TEST(status_stopped)
{
    server_write(&server, "www.conf", good_file());
    ck_assert_int_eq(run(WORDS("status", "www")), 3);
    assert_has(errors, "www: not running");
    ck_assert_int_eq(run(WORDS("status", "www", "-o", "json")), 3);
    assert_has(output, "\"state\": \"stopped\"");
    ck_assert_int_eq(run(WORDS("status", "none")), 4);
    assert_has(errors, "none: there is no such pool: no none.conf in ");
    ck_assert_int_eq(run(WORDS("status", "none", "-o", "json")), 4);
}
END_TEST

START_TEST(status_other_version)
{
    Example e = example_make();
    ControlReply reply = {.version = CONTROL_VERSION};

    e.pool.version++;
    server_start(&server, "www", CONTROL_STATUS, &reply, &e, sizeof(e));
    ck_assert_int_eq(run(WORDS("status", "www")), 4);
    assert_has(errors, "another version");
}
END_TEST

START_TEST(status_without_snapshot)
{
    ControlReply reply = {.version = CONTROL_VERSION};

    server_start(&server, "www", CONTROL_STATUS, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("status", "www")), 4);
    ck_assert_str_ne(errors, "");
}
END_TEST

START_TEST(status_refused)
{
    ControlReply reply = {.version = CONTROL_VERSION, .result = -EPERM, .text = "not for you"};

    server_start(&server, "www", CONTROL_STATUS, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("status", "www")), 4);
    assert_has(errors, "www: not permitted: not for you");
}
END_TEST

START_TEST(reload_done)
{
    ControlReply reply = {.version = CONTROL_VERSION, .text = "generation 2"};

    server_start(&server, "www", CONTROL_RELOAD, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("reload", "www")), 0);
    assert_has(output, "www: generation 2\n");
}
END_TEST

START_TEST(reload_refused)
{
    ControlReply reply = {.version = CONTROL_VERSION, .result = -EINVAL, .text = "www.conf:3: pm"};

    server_start(&server, "www", CONTROL_RELOAD, &reply, NULL, 0);
    server_write(&server, "other.conf", good_file());
    ck_assert_int_eq(run(WORDS("reload", "other", "none", "www")), 1);
    assert_has(errors, "other: not running");
    assert_has(errors, "none: there is no such pool");
    assert_has(errors, "www: refused: www.conf:3: pm\n");
    ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(reload_all)
{
    ControlReply good = {.version = CONTROL_VERSION, .text = "reloaded, generation 4"};
    ControlReply bad = {.version = CONTROL_VERSION, .result = -EINVAL, .text = "shop.conf:3: pm"};
    ControlReply mute = {.version = CONTROL_VERSION};

    ck_assert_int_eq(run(WORDS("reload", "--all")), 0);
    ck_assert_str_eq(output, "no pool is running\n");
    server_start(&server, "www", CONTROL_RELOAD, &good, NULL, 0);
    server_start(&server, "shop", CONTROL_RELOAD, &bad, NULL, 0);
    server_start(&server, "blog", CONTROL_RELOAD, &mute, NULL, 0);
    /* its manager has gone without removing it */
    server_start(&server, "gone", CONTROL_RELOAD, &good, NULL, 0);
    server_stop(&server);
    ck_assert_int_eq(run(WORDS("reload", "--all")), 1);
    ck_assert_str_eq(errors, "fpmctl: shop: refused: shop.conf:3: pm\n");
    ck_assert_str_eq(output, "blog: reloaded\nwww: reloaded, generation 4\n"
                             "3 pools: 2 reloaded, 1 not: shop\n");
}
END_TEST

START_TEST(reexec)
{
    ControlReply good = {.version = CONTROL_VERSION, .text = "runs fpmd 2"};
    ControlReply old = {.version = CONTROL_VERSION, .result = -EOPNOTSUPP, .text = "what?"};

    server_start(&server, "old", CONTROL_REEXEC, &old, NULL, 0);
    server_start(&server, "www", CONTROL_REEXEC, &good, NULL, 0);
    ck_assert_int_eq(run(WORDS("reexec", "www", "old")), 1);
    ck_assert_str_eq(output, "www: runs fpmd 2\n");
    assert_has(errors, "old: its manager is of another version and does not know this request: "
                       "systemctl restart fpmd@old\n");
}
END_TEST

START_TEST(opcache_reset)
{
    ControlReply reply = {.version = CONTROL_VERSION, .text = "reloaded, generation 2"};

    server_start(&server, "www", CONTROL_RELOAD, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("opcache", "reset", "www")), 0);
    ck_assert_str_eq(output, "a pool gets an empty opcode cache with a new generation: reloading\n"
                             "www: reloaded, generation 2\n");
}
END_TEST

START_TEST(opcache_status)
{
    Example e = example_make();
    ControlReply reply = {.version = CONTROL_VERSION};

    e.pool.opcache = (BoardOpcache){.seen_usec = 0};
    server_start(&server, "blind", CONTROL_STATUS, &reply, &e, sizeof(e));
    ck_assert_int_eq(run(WORDS("opcache", "blind", "status")), 0);
    assert_has(output, "opcode cache: not known: there is none, or no worker has looked yet\n");
    e.pool.opcache = (BoardOpcache){.seen_usec = 1,
                                    .used_bytes = 3 << 19,
                                    .hits = 300,
                                    .misses = 100,
                                    .scripts = 7,
                                    .restarts = 2};
    server_start(&server, "www", CONTROL_STATUS, &reply, &e, sizeof(e));
    ck_assert_int_eq(run(WORDS("opcache", "status", "www")), 0);
    assert_has(output, "         memory used: 1.5 MB\n");
    assert_has(output, "             scripts: 7\n");
    assert_has(output, "            hit rate: 75.0 %\n");
    server_start(&server, "json", CONTROL_STATUS, &reply, &e, sizeof(e));
    ck_assert_int_eq(run(WORDS("opcache", "json", "status", "-o", "json")), 0);
    assert_has(output, "{\n  \"pool\": \"www\",\n  \"generation\": 3,\n  \"known\": true,\n");
    assert_has(output, "  \"restarts\": 2,\n  \"hit_rate\": 0.750\n}\n");
}
END_TEST

START_TEST(outcomes_for_programs)
{
    ControlReply good = {.version = CONTROL_VERSION, .text = "reloaded, generation 4"};
    ControlReply bad = {.version = CONTROL_VERSION, .result = -EINVAL, .text = "a \"b\""};

    ck_assert_int_eq(run(WORDS("reopen", "--all", "-o", "json")), 0);
    ck_assert_str_eq(output, "[]\n");
    server_start(&server, "www", CONTROL_RELOAD, &good, NULL, 0);
    server_start(&server, "shop", CONTROL_RELOAD, &bad, NULL, 0);
    ck_assert_int_eq(run(WORDS("opcache", "shop", "www", "reset", "-o", "json")), 1);
    ck_assert_str_eq(output,
                     "[\n  {\"pool\": \"shop\", \"done\": false, \"text\": \"shop: refused: a "
                     "\\\"b\\\"\"},\n  {\"pool\": \"www\", \"done\": true, \"text\": \"reloaded, "
                     "generation 4\"}\n]\n");
}
END_TEST

START_TEST(reopen)
{
    ControlReply reply = {.version = CONTROL_VERSION};

    server_start(&server, "www", CONTROL_REOPEN, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("reopen", "www")), 0);
    ck_assert_str_eq(output, "www: files of logs opened anew\n");
}
END_TEST

START_TEST(metrics)
{
    Example e = example_make();
    ControlReply reply = {.version = CONTROL_VERSION};

    server_start(&server, "www", CONTROL_STATUS, &reply, &e, sizeof(e));
    ck_assert_int_eq(run(WORDS("metrics", "www")), 0);
    assert_has(output, "phpfpm_");
    server_write(&server, "off.conf", good_file());
    ck_assert_int_eq(run(WORDS("metrics", "off")), 3);
    assert_has(errors, "off: not running");
    ck_assert_int_eq(run(WORDS("metrics", "none")), 4);
    assert_has(errors, "none: there is no such pool");
}
END_TEST

/* What a template has left in the area of a trace. */
static int make_trace(int result, uint32_t method, const char *text)
{
    int fd = trace_create(&(TraceArea){.pid = 100});
    TraceArea *a = mmap(NULL, TRACE_AREA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    ck_assert_ptr_ne(a, MAP_FAILED);
    a->result = result;
    a->method = method;
    a->cost_usec = 42;
    a->size = (uint32_t)strlen(text);
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        a->n_frames++;
    memcpy((char *)a + TRACE_TEXT_AT, text, strlen(text));
    munmap(a, TRACE_AREA_SIZE);
    return fd;
}

static const char stack[] = "0x7f0000000010\tShop->total()\t/srv/www/shop.php:12\n"
                            "0x7f0000000020\t{main}\t\n";

static void serve_trace(const char *pool, int error, int fd)
{
    Example e = example_make();
    ControlReply reply = {.version = CONTROL_VERSION};

    server.also = CONTROL_TRACE;
    server.also_reply =
        (ControlReply){.version = CONTROL_VERSION, .result = error, .text = "busy with others"};
    server.also_fd = fd;
    server_start(&server, pool, CONTROL_STATUS, &reply, &e, sizeof(e));
    if (fd >= 0)
        close(fd);
}

START_TEST(trace)
{
    serve_trace("www", 0, make_trace(0, TRACE_METHOD_INTERRUPT, stack));
    ck_assert_int_eq(run(WORDS("trace", "www", "100")), 0);
    ck_assert_str_eq(output, "worker 100, GET /index.php?a=\"b\", for 0.000s, /srv/www/index.php\n"
                             "told by the worker itself, which took 42 us\n"
                             "#0   Shop->total()  /srv/www/shop.php:12\n"
                             "#1   {main}\n");
    serve_trace("json", 0, make_trace(0, TRACE_METHOD_READ, stack));
    ck_assert_int_eq(run(WORDS("trace", "json", "100", "-o", "json")), 0);
    assert_has(output, "\"pid\": 100,\n  \"method\": \"read\",\n");
    assert_has(output, "  \"frames\": [\n    {\"function\": \"Shop->total()\", \"file\": "
                       "\"/srv/www/shop.php\", \"line\": 12},\n    {\"function\": \"{main}\", "
                       "\"file\": null, \"line\": null}\n  ]\n}\n");
}
END_TEST

START_TEST(trace_of_none)
{
    serve_trace("www", 0, -1);
    ck_assert_int_eq(run(WORDS("trace", "www", "77")), 1);
    assert_has(errors, "www: 77 is no worker of this pool; it has 100, 101\n");
    serve_trace("gone", 0, make_trace(-ESRCH, TRACE_METHOD_NONE, ""));
    ck_assert_int_eq(run(WORDS("trace", "gone", "100")), 1);
    assert_has(errors, "gone: worker 100: it is gone, or runs no script\n");
    serve_trace("deny", -EPERM, -1);
    ck_assert_int_eq(run(WORDS("trace", "deny", "100")), 1);
    assert_has(errors, "deny: not permitted: busy with others\n");
    serve_trace("empty", 0, -1);
    ck_assert_int_eq(run(WORDS("trace", "empty", "100")), 1);
    assert_has(errors, "empty: worker 100: the call stack that came made no sense");
    ck_assert_int_eq(run(WORDS("trace", "none", "100")), 4);
}
END_TEST

/* It is no service of this machine's systemd, so that there are no units to stop. */
START_TEST(drain)
{
    ControlReply reply = {.version = CONTROL_VERSION, .text = "drained"};
    ControlReply refused = {.version = CONTROL_VERSION, .result = -ESHUTDOWN, .text = "stopping"};

    server.argument = 1500 * USEC_PER_MSEC;
    server_start(&server, "www", CONTROL_DRAIN, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("drain", "--quiet=1500ms", "--keep-socket", "www")), 0);
    assert_has(output, "until none has come for 1.5s\n");
    assert_has(output, "www: drained; the next connection starts it again\n");
    server.argument = 10 * USEC_PER_SEC;
    server_start(&server, "shop", CONTROL_DRAIN, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("drain", "shop")), 0);
    assert_has(output, "shop: drained, and about to end\n");
    server.argument = 1;
    server_start(&server, "blog", CONTROL_DRAIN, &refused, NULL, 0);
    ck_assert_int_eq(run(WORDS("drain", "blog", "--quiet=0")), 1);
    assert_has(errors, "blog: refused: stopping\n");
    ck_assert_int_eq(run(WORDS("drain", "none")), 1);
    assert_has(errors, "none: there is no such pool");
}
END_TEST

START_TEST(manager_hangs_up)
{
    server_start(&server, "www", CONTROL_RELOAD, NULL, NULL, 0);
    ck_assert_int_eq(run(WORDS("reload", "www")), 1);
    assert_has(errors, "www: the manager has gone without an answer; journalctl -u fpmd@www ");
    server_start(&server, "shop", CONTROL_STATUS, NULL, NULL, 0);
    ck_assert_int_eq(run(WORDS("status", "shop")), 4);
    assert_has(errors, "shop: the manager has gone without an answer");
}
END_TEST

/* With User= of the service a script may answer. */
START_TEST(answers_are_one_line_without_control_characters)
{
    ControlReply reply = {.version = CONTROL_VERSION, .text = "ok\033]0;PWN\a\nwww: reloaded"};

    server_start(&server, "www", CONTROL_RELOAD, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("reload", "www")), 0);
    ck_assert_str_eq(output, "www: ok?]0;PWN??www: reloaded\n");
}
END_TEST

START_TEST(status_is_not_waited_for_long)
{
    ControlReply reply = {.version = CONTROL_VERSION};

    /* It answers no question for the status. */
    server_start(&server, "www", CONTROL_RELOAD, &reply, NULL, 0);
    ck_assert_int_eq(run(WORDS("status", "www")), 4);
    assert_has(errors, "timed out");
}
END_TEST

static Suite *commands_suite(void)
{
    Suite *s = suite_create("ctl/commands");
    TCase *tc = tcase_create("commands");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, status_running);
    tcase_add_test(tc, status_stopped);
    tcase_add_test(tc, status_other_version);
    tcase_add_test(tc, status_without_snapshot);
    tcase_add_test(tc, status_refused);
    tcase_add_test(tc, reload_done);
    tcase_add_test(tc, reload_refused);
    tcase_add_test(tc, reload_all);
    tcase_add_test(tc, reexec);
    tcase_add_test(tc, opcache_reset);
    tcase_add_test(tc, opcache_status);
    tcase_add_test(tc, outcomes_for_programs);
    tcase_add_test(tc, reopen);
    tcase_add_test(tc, metrics);
    tcase_add_test(tc, trace);
    tcase_add_test(tc, trace_of_none);
    tcase_add_test(tc, drain);
    tcase_add_test(tc, manager_hangs_up);
    tcase_add_test(tc, answers_are_one_line_without_control_characters);
    tcase_add_test(tc, status_is_not_waited_for_long);
    tcase_set_timeout(tc, 15);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(commands_suite)
