#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int journal = -1; /* the journal's end */
static int sender = -1;  /* what the logger is given */

static void open_with(const char *pool, size_t ring_bytes)
{
    const LogOptions options = {.identifier = "test",
                                .pool = pool,
                                .max_priority = LOG_DEBUG,
                                .journal_fd = sender,
                                .ring_bytes = ring_bytes};

    ck_assert_int_eq(log_open(&options), 0);
}

static void setup(void)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    journal = fds[0];
    sender = fds[1];
    fd_set_nonblock(journal, true);
    /* No test may hang in a send. */
    alarm(10);
}

static void teardown(void)
{
    log_close();
    journal = fd_close(journal);
    sender = fd_close(sender);
}

static char datagram[LOG_RECORD_MAX + 1];

/* The next record with a NUL, or -1. Large ones come as a file. */
static ssize_t receive(void)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = datagram, .iov_len = sizeof(datagram) - 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(journal, &message, 0);
    const struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

    if (header) {
        _cleanup_fd_ int file = -1;

        ck_assert_int_eq(n, 0);
        memcpy(&file, CMSG_DATA(header), sizeof(file));
        n = pread(file, datagram, sizeof(datagram) - 1, 0);
    }
    datagram[n < 0 ? 0 : n] = 0;
    return n;
}

START_TEST(exact_bytes)
{
    static const char expected[] = "PRIORITY=3\n"
                                   "SYSLOG_IDENTIFIER=test\n"
                                   "POOL=www\n"
                                   "MESSAGE_ID=9c46bc7e7740411182b32403ce3378a2\n"
                                   "WORKER_PID=17\n"
                                   "EMPTY=\n"
                                   "MESSAGE=worker 17 has exited\n";
    LogRecord r;

    open_with("www", 0);
    log_record_begin(&r, LOG_ERR, LOG_MESSAGE_WORKER_EXITED);
    log_record_field(&r, "WORKER_PID", "%d", 17);
    log_record_field(&r, "EMPTY", "%s", "");
    log_record_send(&r, "worker %d has exited\n", 17);
    ck_assert(!r.cut);
    ck_assert_int_eq(receive(), (int)sizeof(expected) - 1);
    ck_assert_str_eq(datagram, expected);
    ck_assert_int_eq(receive(), -1);
}
END_TEST

START_TEST(without_pool_and_id)
{
    open_with(NULL, 0);
    log_info("hello");
    receive();
    ck_assert_str_eq(datagram, "PRIORITY=6\nSYSLOG_IDENTIFIER=test\nMESSAGE=hello\n");
    log_set_pool("blog");
    log_info("hello");
    receive();
    ck_assert_str_eq(datagram, "PRIORITY=6\nSYSLOG_IDENTIFIER=test\nPOOL=blog\nMESSAGE=hello\n");
}
END_TEST

/* Length-prefixed, so that a value cannot add fields of its own. */
START_TEST(newlines_in_values)
{
    static const char expected[] = "PRIORITY=6\nSYSLOG_IDENTIFIER=test\n"
                                   "URI\n\x0c\0\0\0\0\0\0\0/\nPRIORITY=0\n"
                                   "MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n";
    LogRecord r;

    open_with(NULL, 0);
    log_record_begin(&r, LOG_INFO, LOG_MESSAGE_NONE);
    log_record_field(&r, "URI", "%s", "/\nPRIORITY=0");
    log_record_send(&r, "a\nb\n\n");
    ck_assert_int_eq(receive(), (int)sizeof(expected) - 1);
    ck_assert_mem_eq(datagram, expected, sizeof(expected) - 1);
}
END_TEST

START_TEST(long_values_are_cut)
{
    static char text[3 * LOG_RECORD_MAX];
    LogRecord r;
    ssize_t n;

    /* Two-byte characters at odd and even offsets: never half of one. */
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    open_with(NULL, 0);
    for (int odd = 0; odd < 2; odd++) {
        log_record_begin(&r, LOG_INFO, LOG_MESSAGE_NONE);
        log_record_field(&r, "URI", "%s%s", odd ? "/" : "", text);
        log_record_field(&r, "LOST", "no room for this");
        log_record_send(&r, "%s", text);
        ck_assert(r.cut);
        n = receive();
        ck_assert_int_gt(n, LOG_RECORD_MAX - 16);
        ck_assert_int_le(n, LOG_RECORD_MAX);
        ck_assert_str_eq(datagram + n - 6, "\xc3\xa9\xe2\x80\xa6\n");
        ck_assert_ptr_nonnull(strstr(datagram, "\xc3\xa9\xe2\x80\xa6\nMESSAGE=\xc3\xa9"));
        ck_assert_ptr_null(strstr(datagram, "LOST"));
    }
}
END_TEST

/* Up to the limit nothing is lost, wherever the value lies and whatever came before. */
START_TEST(long_values_are_whole)
{
    static const size_t sizes[] = {4000, 8191, 8192, 8193, 30000, 48 * 1024, 500000};
    static char text[500001];
    LogRecord r;

    memset(text, 'x', sizeof(text) - 1);
    open_with("www", 0);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        const char *field, *end;

        log_record_begin(&r, LOG_INFO, LOG_MESSAGE_NONE);
        log_record_field(&r, "BEFORE", "%d", (int)i);
        log_record_field(&r, "BIG", "%.*s", (int)sizes[i], text);
        log_record_field(&r, "AFTER", "%d", (int)i);
        log_record_send(&r, "%.*s", (int)sizes[i], text);
        ck_assert(!r.cut);
        ck_assert_ptr_null(r.grown);
        ck_assert_int_gt(receive(), (int)(2 * sizes[i]));
        ck_assert(strncmp(datagram, "PRIORITY=6\n", 11) == 0);
        field = strstr(datagram, "\nBIG=");
        ck_assert_ptr_nonnull(field);
        end = strstr(field, "\nAFTER=");
        ck_assert_uint_eq((size_t)(end - field), strlen("\nBIG=") + sizes[i]);
        field = strstr(end, "\nMESSAGE=");
        ck_assert_uint_eq(strlen(field), strlen("\nMESSAGE=\n") + sizes[i]);
    }
    ck_assert_uint_eq(log_dropped(), 0);
}
END_TEST

/* More than a socket's buffer would hold of them as datagrams. */
START_TEST(many_large_records_find_room)
{
    static char text[100001];

    memset(text, 'x', sizeof(text) - 1);
    open_with(NULL, 0);
    for (int i = 0; i < 8; i++)
        log_info("%s", text);
    ck_assert_uint_eq(log_dropped(), 0);
    for (int i = 0; i < 8; i++)
        ck_assert_int_gt(receive(), 100000);
}
END_TEST

START_TEST(cut_value_with_newline)
{
    static char text[2 * LOG_RECORD_MAX];
    uint64_t length;
    const char *p;
    ssize_t n;

    memset(text, 'x', sizeof(text) - 1);
    text[1] = '\n';
    open_with(NULL, 0);
    log_info("%s", text);
    n = receive();
    ck_assert_int_eq(n, LOG_RECORD_MAX);
    p = strstr(datagram, "MESSAGE\n");
    ck_assert_ptr_nonnull(p);
    memcpy(&length, p + 8, sizeof(length));
    ck_assert_ptr_eq(p + 8 + 8 + length + 1, datagram + n);
    ck_assert_str_eq(datagram + n - 4, "\xe2\x80\xa6\n");
}
END_TEST

START_TEST(priorities_are_filtered)
{
    open_with(NULL, 0);
    log_set_max_priority(LOG_NOTICE);
    log_info("no");
    log_debug("no");
    ck_assert_int_eq(receive(), -1);
    log_notice("yes");
    ck_assert_int_gt(receive(), 0);
    log_set_max_priority(LOG_DEBUG);
    log_debug("yes");
    ck_assert_int_gt(receive(), 0);
}
END_TEST

START_TEST(errno_is_kept)
{
    open_with(NULL, 0);
    errno = ENOENT;
    log_error("%m");
    ck_assert_int_eq(errno, ENOENT);
    receive();
    ck_assert_ptr_nonnull(strstr(datagram, "MESSAGE=No such file or directory\n"));
}
END_TEST

/* Sends until the queue is full; returns how many it took. */
static int fill(void)
{
    int n = 0;

    while (send(sender, "x", 1, MSG_DONTWAIT) == 1)
        n++;
    return n;
}

static void drain(int n)
{
    while (n-- > 0)
        ck_assert_int_eq(receive(), 1);
}

START_TEST(ring_keeps_order)
{
    int filled;

    open_with(NULL, 4096);
    filled = fill();
    log_info("one");
    log_info("two");
    ck_assert(log_flush());
    ck_assert_uint_eq(log_dropped(), 0);
    drain(filled);
    /* What waits goes first. */
    log_info("three");
    ck_assert(!log_flush());
    for (int i = 0; i < 3; i++) {
        static const char *const texts[] = {"MESSAGE=one\n", "MESSAGE=two\n", "MESSAGE=three\n"};

        receive();
        ck_assert_ptr_nonnull(strstr(datagram, texts[i]));
    }
    ck_assert_int_eq(receive(), -1);
}
END_TEST

START_TEST(flush_without_new_records)
{
    int filled;

    open_with(NULL, 4096);
    ck_assert(!log_flush());
    filled = fill();
    log_info("one");
    drain(filled);
    ck_assert(!log_flush());
    receive();
    ck_assert_ptr_nonnull(strstr(datagram, "MESSAGE=one\n"));
}
END_TEST

START_TEST(full_ring_drops_and_tells)
{
    int filled, kept = 0;

    open_with("www", 300);
    filled = fill();
    for (int i = 0; i < 20; i++)
        log_info("record %d", i);
    ck_assert_uint_gt(log_dropped(), 10);
    ck_assert_uint_lt(log_dropped(), 20);
    ck_assert(log_flush());
    drain(filled);
    ck_assert(!log_flush());
    while (receive() > 0 && strstr(datagram, "MESSAGE=record"))
        kept++;
    ck_assert_uint_eq((uint64_t)kept + log_dropped(), 20);
    ck_assert_ptr_nonnull(strstr(datagram, "MESSAGE_ID=01b4b9a1256949f7997c036f1ba3d06d\n"));
    ck_assert_ptr_nonnull(strstr(datagram, "PRIORITY=4\n"));
    ck_assert_int_eq(atoi(strstr(datagram, "MESSAGE=") + 8), (int)log_dropped());
    /* Told once, and soon after not again: the counts would take the place of records. */
    log_info("later");
    receive();
    ck_assert_ptr_nonnull(strstr(datagram, "MESSAGE=later\n"));
    ck_assert_int_eq(receive(), -1);
    filled = fill();
    for (int i = 0; i < 20; i++)
        log_info("record %d", i);
    drain(filled);
    log_flush();
    while (receive() > 0)
        ck_assert_ptr_null(strstr(datagram, "dropped"));
}
END_TEST

START_TEST(no_ring_drops_at_once)
{
    int filled;

    open_with(NULL, 0);
    filled = fill();
    log_info("lost");
    ck_assert_uint_eq(log_dropped(), 1);
    drain(filled);
    log_info("later");
    receive();
    ck_assert_ptr_nonnull(strstr(datagram, "MESSAGE=1 records were dropped"));
    receive();
    ck_assert_ptr_nonnull(strstr(datagram, "MESSAGE=later\n"));
}
END_TEST

START_TEST(forgetting_is_not_dropping)
{
    int filled;

    open_with(NULL, 4096);
    filled = fill();
    log_info("the parent's");
    log_forget();
    drain(filled);
    ck_assert(!log_flush());
    ck_assert_int_eq(receive(), -1);
    ck_assert_uint_eq(log_dropped(), 0);
}
END_TEST

/* A journal that is gone: counted, never a spin of the caller that waits for "writable". */
START_TEST(closed_journal_drops)
{
    int filled;

    open_with(NULL, 4096);
    filled = fill();
    ck_assert_int_gt(filled, 0);
    log_info("in the ring");
    journal = fd_close(journal);
    ck_assert(!log_flush());
    log_info("lost");
    ck_assert_uint_eq(log_dropped(), 2);
}
END_TEST

START_TEST(large_records_go_as_files)
{
    static char text[12000];
    char control[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header;
    _cleanup_free_ char *content = NULL;
    _cleanup_fd_ int file = -1;
    int size = 4608; /* about the least that the kernel grants */

    memset(text, 'x', sizeof(text) - 1);
    ck_assert_int_eq(setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    size = 0;
    open_with(NULL, 0);
    do {
        size += 1000;
        log_info("%.*s", size, text);
        message.msg_controllen = sizeof(control);
        ck_assert_int_ge(recvmsg(journal, &message, 0), 0);
    } while (!CMSG_FIRSTHDR(&message) && size < (int)sizeof(text) - 1);
    header = CMSG_FIRSTHDR(&message);
    if (!header)
        ck_abort_msg("no file came");
    memcpy(&file, CMSG_DATA(header), sizeof(file));
    ck_assert_int_eq(fcntl(file, F_GET_SEALS),
                     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    ck_assert_int_eq(fd_read_all(file, 100000, &content, NULL), 0);
    ck_assert(strncmp(content, "PRIORITY=6\n", 11) == 0);
    ck_assert_ptr_nonnull(strstr(content, "MESSAGE=xxx"));
    ck_assert_uint_eq(log_dropped(), 0);
}
END_TEST

/* ---- stderr ---- */

static int stderr_end = -1;

/* The logger without a journal; what it writes is read from a pipe. */
static void open_stderr(void)
{
    int fds[2];
    const LogOptions options = {
        .identifier = "test", .pool = "www", .max_priority = LOG_DEBUG, .journal_fd = -1};

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    close(fds[1]);
    stderr_end = fds[0];
    fd_set_nonblock(stderr_end, true);
    unsetenv("JOURNAL_STREAM");
    ck_assert_int_eq(log_open(&options), 0);
    ck_assert_int_eq(log_journal_fd(), -1);
}

static void expect_stderr(const char *expected)
{
    static char text[65536];
    ssize_t n = read(stderr_end, text, sizeof(text) - 1);

    ck_assert_int_ge(n, 0);
    text[n] = 0;
    ck_assert_str_eq(text, expected);
}

START_TEST(stderr_has_lines)
{
    open_stderr();
    log_info("caf\xc3\xa9\n");
    expect_stderr("test[www]: caf\xc3\xa9\n");
    log_set_pool(NULL);
    log_text(LOG_ERR, LOG_MESSAGE_CONFIG_ERROR, "bad\tfile");
    expect_stderr("test: bad\tfile\n");
}
END_TEST

START_TEST(stderr_lines_cannot_be_forged)
{
    open_stderr();
    log_info("a\ntest[www]: b\r\x1b[2J\xff\xc2\x9b");
    expect_stderr("test[www]: a\\ntest[www]: b\\x0d\\x1b[2J\\xff\\xc2\\x9b\n");
}
END_TEST

START_TEST(stderr_long_lines_are_whole)
{
    static char text[3 * LOG_RECORD_FIRST], expected[4 * LOG_RECORD_FIRST];

    memset(text, 'x', sizeof(text) - 1);
    open_stderr();
    log_info("%s", text);
    snprintf(expected, sizeof(expected), "test[www]: %s\n", text);
    expect_stderr(expected);
}
END_TEST

START_TEST(stderr_never_blocks)
{
    static char waste[1 << 20];
    char text[512];
    ssize_t n;

    open_stderr();
    ck_assert_int_gt(fcntl(STDERR_FILENO, F_SETPIPE_SZ, 16384), 0);
    for (int i = 0; i < 2000; i++)
        log_info("line %d", i);
    ck_assert_uint_gt(log_dropped(), 0);
    ck_assert_int_gt(read(stderr_end, waste, sizeof(waste)), 0);
    log_info("later");
    n = read(stderr_end, text, sizeof(text) - 1);
    ck_assert_int_gt(n, 0);
    text[n] = 0;
    ck_assert_ptr_nonnull(strstr(text, "records were dropped"));
    ck_assert_ptr_nonnull(strstr(text, "\ntest[www]: later\n"));
}
END_TEST

/* A stderr that is a stream socket, as under systemd, but not the one that JOURNAL_STREAM names. */
START_TEST(other_stream_is_not_the_journal)
{
    const LogOptions options = {.identifier = "test", .max_priority = LOG_DEBUG, .journal_fd = -1};
    char stream[64], text[64] = "";
    struct stat st;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1);
    ck_assert_int_eq(log_open(&options), 0);
    ck_assert_int_eq(log_journal_fd(), -1);
    log_info("hello");
    ck_assert_int_eq(read(fds[0], text, sizeof(text) - 1), 12);
    ck_assert_str_eq(text, "test: hello\n");
}
END_TEST

static Suite *log_suite(void)
{
    Suite *s = suite_create("log/log");
    TCase *t = tcase_create("journal"), *e = tcase_create("stderr");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, exact_bytes);
    tcase_add_test(t, without_pool_and_id);
    tcase_add_test(t, newlines_in_values);
    tcase_add_test(t, long_values_are_cut);
    tcase_add_test(t, long_values_are_whole);
    tcase_add_test(t, many_large_records_find_room);
    tcase_add_test(t, cut_value_with_newline);
    tcase_add_test(t, priorities_are_filtered);
    tcase_add_test(t, errno_is_kept);
    tcase_add_test(t, ring_keeps_order);
    tcase_add_test(t, flush_without_new_records);
    tcase_add_test(t, full_ring_drops_and_tells);
    tcase_add_test(t, no_ring_drops_at_once);
    tcase_add_test(t, forgetting_is_not_dropping);
    tcase_add_test(t, closed_journal_drops);
    tcase_add_test(t, large_records_go_as_files);
    suite_add_tcase(s, t);
    tcase_add_test(e, stderr_has_lines);
    tcase_add_test(e, stderr_lines_cannot_be_forged);
    tcase_add_test(e, stderr_long_lines_are_whole);
    tcase_add_test(e, stderr_never_blocks);
    tcase_add_test(e, other_stream_is_not_the_journal);
    suite_add_tcase(s, e);
    return s;
}

TEST_MAIN(log_suite)
