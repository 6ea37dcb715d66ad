#include "base/clock.h"
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
    output_identify(&output, 4711, 0, NULL);
}

static void put(const char *text, size_t n)
{
    ck_assert_int_eq(write(writer, text, n), (ssize_t)n);
    while (sd_event_run(event, 0) > 0)
        ;
}

static char record[OUTPUT_LINE_MAX + 1024];

/* The next record with a NUL; large ones come as a file. False: there is none. */
static bool next_record(void)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = record, .iov_len = sizeof(record) - 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(journal[1], &message, 0);
    const struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

    if (header) {
        _cleanup_fd_ int file = -1;

        memcpy(&file, CMSG_DATA(header), sizeof(file));
        n = pread(file, record, sizeof(record) - 1, 0);
    }
    record[MAX(n, 0)] = 0;
    return n > 0;
}

/* The next record's MESSAGE, "" for none. Messages with newlines would have another form; there are
 * none. */
static const char *next_message(void)
{
    char *message, *end;

    if (!next_record())
        return "";
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

/* The next record is this line of this request; id NULL: of none. */
static void expect(const char *text, const char *id, const char *uri)
{
    const char *field;
    char line[256];

    ck_assert_str_eq(next_message(), text);
    field = strstr(record, "REQUEST_ID=");
    ck_assert_msg(!!field == !!id, "%s", record);
    ck_assert(!!strstr(record, "REQUEST_URI=") == !!id);
    if (!id)
        return;
    snprintf(line, sizeof(line), "REQUEST_ID=%s\nREQUEST_URI=%s\n", id, uri);
    ck_assert_msg(strncmp(field, line, strlen(line)) == 0, "%s", record);
}

#define KEY UINT64_C(0x123456789abcdef0)

static void put_mark(uint64_t key, const char *id, const char *uri)
{
    char mark[MARK_MAX];
    size_t n = mark_format(key, id, uri, mark);

    put(mark, n);
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

START_TEST(long_lines_are_whole)
{
    static char text[OUTPUT_LINE_MAX + 2];

    memset(text, 'x', sizeof(text));
    text[OUTPUT_LINE_MAX] = '\n';
    put(text, OUTPUT_LINE_MAX + 1);
    ck_assert_uint_eq(strlen(next_message()), OUTPUT_LINE_MAX);
    /* That the line was at its limit does not make an empty one of its end. */
    ck_assert_str_eq(next_message(), "");
    text[OUTPUT_LINE_MAX] = 'x';
    text[OUTPUT_LINE_MAX + 1] = '\n';
    put(text, OUTPUT_LINE_MAX + 2);
    ck_assert_uint_eq(strlen(next_message()), OUTPUT_LINE_MAX);
    ck_assert_str_eq(next_message(), "x");
    put("next\n", 5);
    ck_assert_str_eq(next_message(), "next");
}
END_TEST

START_TEST(levels)
{
    static const struct {
        const char *line, *text;
        int priority;
    } lines[] = {
        {"plain", "plain", LOG_NOTICE},
        {"<3>bad", "bad", LOG_ERR},
        {"<7>detail", "detail", 7},
        {"<0>fire", "fire", LOG_CRIT},
        {"<8>no", "<8>no", 5},
        {"<33>no", "<33>no", 5},
        {"<3", "<3", 5},
        {"<3>\r", "", 0},
        {"x<3>", "x<3>", 5},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        char expected[32];

        put(lines[i].line, strlen(lines[i].line));
        put("\n", 1);
        ck_assert_str_eq(next_message(), lines[i].text);
        snprintf(expected, sizeof(expected), "PRIORITY=%d\n", lines[i].priority);
        if (*lines[i].text)
            ck_assert_msg(strncmp(record, expected, strlen(expected)) == 0, "%s", lines[i].line);
    }
}
END_TEST

/* log_level is for lines with a level of their own; what has none is always kept. */
START_TEST(levels_are_filtered)
{
    log_set_max_priority(LOG_ERR);
    put("<5>a\nb\n<3>c\n", 12);
    ck_assert_str_eq(next_message(), "b");
    ck_assert_str_eq(next_message(), "c");
    ck_assert_str_eq(next_message(), "");
}
END_TEST

START_TEST(zero_bytes_do_not_end_a_line)
{
    put("a\0b\0\n", 5);
    ck_assert_str_eq(next_message(), "a?b?");
}
END_TEST

START_TEST(marks_say_whose_lines_follow)
{
    output_identify(&output, 4711, KEY, NULL);
    put("before\n", 7);
    put_mark(KEY, "id 1", "/a?b=c d");
    put("one\ntwo\nopen", 12);
    put_mark(KEY, NULL, NULL);
    put("between\n", 8);
    put_mark(KEY, "2", "/\nREQUEST_ID=forged");
    put("three\n", 6);
    put_mark(KEY, "", "");
    put("four\n", 5);
    expect("before", NULL, NULL);
    expect("one", "id 1", "/a?b=c d");
    expect("two", "id 1", "/a?b=c d");
    expect("open", "id 1", "/a?b=c d");
    expect("between", NULL, NULL);
    expect("three", "2", "/ REQUEST_ID=forged");
    expect("four", "", "");
    ck_assert_str_eq(next_message(), "");
}
END_TEST

/* Wherever the reads cut it. */
START_TEST(marks_come_in_pieces)
{
    char text[MARK_MAX + 16] = "open";
    size_t n = 4 + mark_format(KEY, "id", "/uri", text + 4);

    output_identify(&output, 4711, KEY, NULL);
    for (size_t cut = 1; cut < n; cut++) {
        put(text, cut);
        put(text + cut, n - cut);
        put("line\n", 5);
        put_mark(KEY, NULL, NULL);
        expect("open", NULL, NULL);
        expect("line", "id", "/uri");
    }
}
END_TEST

/* One that stands at the end of the longest line is found, wherever its first byte is. */
START_TEST(marks_behind_long_lines)
{
    static char text[OUTPUT_LINE_MAX + MARK_MAX];

    output_identify(&output, 4711, KEY, NULL);
    for (size_t before = OUTPUT_LINE_MAX - 40; before <= OUTPUT_LINE_MAX + 2; before++) {
        size_t n = before + mark_format(KEY, "id", "/uri", text + before);

        memset(text, 'x', before);
        put(text, n);
        put("line\n", 5);
        put_mark(KEY, NULL, NULL);
        ck_assert_uint_eq(strlen(next_message()), MIN(before, (size_t)OUTPUT_LINE_MAX));
        if (before > OUTPUT_LINE_MAX)
            ck_assert_uint_eq(strlen(next_message()), before - OUTPUT_LINE_MAX);
        expect("line", "id", "/uri");
    }
}
END_TEST

/* What a visitor sends and a script passes on has another key. */
START_TEST(marks_cannot_be_guessed)
{
    output_identify(&output, 4711, KEY, NULL);
    put_mark(KEY + 1, "forged", "/forged");
    put("line\n", 5);
    ck_assert(next_record()); /* the mark is a line like others */
    expect("line", NULL, NULL);
    output_identify(&output, 4711, 0, NULL);
    put_mark(0, "forged", "/forged");
    put("line\n", 5);
    ck_assert(next_record());
    expect("line", NULL, NULL);
}
END_TEST

/* A line that no mark announced is of the request that the worker runs, or ran until now. */
START_TEST(without_a_mark_the_scoreboard_tells)
{
    const volatile BoardSlot *page;
    BoardSlot *slot;
    _cleanup_fd_ int fd = board_create(&page);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(board_attach(fd, &slot), 0);
    output_identify(&output, 4711, KEY, page);
    put("idle\n", 5);
    expect("idle", NULL, NULL);
    board_begin(slot);
    slot->requests = 1;
    slot->state = WORKER_STATE_RUNNING;
    slot->last_active_usec = clock_monotonic_usec() - 10 * USEC_PER_SEC;
    board_set_text(slot->request_id, sizeof(slot->request_id), "id", 2);
    board_set_text(slot->uri, sizeof(slot->uri), "/uri", 4);
    board_commit(slot);
    put("running\n", 8);
    expect("running", "id", "/uri");
    put_mark(KEY, "marked", "/marked");
    put("marked\n", 7);
    expect("marked", "marked", "/marked");
    put_mark(KEY, NULL, NULL);
    board_begin(slot);
    slot->state = WORKER_STATE_IDLE;
    board_commit(slot);
    put("long ago\n", 9);
    expect("long ago", NULL, NULL);
    board_begin(slot);
    slot->last_active_usec = clock_monotonic_usec();
    board_commit(slot);
    put("just now\n", 9);
    expect("just now", "id", "/uri");
    output_close(&output);
    board_unmap(page);
    board_unmap(slot);
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
    tcase_add_test(t, long_lines_are_whole);
    tcase_add_test(t, levels);
    tcase_add_test(t, levels_are_filtered);
    tcase_add_test(t, zero_bytes_do_not_end_a_line);
    tcase_add_test(t, marks_say_whose_lines_follow);
    tcase_add_test(t, marks_come_in_pieces);
    tcase_add_test(t, marks_behind_long_lines);
    tcase_add_test(t, marks_cannot_be_guessed);
    tcase_add_test(t, without_a_mark_the_scoreboard_tells);
    tcase_add_test(t, end_of_the_pipe);
    tcase_add_test(t, closing_is_bounded);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(output_suite)
