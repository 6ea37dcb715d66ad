#include "base/clock.h"
#include "base/fd.h"
#include "pair.h"
#include "whole_worker.h"
#include "runtime/memory.h"
#include "../run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* A hundred kept connections and two silent ones: all of them go on, at once. */
START_TEST(told_to_leave)
{
    int kept[80], fresh, taken, how_many = ARRAY_SIZE(kept);
    unsigned flags;
    uint64_t took_usec;

    ready(0);
    for (int i = 0; i < how_many; i++)
        kept[i] = keep_one();
    fresh = client();
    for (int i = 0; i < 5000 && slot->accepted != (unsigned)how_many + 1; i++)
        usleep(1000);
    ck_assert_uint_eq(slot->accepted, (unsigned)how_many + 1);
    tell_leave();
    took_usec = expect_end();
    ck_assert_uint_lt(took_usec, 500 * USEC_PER_MSEC);
    for (int i = 0; i <= how_many; i++) {
        taken = take_parked(&flags);
        if (flags == 0)
            ck_assert_int_eq(write(taken, "?", 1), 1); /* the silent one, below */
        close(taken);
    }
    for (int i = 0; i < how_many; i++)
        ck_assert(at_end(kept[i]));
    ck_assert(wait_input(fresh, 0));
    ck_assert_int_eq(recv(fresh, &(char){0}, 1, 0), 1);
}
END_TEST

START_TEST(a_running_request_is_answered_and_then_parked)
{
    unsigned flags;
    int fd;

    ready(0);
    fd = shut_gate(FCGI_KEEP_CONN);
    if (_i == 0)
        tell_leave();
    else
        kill(worker, _i == 1 ? SIGTERM : SIGQUIT);
    ck_assert(worker_stays(100));
    open_gate(fd);
    close(take_parked(&flags));
    ck_assert_uint_eq(flags, LINK_CONNECTION_SERVED);
    expect_end();
}
END_TEST

/* Two requests at once: the second has been read, so nobody else can serve it. */
START_TEST(bytes_that_were_read_are_served)
{
    unsigned flags;
    int fd;

    spec.max_requests = 1;
    ready(0);
    fd = client();
    {
        static const char *const params[] = {"DO", "hello", NULL};
        Pair p = {.peer = fd};
        Buffer b = {0};

        for (int i = 0; i < 2; i++) {
            fcgi_client_begin(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
            fcgi_client_params(&b, 1, params);
            fcgi_client_stream_end(&b, FCGI_STDIN, 1);
        }
        pair_send(&p, &b);
    }
    expect(LINK_LEAVING, LINK_LEAVING_REQUESTS);
    expect_answer(fd, "worker");
    expect_answer(fd, "worker");
    close(take_parked(&flags));
    expect_end();
}
END_TEST

/* It says so before the request ends, so that the successor is there then. */
START_TEST(the_last_request_is_announced)
{
    unsigned flags;
    int kept, fd;

    spec.max_requests = 3;
    ready(0);
    kept = keep_one();
    keep_one();
    ck_assert(!wait_input(life_line, 50));
    fd = shut_gate(0);
    expect(LINK_LEAVING, LINK_LEAVING_REQUESTS);
    ck_assert(!wait_input(fd, 50));
    open_gate(fd);
    close(take_parked(&flags));
    close(take_parked(&flags));
    ck_assert(!wait_input(park_end, 50));
    ck_assert(at_end(kept));
    expect_end();
}
END_TEST

START_TEST(too_much_memory)
{
    unsigned flags;
    int kept, fd;

    memory_init();
    spec.max_memory_bytes = memory_resident_bytes() + (32u << 20);
    ready(0);
    kept = keep_one();
    ck_assert(!wait_input(life_line, 50));
    fd = client();
    ask(fd, "eat", 0);
    expect_answer(fd, "worker");
    expect(LINK_LEAVING, LINK_LEAVING_MEMORY);
    close(take_parked(&flags));
    expect_end();
    ck_assert(at_end(kept));
}
END_TEST

START_TEST(the_language_cannot_go_on)
{
    unsigned flags;
    int fd;

    ready(0);
    fd = client();
    ask(fd, "last", FCGI_KEEP_CONN);
    expect_answer(fd, "worker");
    expect(LINK_LEAVING, LINK_LEAVING_LANGUAGE);
    close(take_parked(&flags));
    expect_end();
}
END_TEST

/* The porter comes late, and has room for less than there is. */
START_TEST(park_is_full)
{
    int kept[120], n = 0, how_many = ARRAY_SIZE(kept);
    unsigned flags;

    ready(0);
    for (int i = 0; i < how_many; i++)
        kept[i] = keep_one();
    tell_leave();
    ck_assert(worker_stays(200));
    while (n < how_many) {
        close(take_parked(&flags));
        n++;
    }
    expect_end();
}
END_TEST

START_TEST(nobody_takes_what_is_parked)
{
    int kept[120], closed = 0, how_many = ARRAY_SIZE(kept);
    uint64_t took_usec;

    ready(0);
    for (int i = 0; i < how_many; i++)
        kept[i] = keep_one();
    tell_leave();
    took_usec = expect_end();
    ck_assert_uint_ge(took_usec, 4 * USEC_PER_SEC);
    ck_assert_uint_lt(took_usec, 8 * USEC_PER_SEC);
    for (int i = 0; i < how_many; i++)
        closed += !is_open(kept[i]);
    ck_assert_int_gt(closed, 0);
    ck_assert_int_lt(closed, how_many);
}
END_TEST

START_TEST(no_porter)
{
    uint64_t took_usec;
    int kept;

    ready(0);
    kept = keep_one();
    if (_i == 1)
        close(park_end); /* it was there */
    tell_leave();
    took_usec = expect_end();
    ck_assert_uint_lt(took_usec, 500 * USEC_PER_MSEC);
    if (_i == 1 || spec.park_fd < 0)
        ck_assert(at_end(kept));
}
END_TEST

/* Who is woken by the hand-over socket and told to leave at the same moment sends it on. */
START_TEST(a_message_and_the_order_at_once)
{
    unsigned flags;
    int pair[2];
    siginfo_t info;

    ready(0);
    kill(worker, SIGSTOP);
    ck_assert_int_eq(waitid(P_PID, (id_t)worker, &info, WSTOPPED), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ask(pair[1], "hello", FCGI_KEEP_CONN);
    hand_over(pair[0], LINK_CONNECTION_SERVED);
    tell_leave();
    kill(worker, SIGCONT);
    close(take_parked(&flags));
    ck_assert_uint_eq(flags, LINK_CONNECTION_SERVED);
    expect_end();
    ck_assert_uint_eq(slot->requests, 0);
}
END_TEST

static Suite *leave_suite(void)
{
    Suite *s = suite_create("runtime/leave");
    TCase *t = tcase_create("with a porter");
    TCase *u = tcase_create("without");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, told_to_leave);
    tcase_add_loop_test(t, a_running_request_is_answered_and_then_parked, 0, 3);
    tcase_add_test(t, bytes_that_were_read_are_served);
    tcase_add_test(t, the_last_request_is_announced);
    tcase_add_test(t, too_much_memory);
    tcase_add_test(t, the_language_cannot_go_on);
    tcase_add_test(t, park_is_full);
    tcase_add_test(t, nobody_takes_what_is_parked);
    tcase_add_loop_test(t, no_porter, 1, 2);
    tcase_add_test(t, a_message_and_the_order_at_once);
    suite_add_tcase(s, t);
    tcase_add_checked_fixture(u, set_up_without_park, tear_down);
    tcase_add_test(u, no_porter);
    suite_add_tcase(s, u);
    return s;
}

TEST_MAIN(leave_suite)
