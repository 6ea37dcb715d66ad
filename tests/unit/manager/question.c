#include "base/clock.h"
#include "base/fd.h"
#include "manager/manager.h"
#include "status/history.h"
#include "../run.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static Manager manager;
static Worker worker;
static int other_end;

static void set_up(void)
{
    int pair[2];

    manager = (Manager){
        .options = {.pool = "www"},
        .n_workers = 1000, /* as if, for the time in which a snapshot is shared */
        .listeners = {.growth_fd = -1, .diag_fd = -1},
        .notifier = {.fd = -1},
        .snapshot_fd = -1,
        .history_fd = -1,
        .history_read_fd = -1,
    };
    ck_assert_int_eq(link_pair(pair), 0);
    worker = (Worker){.manager = &manager, .phase = WORKER_READY, .life_line = pair[0]};
    other_end = pair[1];
}

/* The inode of the answer; 0: there is none. */
static ino_t answer(void)
{
    LinkMessage m;
    struct stat st;
    size_t n = 0;
    int fd = -1;

    if (link_receive(other_end, MSG_DONTWAIT, &m, &fd, 1, &n, NULL) != 1)
        return 0;
    ck_assert_uint_eq(m.type, LINK_STATUS);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(fstat(fd, &st), 0);
    close(fd);
    return st.st_ino;
}

START_TEST(the_answer_is_a_snapshot)
{
    const StatusPool *pool;
    const StatusWorker *workers;
    LinkMessage m;
    size_t size, n = 0;
    int fd = -1;

    ck_assert_int_eq(worker_answer(&worker), 0);
    ck_assert_int_eq(link_receive(other_end, MSG_DONTWAIT, &m, &fd, 1, &n, NULL), 1);
    ck_assert_int_eq(status_open(fd, &pool, &workers, &size), 0);
    ck_assert_str_eq(pool->name, "www");
    munmap((void *)(uintptr_t)pool, size);
    close(fd);
}
END_TEST

/* Many who ask at the same time get the same one. */
START_TEST(one_snapshot_in_a_while)
{
    ino_t first, second, third;
    uint64_t begin_usec;

    /* Once more when the machine has made a pause between the two. */
    do {
        usleep(51 * 1000);
        begin_usec = clock_monotonic_usec();
        ck_assert_int_eq(worker_answer(&worker), 0);
        first = answer();
        ck_assert_int_eq(worker_answer(&worker), 0);
        second = answer();
        ck_assert_uint_ne(first, 0);
    } while (clock_monotonic_usec() - begin_usec >= 50 * USEC_PER_MSEC);
    ck_assert_uint_eq(first, second);
    usleep(51 * 1000);
    ck_assert_int_eq(worker_answer(&worker), 0);
    third = answer();
    ck_assert_uint_ne(third, 0);
    ck_assert_uint_ne(first, third);
}
END_TEST

/* The history comes with it where there is one, and nobody can write to that. */
START_TEST(the_history_comes_with_it)
{
    History *h, copy;
    LinkMessage m;
    size_t n = 0;
    int fds[2];

    manager.history_fd = history_create();
    ck_assert_int_ge(manager.history_fd, 0);
    ck_assert_int_eq(history_attach(manager.history_fd, &h), 0);
    h->n = 1;
    h->next = 1;
    h->samples[0] = (HistorySample){.time_sec = 77, .step_usec = 1};
    ck_assert_int_eq(worker_answer(&worker), 0);
    ck_assert_int_eq(link_receive(other_end, MSG_DONTWAIT, &m, fds, 2, &n, NULL), 1);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(history_open(fds[1], &copy), 0);
    ck_assert_uint_eq(copy.samples[0].time_sec, 77);
    ck_assert_int_eq(history_attach(fds[1], &h), -EACCES);
    ck_assert_int_lt(pwrite(fds[1], "x", 1, 0), 0);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* It has its own. */
START_TEST(the_porter_asks)
{
    manager.porter = PORTER_NONE;
    porter_answer(&manager);
    ck_assert_uint_eq(answer(), 0);
    manager.history_fd = history_create();
    manager.porter.link_fd = worker.life_line;
    porter_answer(&manager);
    ck_assert_uint_ne(answer(), 0);
    for (int i = 0; i < 1000; i++)
        porter_may_speak(&manager.porter);
    ck_assert(!porter_may_speak(&manager.porter));
}
END_TEST

/* Descriptors in flight would pile up. */
START_TEST(an_unread_answer_is_the_last)
{
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(worker_answer(&worker), 0);
    ck_assert_uint_ne(answer(), 0);
    ck_assert_uint_eq(answer(), 0);
    ck_assert_int_eq(worker_answer(&worker), 0);
    ck_assert_uint_ne(answer(), 0);
}
END_TEST

START_TEST(a_flood_is_absurd)
{
    unsigned taken = 0;

    for (int i = 0; i < 1000; i++)
        taken += worker_may_speak(&worker);
    ck_assert_uint_ge(taken, 200);
    ck_assert_uint_le(taken, 400); /* when the test takes more than a second */
    ck_assert(!worker_may_speak(&worker));
    usleep(1010 * 1000);
    ck_assert(worker_may_speak(&worker));
}
END_TEST

START_TEST(one_without_a_line_gets_no_answer)
{
    fd_close(worker.life_line);
    worker.life_line = -1;
    ck_assert_int_eq(worker_answer(&worker), -EPROTO);
    ck_assert_uint_eq(answer(), 0);
}
END_TEST

static Suite *question_suite(void)
{
    Suite *s = suite_create("manager/question");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_test(t, the_answer_is_a_snapshot);
    tcase_add_test(t, one_snapshot_in_a_while);
    tcase_add_test(t, the_history_comes_with_it);
    tcase_add_test(t, the_porter_asks);
    tcase_add_test(t, an_unread_answer_is_the_last);
    tcase_add_test(t, a_flood_is_absurd);
    tcase_add_test(t, one_without_a_line_gets_no_answer);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(question_suite)
