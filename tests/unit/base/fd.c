#include "base/buffer.h"
#include "base/fd.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(sealed_file_keeps_its_content)
{
    _cleanup_fd_ int fd = fd_make_sealed("test", "hello", 5);
    _cleanup_free_ char *text = NULL;
    size_t n = 0;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "x", 1), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(ftruncate(fd, 0), -1);
    ck_assert_int_eq(fd_read_all(fd, 100, &text, &n), 0);
    ck_assert_uint_eq(n, 5);
    ck_assert_str_eq(text, "hello");
}
END_TEST

START_TEST(reading_is_bounded)
{
    _cleanup_fd_ int fd = fd_make_sealed("test", "hello", 5);
    char *text = NULL;

    ck_assert_int_eq(fd_read_all(fd, 4, &text, NULL), -EFBIG);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(fd_read_file("/nonexistent/file", 10, &text, NULL), -ENOENT);
}
END_TEST

/* Descriptors that are in each other's way land where they should; everything behind is closed. */
START_TEST(arrange_permutes)
{
    int a = memfd_create("a", 0), b = memfd_create("b", 0);
    int status;
    pid_t pid;

    ck_assert_int_eq(write(a, "a", 1), 1);
    ck_assert_int_eq(write(b, "bb", 2), 2);
    pid = fork();
    if (pid == 0) {
        int fds[2], first = a < b ? a : b;

        fds[0] = b;
        fds[1] = a;
        if (fd_arrange(fds, 2, first) < 0)
            _exit(1);
        if (lseek(first, 0, SEEK_END) != 2 || lseek(first + 1, 0, SEEK_END) != 1)
            _exit(2);
        if (fcntl(first + 2, F_GETFD) >= 0 || fcntl(first, F_GETFD) != 0)
            _exit(3);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    close(a);
    close(b);
}
END_TEST

START_TEST(buffer_grows)
{
    Buffer b = {0};
    char *text;

    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(buffer_printf(&b, "%d,", i), 0);
    ck_assert_int_eq(buffer_append(&b, "end", 3), 0);
    text = buffer_steal(&b);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(strlen(text), 3893);
    ck_assert_str_eq(text + 3886, "999,end");
    ck_assert_uint_eq(b.size, 0);
    free(text);
}
END_TEST

static Suite *fd_suite(void)
{
    Suite *s = suite_create("base/fd");
    TCase *t = tcase_create("all");

    tcase_add_test(t, sealed_file_keeps_its_content);
    tcase_add_test(t, reading_is_bounded);
    tcase_add_test(t, arrange_permutes);
    tcase_add_test(t, buffer_grows);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(fd_suite)
