#include "runtime/php/children.h"
#include "../run.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 200 /* more than one read of the list */

_noreturn_ static void sleep_for_ever(void)
{
    for (;;)
        pause();
}

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0)
        sleep_for_ever();
    return pid;
}

static void assert_killed(pid_t pid)
{
    int status;

    alarm(10);
    /* A grandchild becomes ours when its parent, who is being killed, has ended. */
    while (waitpid(pid, &status, 0) < 0) {
        ck_assert_int_eq(errno, ECHILD);
        ck_assert_int_eq(kill(pid, 0), 0);
        usleep(1000);
    }
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
}

START_TEST(nothing_to_kill)
{
    children_kill();
    ck_assert_int_eq(wait(NULL), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(all_children_are_killed)
{
    pid_t pids[MANY];

    for (int i = 0; i < MANY; i++)
        pids[i] = sleeper();
    children_kill();
    for (int i = 0; i < MANY; i++)
        assert_killed(pids[i]);
}
END_TEST

START_TEST(their_children_too)
{
    pid_t deep[4], child;
    int ends[2];

    /* So that the test can wait for grandchildren. */
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++) {
            pid_t pid = fork(), self = getpid();

            if (pid == 0)
                continue;
            ck_assert_int_eq(write(ends[1], &self, sizeof(self)), sizeof(self));
            sleep_for_ever();
        }
        child = getpid();
        ck_assert_int_eq(write(ends[1], &child, sizeof(child)), sizeof(child));
        sleep_for_ever();
    }
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(read(ends[0], &deep[i], sizeof(deep[i])), sizeof(deep[i]));
    children_kill();
    for (int i = 0; i < 4; i++)
        assert_killed(deep[i]);
}
END_TEST

static void *start_child(void *pid)
{
    *(pid_t *)pid = sleeper();
    pause(); /* the child stays this thread's */
    return NULL;
}

START_TEST(children_of_other_threads_too)
{
    volatile pid_t pid = 0;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, start_child, (void *)(uintptr_t)&pid), 0);
    while (pid == 0)
        usleep(1000);
    children_kill();
    assert_killed(pid);
}
END_TEST

/* A worker has siblings, and a parent. */
START_TEST(nobody_else_is_touched)
{
    pid_t sibling = sleeper(), worker = fork(), child;
    int status;

    if (worker == 0) {
        child = sleeper();
        children_kill();
        _exit(waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? 0 : 1);
    }
    alarm(10);
    ck_assert_int_eq(waitpid(worker, &status, 0), worker);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_eq(waitpid(sibling, &status, WNOHANG | WUNTRACED), 0);
    kill(sibling, SIGKILL);
    waitpid(sibling, NULL, 0);
}
END_TEST

static Suite *children_suite(void)
{
    Suite *s = suite_create("runtime/php/children");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, nothing_to_kill);
    tcase_add_test(t, all_children_are_killed);
    tcase_add_test(t, their_children_too);
    tcase_add_test(t, children_of_other_threads_too);
    tcase_add_test(t, nobody_else_is_touched);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(children_suite)
