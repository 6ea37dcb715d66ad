#include "base/fd.h"
#include "manager/output.h"
#include "../run.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int journal[2];
static sd_event *event;
static Output output;
static int writer;

static void set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, journal), 0);
    log_open(&(LogOptions){
        .identifier = "test", .pool = "www", .max_priority = LOG_DEBUG, .journal_fd = journal[0]});
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(
        output_open(&output, event, "stderr", LOG_MESSAGE_WORKER_OUTPUT, LOG_NOTICE, 3, &writer),
        0);
    output.pid = 4711;
}

static void put(const char *text, size_t n)
{
    ck_assert_int_eq(write(writer, text, n), (ssize_t)n);
    while (sd_event_run(event, 0) > 0)
        ;
}

/* The next record's MESSAGE, "" for none. Messages with newlines would have another form; there are
 * none. */
static const char *next_message(void)
{
    static char record[LOG_RECORD_MAX + 1];
    ssize_t n = recv(journal[1], record, LOG_RECORD_MAX, 0);
    char *message, *end;

    if (n < 0)
        return "";
    record[n] = 0;
    ck_assert_ptr_nonnull(strstr(record, "WORKER_PID=4711\n"));
    ck_assert_ptr_nonnull(strstr(record, "GENERATION=3\n"));
    ck_assert_ptr_nonnull(strstr(record, "STREAM=stderr\n"));
    ck_assert_ptr_nonnull(strstr(record, "POOL=www\n"));
    message = strstr(record, "MESSAGE=");
    ck_assert_ptr_nonnull(message);
    end = strchr(message, '\n');
    if (end)
        *end = 0;
    return message + strlen("MESSAGE=");
}

START_TEST(lines_are_records)
{
    put("one\ntwo\r\n\nthr", 13);
    ck_assert_str_eq(next_message(), "one");
    ck_assert_str_eq(next_message(), "two");
    ck_assert_str_eq(next_message(), "");
    put("ee", 2);
    ck_assert_str_eq(next_message(), "");
    put("!\nrest", 6);
    ck_assert_str_eq(next_message(), "three!");
    output_close(&output);
    ck_assert_str_eq(next_message(), "rest");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    static char text[3 * OUTPUT_LINE_MAX / 2 + 1];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    put(text, sizeof(text));
    ck_assert_uint_eq(strlen(next_message()), OUTPUT_LINE_MAX);
    ck_assert_uint_eq(strlen(next_message()), OUTPUT_LINE_MAX / 2);
    ck_assert_str_eq(next_message(), "");
    put("next\n", 5);
    ck_assert_str_eq(next_message(), "next");
}
END_TEST

START_TEST(end_of_the_pipe)
{
    put("last words", 10);
    close(writer);
    while (sd_event_run(event, 0) > 0)
        ;
    ck_assert_str_eq(next_message(), "last words");
    ck_assert_int_eq(output.fd, -1);
    ck_assert_ptr_null(output.source);
}
END_TEST

/* One who writes faster than we read does not keep a closing manager busy for ever. */
START_TEST(closing_is_bounded)
{
    _cleanup_free_ char *flood = malloc(60000);

    memset(flood, '\n', 60000);
    ck_assert_int_eq(write(writer, flood, 60000), 60000);
    output_close(&output);
    ck_assert_int_eq(output.fd, -1);
}
END_TEST

static Suite *output_suite(void)
{
    Suite *s = suite_create("manager/output");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, lines_are_records);
    tcase_add_test(t, long_lines_are_cut);
    tcase_add_test(t, end_of_the_pipe);
    tcase_add_test(t, closing_is_bounded);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(output_suite)
