/* Who belongs to the pool. The test is the manager. */
#include "manager/ancestry.h"
#include "../run.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Family {
    pid_t child, grandchild; /* the grandchild is in a session of its own */
    int pipe;                /* they end when it closes */
} Family;

static void family_make(Family *f)
{
    int told[2], hold[2];

    ck_assert_int_eq(pipe(told), 0);
    ck_assert_int_eq(pipe(hold), 0);
    f->child = fork();
    ck_assert_int_ge(f->child, 0);
    if (f->child == 0) {
        pid_t pid = fork();
        char c;

        close(hold[1]);
        if (pid == 0)
            setsid();
        else if (write(told[1], &pid, sizeof(pid)) != sizeof(pid))
            _exit(1);
        if (read(hold[0], &c, 1) < 0)
            _exit(1);
        _exit(0);
    }
    close(hold[0]);
    ck_assert_int_eq(read(told[0], &f->grandchild, sizeof(pid_t)), sizeof(pid_t));
    f->pipe = hold[1];
}

static void family_done(Family *f)
{
    close(f->pipe);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

START_TEST(children_are_ours)
{
    Family f;

    family_make(&f);
    ck_assert(ancestry_is_ours(getpid()));
    ck_assert(ancestry_is_ours(f.child));
    ck_assert(ancestry_is_ours(f.grandchild));
    family_done(&f);
}
END_TEST

START_TEST(those_that_lost_their_parent_stay_ours)
{
    Family f;

    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    family_make(&f);
    kill(f.child, SIGKILL);
    ck_assert_int_eq(waitpid(f.child, NULL, 0), f.child);
    ck_assert(ancestry_is_ours(f.grandchild));
    family_done(&f);
}
END_TEST

START_TEST(others_are_not)
{
    ck_assert(!ancestry_is_ours(0));
    ck_assert(!ancestry_is_ours(1));
    ck_assert(!ancestry_is_ours(getppid()));
}
END_TEST

/* What a manager says of its sibling, which has a filter more than the manager or not. */
static char ask_sibling(bool filtered)
{
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog program = {1, &allow};
    int told[2];
    pid_t sibling, manager;
    char answer;

    ck_assert_int_eq(pipe(told), 0);
    sibling = fork();
    if (sibling == 0) {
        if (filtered && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0))
            _exit(1);
        if (write(told[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    ck_assert_int_eq(read(told[0], &answer, 1), 1);
    manager = fork();
    if (manager == 0) {
        answer = ancestry_is_ours(sibling) ? 'y' : 'n';
        _exit(write(told[1], &answer, 1) == 1 ? 0 : 1);
    }
    ck_assert_int_eq(read(told[0], &answer, 1), 1);
    kill(sibling, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    close(told[0]);
    close(told[1]);
    return answer;
}

/* As fpmctl of ExecReload= is one. */
START_TEST(siblings_are_not)
{
    ck_assert_int_eq(ask_sibling(false), 'n');
}
END_TEST

/* Of the pool of a manager that has crashed. */
START_TEST(siblings_with_more_filters_are)
{
    ck_assert_int_eq(ask_sibling(true), 'y');
}
END_TEST

/* Who has its connection now is not known. */
START_TEST(the_dead_are_ours)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(ancestry_is_ours(pid));
}
END_TEST

static Suite *ancestry_suite(void)
{
    Suite *s = suite_create("manager/ancestry");
    TCase *t = tcase_create("all");

    tcase_add_test(t, children_are_ours);
    tcase_add_test(t, those_that_lost_their_parent_stay_ours);
    tcase_add_test(t, others_are_not);
    tcase_add_test(t, siblings_are_not);
    tcase_add_test(t, siblings_with_more_filters_are);
    tcase_add_test(t, the_dead_are_ours);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(ancestry_suite)
