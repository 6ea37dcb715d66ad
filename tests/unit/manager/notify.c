#include "base/fd.h"
#include "manager/notify.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct sockaddr_un address;

static int listen_as_systemd(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/fpmd-notify-test-%d", (int)getpid());
    unlink(address.sun_path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    return fd;
}

START_TEST(message_arrives)
{
    char text[256];
    int fd = listen_as_systemd();
    Notifier n;
    ssize_t size;

    ck_assert_int_eq(notifier_init(&n), 0);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    ck_assert_int_eq(notifier_send(&n, "READY=1\nSTATUS=%u idle", 5), 0);
    size = recv(fd, text, sizeof(text), 0);
    ck_assert_int_eq(size, 21);
    ck_assert_int_eq(memcmp(text, "READY=1\nSTATUS=5 idle", 21), 0);
    notifier_done(&n);
    unlink(address.sun_path);
    close(fd);
}
END_TEST

/* Words of a runtime are in it, and PID 1 believes what the manager says. */
START_TEST(a_status_is_one_line)
{
    char text[256];
    int fd = listen_as_systemd();
    Notifier n;
    ssize_t size;

    ck_assert_int_eq(notifier_init(&n), 0);
    ck_assert_int_eq(notifier_status(&n, "Cannot start: %s", "no\nMAINPID=1\r\x1b"), 0);
    size = recv(fd, text, sizeof(text), 0);
    ck_assert_int_eq(size, 35);
    ck_assert_int_eq(memcmp(text, "STATUS=Cannot start: no MAINPID=1  ", 35), 0);
    notifier_done(&n);
    unlink(address.sun_path);
    close(fd);
}
END_TEST

/* A systemd that does not read must not stop the manager. */
START_TEST(never_blocks)
{
    int fd = listen_as_systemd(), r = 0;
    Notifier n;

    ck_assert_int_eq(notifier_init(&n), 0);
    for (int i = 0; i < 100000 && r == 0; i++)
        r = notifier_send(&n, "STATUS=%d", i);
    ck_assert_int_eq(r, -EAGAIN);
    notifier_done(&n);
    unlink(address.sun_path);
    close(fd);
}
END_TEST

START_TEST(nobody_listens)
{
    Notifier n;

    unsetenv("NOTIFY_SOCKET");
    ck_assert_int_eq(notifier_init(&n), 0);
    ck_assert_int_eq(notifier_send(&n, "READY=1"), 0);
    notifier_done(&n);

    setenv("NOTIFY_SOCKET", "relative", 1);
    ck_assert_int_eq(notifier_init(&n), -EINVAL);
}
END_TEST

static Suite *notify_suite(void)
{
    Suite *s = suite_create("manager/notify");
    TCase *t = tcase_create("all");

    tcase_add_test(t, message_arrives);
    tcase_add_test(t, a_status_is_one_line);
    tcase_add_test(t, never_blocks);
    tcase_add_test(t, nobody_listens);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(notify_suite)
