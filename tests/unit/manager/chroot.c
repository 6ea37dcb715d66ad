/* The process that changes a root, without a template. */
#include "manager/chroot.h"
#include "base/exit_status.h"
#include "base/fd.h"
#include "../run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT(t) ((char *)(uintptr_t)(t))

static const Confinement nothing = {.rlimit_files = RLIMIT_KEEP, .rlimit_core = RLIMIT_KEEP};

static int on_nothing(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    return 0;
}

/* A changer that says that its template has the pid 4711. */
static void start(Changer *c, const char *root, const char *directory)
{
    const ChrootAnswer answer = {.step = CHROOT_CLONE, .template_pid = 4711};
    int peer;

    *c = (Changer){.fd = -1};
    ck_assert_int_eq(chroot_open(c, &peer), 0);
    c->pid = fork();
    if (c->pid == 0) {
        close(c->fd);
        chroot_tell(peer, &answer);
        chroot_serve(peer, &nothing, root, directory);
    }
    close(peer);
    ck_assert_int_eq(chroot_wait_template(c), 4711);
}

static void wait_answer(const Changer *c, ChrootAnswer *ret)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    ck_assert_int_eq(poll(&p, 1, 5000), 1);
    ck_assert_int_eq(chroot_read(c, ret), 0);
}

static int end_of(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

typedef struct Case {
    const char *root, *directory;
    ChrootAnswer answer;
} Case;

static const Case cases[] = {
    {"/", "/", {CHROOT_DIRECTORY, 0, 0}},
    {"/usr", "/lib", {CHROOT_DIRECTORY, 0, 0}},
    {"/usr", "/usr/lib", {CHROOT_DIRECTORY, ENOENT, 0}},
    {"/nonexistent", "/", {CHROOT_ROOT, ENOENT, 0}},
    {"/etc/passwd", "/", {CHROOT_ROOT, ENOTDIR, 0}},
};

START_TEST(it_changes_and_tells)
{
    const Case *c = &cases[_i];
    sd_event *event = NULL;
    ChrootAnswer answer;
    Changer changer;

    if (geteuid() != 0)
        return;
    ck_assert_int_ge(sd_event_new(&event), 0);
    start(&changer, c->root, c->directory);
    ck_assert_int_eq(chroot_read(&changer, &answer), -EAGAIN);
    ck_assert_int_eq(chroot_order(&changer, event, on_nothing, NULL), 0);
    wait_answer(&changer, &answer);
    ck_assert_int_eq(answer.step, c->answer.step);
    ck_assert_int_eq(answer.error, c->answer.error);
    ck_assert_int_eq(end_of(changer.pid) == 0, c->answer.error == 0);
    changer.pid = 0;
    chroot_done(&changer);
    ck_assert_int_eq(changer.fd, -1);
    sd_event_unref(event);
}
END_TEST

/* Without root there is no capability to keep: the answer waits for the word. */
START_TEST(it_tells_what_it_cannot)
{
    ChrootAnswer answer;
    Changer changer;

    if (geteuid() == 0)
        ck_assert_int_eq(setuid(65534), 0);
    start(&changer, "/", "/");
    wait_answer(&changer, &answer);
    ck_assert_int_eq(answer.step, CHROOT_CONFINE);
    ck_assert_int_eq(answer.error, EPERM);
    ck_assert_int_eq(WEXITSTATUS(end_of(changer.pid)), EXIT_STATUS_CAPABILITIES);
    changer.pid = 0;
    chroot_done(&changer);
}
END_TEST

START_TEST(it_ends_with_its_manager)
{
    Changer changer;

    if (geteuid() != 0)
        return;
    start(&changer, "/", "/");
    changer.fd = fd_close(changer.fd);
    ck_assert_int_eq(end_of(changer.pid), 0);
}
END_TEST

START_TEST(its_death_is_seen)
{
    ChrootAnswer answer;
    Changer changer;

    if (geteuid() != 0)
        return;
    start(&changer, "/", "/");
    kill(changer.pid, SIGKILL);
    end_of(changer.pid);
    changer.pid = 0;
    ck_assert_int_eq(chroot_read(&changer, &answer), -EPIPE);
    chroot_done(&changer);
}
END_TEST

START_TEST(done_ends_it)
{
    Changer changer;
    pid_t pid;

    if (geteuid() != 0)
        return;
    start(&changer, "/", "/");
    pid = changer.pid;
    chroot_done(&changer);
    ck_assert_int_eq(changer.pid, 0);
    end_of(pid);
    chroot_done(&changer); /* once more does nothing */
}
END_TEST

static void expect_reason(const ChrootAnswer *answer, const char *dir, const char *part)
{
    PoolConfig c = {.name = TEXT("www"), .chroot = TEXT("/srv/jail"), .chdir = TEXT(dir)};
    char text[512];

    chroot_reason(&c, answer, text, sizeof(text));
    ck_assert_msg(strstr(text, part), "%s: no \"%s\"", text, part);
}

START_TEST(reasons)
{
    expect_reason(&(ChrootAnswer){.step = CHROOT_ROOT, .error = EPERM}, NULL,
                  "SystemCallFilter=chroot");
    expect_reason(&(ChrootAnswer){.step = CHROOT_ROOT, .error = EPERM}, NULL, "'fpmctl apply www'");
    expect_reason(&(ChrootAnswer){.step = CHROOT_ROOT, .error = EACCES}, NULL,
                  "cannot make /srv/jail its root: Permission denied");
    expect_reason(&(ChrootAnswer){.step = CHROOT_DIRECTORY, .error = ENOENT}, "/www",
                  "chdir: the user of the pool cannot enter /www below /srv/jail: No such file");
    expect_reason(&(ChrootAnswer){.step = CHROOT_DIRECTORY, .error = EACCES}, NULL,
                  "chroot: the user of the pool cannot enter / below /srv/jail");
    expect_reason(&(ChrootAnswer){.step = CHROOT_CONFINE, .error = EPERM}, NULL,
                  "could not be confined");
}
END_TEST

static Suite *chroot_suite(void)
{
    Suite *s = suite_create("manager/chroot");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, it_changes_and_tells, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, it_tells_what_it_cannot);
    tcase_add_test(t, it_ends_with_its_manager);
    tcase_add_test(t, its_death_is_seen);
    tcase_add_test(t, done_ends_it);
    tcase_add_test(t, reasons);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(chroot_suite)
