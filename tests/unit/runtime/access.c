#include "base/clock.h"
#include "base/fd.h"
#include "pair.h"
#include "whole_worker.h"
#include "../run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char path[] = "/tmp/test-access-XXXXXX";
static char content[256 * 1024];

static void set_up_file(void)
{
    set_up_without_park(); /* on a busy machine a connection would be given away */
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    spec.access_fd = mkostemp(path, O_APPEND | O_CLOEXEC);
    ck_assert_int_ge(spec.access_fd, 0);
    spec.access_format = "%r %s %n";
}

static void tear_down_file(void)
{
    tear_down();
    unlink(path);
}

static const char *read_file(const char *name)
{
    _cleanup_fd_ int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, content, sizeof(content) - 1);

    ck_assert_int_ge(n, 0);
    content[n] = 0;
    return content;
}

/* Waits until the file says that. */
static void expect_file(const char *name, const char *text)
{
    uint64_t end_usec = clock_monotonic_usec() + 5 * USEC_PER_SEC;

    while (strcmp(read_file(name), text) != 0 && clock_monotonic_usec() < end_usec)
        usleep(5000);
    ck_assert_str_eq(read_file(name), text);
}

/* A request that is left out of the file: a worker that has answered it has done all that was
 * before. */
static void serve_quiet(void)
{
    static const char *const head[] = {"DO", "ping", "REQUEST_METHOD", "GET", NULL};
    Pair p = {.peer = client()};
    Buffer b = {0};

    fcgi_client_begin(&b, 1, FCGI_RESPONDER, 0);
    fcgi_client_params(&b, 1, head);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    pair_send(&p, &b);
    expect_answer(p.peer, "worker");
    close(p.peer);
}

/* Before the worker starts. */
static void leave_quiet_ones_out(void)
{
    static const char *quiet[] = {"ping"};

    spec.access_suppress = quiet;
    spec.n_access_suppress = ARRAY_SIZE(quiet);
}

/* Waits until the worker, at rest, has found that so many lines cannot be written; it tells with
 * the next request. */
static void expect_dropped(uint64_t n)
{
    uint64_t end_usec = clock_monotonic_usec() + 10 * USEC_PER_SEC;

    do {
        usleep(200000);
        serve_quiet();
    } while (slot->records_dropped < n && clock_monotonic_usec() < end_usec);
    ck_assert_uint_ge(slot->records_dropped, n);
}

static void serve_one(const char *order)
{
    int fd = client();

    ask(fd, order, 0);
    expect_answer(fd, "worker");
    close(fd);
}

START_TEST(written_when_idle)
{
    ready(0);
    serve_one("hello");
    serve_one("missing");
    expect_file(path, "hello 200 test\nmissing 404 test\n");
    serve_one("again");
    expect_file(path, "hello 200 test\nmissing 404 test\nagain 200 test\n");
    ck_assert_uint_eq(slot->records_dropped, 0);
}
END_TEST

START_TEST(written_at_the_end)
{
    ready(0);
    serve_one("hello");
    tell_leave();
    expect_end();
    ck_assert_str_eq(read_file(path), "hello 200 test\n");
}
END_TEST

/* Without a pause: in pieces of some size, and not one write for each request. */
START_TEST(written_when_there_are_many)
{
    static char order[1001];
    struct stat st;
    size_t pieces = 0;
    off_t before = 0;

    ready(0);
    memset(order, 'x', sizeof(order) - 1);
    for (size_t i = 0; i < 200; i++) {
        serve_one(order);
        ck_assert_int_eq(stat(path, &st), 0);
        pieces += st.st_size != before;
        before = st.st_size;
    }
    /* 200 KB in pieces of 32; a slow machine makes a pause of 100 ms now and then. */
    ck_assert_uint_ge(pieces, 5);
    ck_assert_uint_lt(pieces, 100);
    tell_leave();
    expect_end();
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 200 * (1000 + 10));
}
END_TEST

START_TEST(longer_than_the_buffer)
{
    static char order[60001];

    ready(0);
    serve_one("first");
    memset(order, 'x', sizeof(order) - 1);
    serve_one(order);
    serve_one("end");
    tell_leave();
    expect_end();
    read_file(path);
    ck_assert_mem_eq(content, "first 200 test\nxxxx", 19);
    ck_assert_str_eq(content + 15 + 60000, " 200 test\nend 200 test\n");
}
END_TEST

START_TEST(some_are_left_out)
{
    static const char *quiet[] = {"/no", "ping"};

    /* Without a method it is no GET. */
    spec.access_suppress = quiet;
    spec.n_access_suppress = 2;
    ready(0);
    serve_one("ping");
    for (int i = 0; i < 5; i++) {
        static const char *const heads[][9] = {
            {"DO", "ping", "REQUEST_METHOD", "GET", NULL},
            {"DO", "ping", "REQUEST_METHOD", "HEAD", NULL},
            {"DO", "ping", "REQUEST_METHOD", "GET", "QUERY_STRING", "a", NULL},
            {"DO", "ping", "REQUEST_METHOD", "GET", "CONTENT_LENGTH", "1", NULL},
            {"DO", "pin", "REQUEST_METHOD", "GET", NULL},
        };
        Pair p = {.peer = client()};
        Buffer b = {0};

        fcgi_client_begin(&b, 1, FCGI_RESPONDER, 0);
        fcgi_client_params(&b, 1, heads[i]);
        fcgi_client_stream_end(&b, FCGI_STDIN, 1);
        pair_send(&p, &b);
        expect_answer(p.peer, "worker");
        close(p.peer);
    }
    tell_leave();
    expect_end();
    ck_assert_str_eq(read_file(path),
                     "ping 200 test\nping 200 test\nping 200 test\npin 200 test\n");
}
END_TEST

/* The worker goes on in the new file; the line that it had is there. */
START_TEST(opened_anew)
{
    char other[] = "/tmp/test-access-XXXXXX";
    LinkMessage reopen = {.type = LINK_REOPEN};
    int fd = mkostemp(other, O_APPEND | O_CLOEXEC);

    ready(0);
    serve_one("one");
    expect_file(path, "one 200 test\n");
    ck_assert_int_eq(link_send(life_line, &reopen, &fd, 1), 0);
    close(fd);
    serve_one("two");
    serve_one("three");
    expect_file(other, "two 200 test\nthree 200 test\n");
    ck_assert_str_eq(read_file(path), "one 200 test\n");
    unlink(other);
}
END_TEST

/* A pipe that nobody reads keeps no request waiting; what it does not take is counted, and what it
 * takes is whole lines. */
START_TEST(a_full_pipe)
{
    int ends[2];
    size_t n = 0;
    ssize_t got;

    close(spec.access_fd);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_ge(fcntl(ends[0], F_SETPIPE_SZ, 4096), 4096);
    spec.access_fd = ends[1];
    leave_quiet_ones_out();
    ready(0);
    for (int i = 0; i < 1000; i++)
        serve_one("hello");
    expect_dropped(100);
    while ((got = read(ends[0], content + n, sizeof(content) - n)) > 0)
        n += (size_t)got;
    ck_assert_uint_gt(n, 0);
    ck_assert_uint_eq(n % strlen("hello 200 test\n"), 0);
    ck_assert_uint_le(slot->records_dropped + n / strlen("hello 200 test\n"), 1000);
}
END_TEST

/* A disk that is full in the middle of a line: the next one has its own again. */
START_TEST(a_full_disk)
{
    struct rlimit before, limit;

    /* What it complains of shall not meet the limit as well. */
    ck_assert_ptr_nonnull(freopen("/dev/null", "a", stderr));
    /* Of the worker alone: check writes files too. */
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    leave_quiet_ones_out();
    limit = (struct rlimit){50, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ready(0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    for (int i = 0; i < 5; i++)
        serve_one("hello");
    expect_dropped(2);
    ck_assert_str_eq(read_file(path), "hello 200 test\nhello 200 test\nhello 200 test\nhello");
    ck_assert_uint_eq(slot->records_dropped, 2);
    ck_assert_int_eq(truncate(path, 20), 0);
    serve_one("hello");
    serve_one("again");
    expect_file(path, "hello 200 test\nhello\nhello 200 test\nagain 200 test");
}
END_TEST

START_TEST(off)
{
    spec.access_format = NULL;
    ready(0);
    serve_one("hello");
    tell_leave();
    expect_end();
    ck_assert_str_eq(read_file(path), "");
}
END_TEST

/* ---- figures of the loop ---- */

START_TEST(memory_is_shown)
{
    uint64_t first, begin_usec = clock_monotonic_usec(), end_usec;

    ready(0);
    first = slot->resident_bytes;
    ck_assert_uint_gt(first, 0);
    serve_one("eat");
    if (clock_monotonic_usec() - begin_usec < USEC_PER_SEC)
        ck_assert_uint_eq(slot->resident_bytes, first); /* no second look within a second */
    usleep(1100000);
    serve_one("hello");
    end_usec = clock_monotonic_usec() + 5 * USEC_PER_SEC;
    while (slot->resident_bytes == first && clock_monotonic_usec() < end_usec)
        usleep(1000);
    ck_assert_uint_gt(slot->resident_bytes, first + (32u << 20));
}
END_TEST

static Suite *access_suite(void)
{
    Suite *s = suite_create("runtime/access");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up_file, tear_down_file);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, written_when_idle);
    tcase_add_test(t, written_at_the_end);
    tcase_add_test(t, written_when_there_are_many);
    tcase_add_test(t, longer_than_the_buffer);
    tcase_add_test(t, some_are_left_out);
    tcase_add_test(t, opened_anew);
    tcase_add_test(t, a_full_pipe);
    tcase_add_test(t, a_full_disk);
    tcase_add_test(t, off);
    tcase_add_test(t, memory_is_shown);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(access_suite)
