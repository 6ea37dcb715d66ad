#include "base/clock.h"
#include "base/fd.h"
#include "link/message.h"
#include "runtime/ask.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int manager_end, worker_end;

static void set_up(void)
{
    int pair[2];

    ck_assert_int_eq(link_pair(pair), 0);
    manager_end = pair[0];
    worker_end = pair[1];
    ask_init(worker_end, false);
}

static void answer(const char *text)
{
    LinkMessage m = {.type = LINK_STATUS};
    int fd = fd_make_sealed("answer", text, strlen(text));

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(link_send(manager_end, &m, &fd, 1), 0);
    close(fd);
}

/* Waits for a question. 1, or 0 at the end of the file. */
static int question(void)
{
    LinkMessage m;
    pid_t pid = 0;
    int r;

    do
        r = link_receive(manager_end, 0, &m, NULL, 0, NULL, &pid);
    while (r == -EAGAIN);
    if (r == 1) {
        ck_assert_uint_eq(m.type, LINK_STATUS);
        ck_assert_int_eq(pid, getpid());
    }
    return r;
}

static void *answer_once(void *text)
{
    question();
    answer(text);
    return NULL;
}

static void *close_line(void *unused)
{
    question();
    manager_end = fd_close(manager_end);
    return NULL;
}

static pthread_t start(void *(*f)(void *), const char *text)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, f, (void *)(uintptr_t)text), 0);
    return thread;
}

static void expect(int fd, const char *text)
{
    char buffer[64] = "";

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(pread(fd, buffer, sizeof(buffer) - 1, 0), (ssize_t)strlen(text));
    ck_assert_str_eq(buffer, text);
    close(fd);
}

START_TEST(the_answer_arrives)
{
    pthread_t thread = start(answer_once, "snapshot");

    expect(ask_status(NULL), "snapshot");
    pthread_join(thread, NULL);
    ck_assert_int_eq(ask_read_orders(), 0);
}
END_TEST

START_TEST(silence_ends_after_a_second)
{
    uint64_t begin_usec = clock_monotonic_usec(), took_usec;

    ck_assert_int_eq(ask_status(NULL), -ETIMEDOUT);
    took_usec = clock_monotonic_usec() - begin_usec;
    ck_assert_uint_ge(took_usec, USEC_PER_SEC);
    ck_assert_uint_lt(took_usec, 2 * USEC_PER_SEC);
}
END_TEST

/* What came too late is not taken for the next answer, and is no end of the line. */
START_TEST(a_late_answer_is_thrown_away)
{
    pthread_t thread;

    answer("late");
    answer("later");
    ck_assert_int_eq(ask_read_orders(), 0);
    answer("late again");
    thread = start(answer_once, "right");
    expect(ask_status(NULL), "right");
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(told_to_leave_meanwhile)
{
    pthread_t thread = start(close_line, NULL);

    ck_assert_int_eq(ask_status(NULL), -EPIPE);
    pthread_join(thread, NULL);
    /* The loop of the worker sees it as well. */
    ck_assert_int_eq(ask_read_orders(), -EPIPE);
    ck_assert_int_eq(ask_status(NULL), -EPIPE);
}
END_TEST

/* The manager would take their questions for those of a stranger. */
START_TEST(processes_of_scripts_do_not_ask)
{
    pid_t pid = fork();
    int status;
    LinkMessage m;

    if (pid == 0)
        _exit(ask_status(NULL) == -EPIPE ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(link_receive(manager_end, MSG_DONTWAIT, &m, NULL, 0, NULL, NULL), -EAGAIN);
}
END_TEST

static unsigned n_questions;

static void *answer_all(void *unused)
{
    while (question() == 1) {
        n_questions++;
        answer("one of many");
    }
    return NULL;
}

/* The manager allows 200 a second. */
START_TEST(a_flood_gets_the_last_answer_again)
{
    pthread_t thread = start(answer_all, NULL);

    for (int i = 0; i < 1000; i++)
        expect(ask_status(NULL), "one of many");
    close(worker_end);
    pthread_join(thread, NULL);
    ck_assert_uint_ge(n_questions, 100);
    ck_assert_uint_le(n_questions, 200);
}
END_TEST

static void order(LinkType type)
{
    LinkMessage m = {.type = type};

    ck_assert_int_eq(link_send(manager_end, &m, NULL, 0), 0);
}

static void *orders_and_answer(void *text)
{
    question();
    order(LINK_DRAIN);
    order(LINK_LEAVE);
    answer(text);
    return NULL;
}

/* What arrives while an answer is awaited is not lost. */
START_TEST(orders_between_question_and_answer)
{
    pthread_t thread = start(orders_and_answer, "snapshot");

    ck_assert(!ask_is_draining());
    ck_assert(!ask_told_to_leave());
    expect(ask_status(NULL), "snapshot");
    pthread_join(thread, NULL);
    ck_assert(ask_is_draining());
    ck_assert(ask_told_to_leave());
}
END_TEST

START_TEST(orders_before_the_end_of_the_line)
{
    order(LINK_DRAIN);
    ck_assert_int_eq(ask_read_orders(), 0);
    ck_assert(ask_is_draining());
    ck_assert(!ask_told_to_leave());
    order(LINK_LEAVE);
    close(manager_end);
    ck_assert_int_eq(ask_read_orders(), -EPIPE);
    ck_assert(ask_told_to_leave());
    ask_init(worker_end, true);
    ck_assert(ask_is_draining());
    ck_assert(!ask_told_to_leave());
}
END_TEST

START_TEST(what_a_worker_says)
{
    LinkMessage m;
    pid_t pid;
    int status;

    ck_assert_int_eq(ask_leaving(LINK_LEAVING_MEMORY), 0);
    ck_assert_int_eq(link_receive(manager_end, 0, &m, NULL, 0, NULL, NULL), 1);
    ck_assert_uint_eq(m.type, LINK_LEAVING);
    ck_assert_uint_eq(m.flags, LINK_LEAVING_MEMORY);
    ck_assert_int_eq(ask_renew(), 0);
    ck_assert_int_eq(link_receive(manager_end, 0, &m, NULL, 0, NULL, NULL), 1);
    ck_assert_uint_eq(m.type, LINK_RENEW);
    pid = fork();
    if (pid == 0)
        _exit(ask_renew() == -EPIPE ? 0 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    /* A manager that does not read holds nobody up. */
    for (int i = 0; i < 10000; i++)
        if (ask_renew() == -EAGAIN)
            return;
    ck_abort_msg("the link is never full");
}
END_TEST

static Suite *ask_suite(void)
{
    Suite *s = suite_create("runtime/ask");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, the_answer_arrives);
    tcase_add_test(t, silence_ends_after_a_second);
    tcase_add_test(t, a_late_answer_is_thrown_away);
    tcase_add_test(t, told_to_leave_meanwhile);
    tcase_add_test(t, processes_of_scripts_do_not_ask);
    tcase_add_test(t, orders_between_question_and_answer);
    tcase_add_test(t, orders_before_the_end_of_the_line);
    tcase_add_test(t, what_a_worker_says);
    tcase_add_test(t, a_flood_gets_the_last_answer_again);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(ask_suite)
