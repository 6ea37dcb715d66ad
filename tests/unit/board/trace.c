#include "base/fd.h"
#include "board/trace.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const TraceArea wish = {
    .number = 7, .pid = 1234, .depth = 20, .request_usec = 99, .result = -1, /* not of a wish */
};

/* What the template writes. */
static int make(const TraceArea *area, const char *text, size_t n)
{
    int fd = trace_create(&wish);
    TraceArea *mapped = NULL;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(trace_attach(fd, &mapped), 0);
    if (area)
        *mapped = *area;
    memcpy((char *)mapped + TRACE_TEXT_AT, text, n);
    munmap(mapped, TRACE_AREA_SIZE);
    return fd;
}

static char *read_back(const char *text, size_t n, TraceArea *ret)
{
    TraceArea area = {.version = TRACE_VERSION, .size = (uint32_t)n, .n_frames = 77};
    _cleanup_fd_ int fd = make(&area, text, n);
    char *got = NULL;

    ck_assert_int_eq(trace_read(fd, ret, &got), 0);
    return got;
}

START_TEST(fresh_area_is_the_wish)
{
    _cleanup_fd_ int fd = trace_create(&wish);
    _cleanup_free_ char *text = NULL;
    TraceArea area;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(trace_read(fd, &area, &text), 0);
    ck_assert_uint_eq(area.number, 7);
    ck_assert_int_eq(area.pid, 1234);
    ck_assert_uint_eq(area.depth, 20);
    ck_assert_uint_eq(area.request_usec, 99);
    ck_assert_int_eq(area.result, 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_lt(ftruncate(fd, 0), 0);
}
END_TEST

START_TEST(text_comes_back)
{
    static const char text[] = "0x1\tShop->total()\t/srv/caf\xc3\xa9.php:12\n0x2\t{main}\t\n";
    TraceArea area;
    _cleanup_free_ char *got = read_back(text, sizeof(text) - 1, &area);

    ck_assert_str_eq(got, text);
    ck_assert_uint_eq(area.n_frames, 2);
    ck_assert_uint_eq(area.size, sizeof(text) - 1);
}
END_TEST

START_TEST(hostile_text)
{
    static const char text[] = "a\x1b[2J\0b\xff\xe2\x80\xae\r\n\tx\nno end";
    TraceArea area;
    _cleanup_free_ char *got = read_back(text, sizeof(text) - 1, &area);

    ck_assert_str_eq(got, "a?[2J?b???\n\tx\n");
    ck_assert_uint_eq(area.n_frames, 2);
    ck_assert_uint_eq(area.size, strlen(got));
}
END_TEST

START_TEST(hostile_head)
{
    const TraceArea bad[] = {
        {.version = TRACE_VERSION + 1},
        {.version = TRACE_VERSION, .size = TRACE_TEXT_SIZE + 1},
        {.version = TRACE_VERSION, .size = UINT32_MAX},
        {.version = TRACE_VERSION, .method = _TRACE_METHOD_MAX},
    };
    const TraceArea odd = {.version = TRACE_VERSION, .result = 5, .size = TRACE_TEXT_SIZE};
    _cleanup_free_ char *text = NULL;
    TraceArea area;
    int fd;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        fd = make(&bad[i], "", 0);
        ck_assert_int_eq(trace_read(fd, &area, &text), -EBADMSG);
        close(fd);
    }
    fd = make(&odd, "", 0);
    ck_assert_int_eq(trace_read(fd, &area, &text), 0);
    ck_assert_int_eq(area.result, -EBADMSG);
    ck_assert_str_eq(text, "");
    close(fd);
}
END_TEST

START_TEST(other_files_are_refused)
{
    _cleanup_fd_ int unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    _cleanup_fd_ int small = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    _cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int fds[] = {unsealed, small, null};
    _cleanup_free_ char *text = NULL;
    TraceArea area, *mapped = NULL;

    ck_assert_int_eq(ftruncate(unsealed, TRACE_AREA_SIZE), 0);
    ck_assert_int_eq(ftruncate(small, 4096), 0);
    ck_assert_int_eq(fcntl(small, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        ck_assert_int_eq(trace_read(fds[i], &area, &text), -EBADMSG);
        ck_assert_int_eq(trace_attach(fds[i], &mapped), -EBADMSG);
    }
}
END_TEST

static Suite *trace_suite(void)
{
    Suite *s = suite_create("board/trace");
    TCase *t = tcase_create("area");

    tcase_add_test(t, fresh_area_is_the_wish);
    tcase_add_test(t, text_comes_back);
    tcase_add_test(t, hostile_text);
    tcase_add_test(t, hostile_head);
    tcase_add_test(t, other_files_are_refused);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(trace_suite)
