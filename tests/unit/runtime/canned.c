#include "runtime/canned.h"

#include "pair.h"
#include "runtime/request.h"
#include "../run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

static Pair p;
static char text[1024];

static void set_up(void)
{
    pair_open(&p);
}

static void tear_down(void)
{
    pair_close(&p);
}

static Request *begin(unsigned id, unsigned flags)
{
    pair_send_head(&p, id, flags, NULL);
    ck_assert_int_eq(connection_receive(p.c, 2000), CONNECTION_REQUEST);
    return connection_request(p.c, 3000);
}

static const struct {
    unsigned http_status;
    const char *answer;
} known[] = {
    {408, "Status: 408 Request Timeout\r\nContent-Type: text/plain\r\n\r\nRequest Timeout\n"},
    {500, "Status: 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\n"
          "Internal Server Error\n"},
    {503, "Status: 503 Service Unavailable\r\nContent-Type: text/plain\r\n\r\n"
          "Service Unavailable\n"},
    {504, "Status: 504 Gateway Timeout\r\nContent-Type: text/plain\r\n\r\nGateway Timeout\n"},
};

START_TEST(each_answer)
{
    Request *r = begin(0x1234, 0);

    errno = EXDEV;
    ck_assert_int_eq(canned_send(known[_i].http_status), 0);
    ck_assert_int_eq(errno, EXDEV);
    pair_read_answer(&p, 0x1234, text, sizeof(text));
    ck_assert_str_eq(text, known[_i].answer);
    /* Once, and nothing of the request may follow. */
    ck_assert_int_eq(canned_send(known[_i].http_status), -EALREADY);
    ck_assert(request_sent_output(r));
    ck_assert_int_eq(request_write(r, "late", 4), 0);
    ck_assert_int_eq(request_flush(r), -EPIPE);
    ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_CLOSED);
    ck_assert_int_lt(recv(p.peer, text, 1, MSG_DONTWAIT), 0);
}
END_TEST

START_TEST(large_writes_do_not_follow_either)
{
    static char large[100000];
    Request *r = begin(1, 0);

    ck_assert_int_eq(canned_send(504), 0);
    pair_read_answer(&p, 1, text, sizeof(text));
    ck_assert_int_eq(request_write(r, large, sizeof(large)), -EPIPE);
    ck_assert_int_lt(recv(p.peer, text, 1, MSG_DONTWAIT), 0);
}
END_TEST

/* One that does not exist takes nobody's right. */
START_TEST(only_while_a_request_runs)
{
    ck_assert_int_eq(canned_send(500), -EALREADY);
    begin(1, FCGI_KEEP_CONN);
    ck_assert_int_eq(canned_send(418), -EINVAL);
    ck_assert_int_eq(canned_send(500), 0);
}
END_TEST

/* What is buffered has not been said; what has been sent has. */
START_TEST(before_the_first_byte_only)
{
    Request *r = begin(7, FCGI_KEEP_CONN);

    ck_assert(!request_sent_output(r));
    ck_assert_int_eq(request_write(r, "page", 4), 0);
    ck_assert(request_started_output(r));
    ck_assert(!request_sent_output(r));
    if (_i == 0) {
        ck_assert_int_eq(canned_send(504), 0);
        pair_read_answer(&p, 7, text, sizeof(text));
        ck_assert_ptr_nonnull(strstr(text, "504"));
        return;
    }
    ck_assert_int_eq(request_flush(r), 0);
    ck_assert(request_sent_output(r));
    ck_assert_int_eq(canned_send(504), -EALREADY);
    ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_WAIT);
    pair_read_answer(&p, 7, text, sizeof(text));
    ck_assert_str_eq(text, "page");
}
END_TEST

START_TEST(not_behind_the_end)
{
    Request *r = begin(7, FCGI_KEEP_CONN);

    if (_i == 0)
        ck_assert_int_eq(request_finish(r, 0), 0);
    else
        ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_WAIT);
    ck_assert_int_eq(canned_send(500), -EALREADY);
    pair_read_answer(&p, 7, text, sizeof(text));
    ck_assert_str_eq(text, "");
    ck_assert_int_lt(recv(p.peer, text, 1, MSG_DONTWAIT), 0);
    if (_i == 0)
        ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_WAIT);

    /* The next one has a right of its own. */
    {
        Buffer b = {0};

        fcgi_client_stream_end(&b, FCGI_STDIN, 7);
        pair_send(&p, &b);
        ck_assert_int_eq(connection_receive(p.c, 4000), CONNECTION_WAIT);
    }
    begin(8, 0);
    ck_assert_int_eq(canned_send(500), 0);
    pair_read_answer(&p, 8, text, sizeof(text));
}
END_TEST

START_TEST(another_answer_in_its_place)
{
    Request *r = begin(1, 0);

    request_write(r, "page", 4);
    request_write_error(r, "warning", 7);
    request_discard_output(r);
    ck_assert(!request_started_output(r));
    request_write(r, "sorry", 5);
    ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_LINGER);
    pair_read_answer(&p, 1, text, sizeof(text));
    ck_assert_str_eq(text, "sorry");
    ck_assert_uint_eq(p.slot.bytes_out, 5);
}
END_TEST

static int reap(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* A child of a script: by fork(3), whose handlers the worker has, and past them. */
START_TEST(never_in_a_child)
{
    pid_t pid;

    begin(1, 0);
    pid = _i == 0 ? fork() : (pid_t)syscall(SYS_fork);
    if (pid == 0) {
        if (_i == 0)
            connection_shared_disown(p.shared);
        _exit(canned_send(500) == -EALREADY ? 0 : 1);
    }
    ck_assert_int_eq(reap(pid), 0);
    ck_assert_int_eq(canned_send(500), 0);
    pair_read_answer(&p, 1, text, sizeof(text));
}
END_TEST

/* The peer does not read: a dying process does not wait. */
START_TEST(a_full_socket)
{
    static char large[1 << 20];
    Request *r = begin(1, FCGI_KEEP_CONN);
    int fd = connection_fd(p.c);

    while (send(fd, large, sizeof(large), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
    ck_assert_int_eq(canned_send(500), -EAGAIN);
    (void)r;
}
END_TEST

static volatile int sent;

static void on_signal(int number)
{
    sent = canned_send(500) == 0;
}

/*
 * A signal at any instruction of a request that writes, flushes and ends: the peer sees a whole
 * page or a whole 500, never a mixture.
 */
START_TEST(at_any_instruction)
{
    struct sigaction action = {.sa_handler = on_signal};
    unsigned pages = 0, errors = 0;

    sigaction(SIGALRM, &action, NULL);
    for (unsigned i = 0; i < 3000; i++) {
        struct itimerval timer = {.it_value.tv_usec = 1 + i % 60};
        Pair q;
        Request *r;

        pair_open(&q);
        pair_send_head(&q, 5, 0, NULL);
        ck_assert_int_eq(connection_receive(q.c, 2000), CONNECTION_REQUEST);
        sent = 0;
        setitimer(ITIMER_REAL, &timer, NULL);
        r = connection_request(q.c, 3000);
        request_write(r, "one ", 4);
        if (i % 2)
            request_flush(r);
        request_write(r, "two", 3);
        connection_end(q.c, 0, true, 4000);
        setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
        pair_read_answer(&q, 5, text, sizeof(text));
        if (sent) {
            ck_assert_ptr_nonnull(strstr(text, "Internal Server Error"));
            errors++;
        } else {
            ck_assert_str_eq(text, "one two");
            pages++;
        }
        ck_assert_int_le(recv(q.peer, text, 1, MSG_DONTWAIT), 0);
        pair_close(&q);
    }
    ck_assert_uint_gt(pages, 0);
    ck_assert_uint_gt(errors, 0);
}
END_TEST

/* What was not read does not take the answer back when the process ends. */
START_TEST(unread_bytes)
{
    Buffer b = {0};

    begin(1, 0);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "unread body", 11);
    pair_send(&p, &b);
    ck_assert_int_eq(canned_send(500), 0);
    p.c = connection_free(p.c);
    pair_read_answer(&p, 1, text, sizeof(text));
    ck_assert(pair_peer_at_end(&p));
}
END_TEST

static Suite *canned_suite(void)
{
    Suite *s = suite_create("runtime/canned");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, each_answer, 0, ARRAY_SIZE(known));
    tcase_add_test(t, large_writes_do_not_follow_either);
    tcase_add_test(t, only_while_a_request_runs);
    tcase_add_loop_test(t, before_the_first_byte_only, 0, 2);
    tcase_add_loop_test(t, not_behind_the_end, 0, 2);
    tcase_add_test(t, another_answer_in_its_place);
    tcase_add_loop_test(t, never_in_a_child, 0, 2);
    tcase_add_test(t, a_full_socket);
    tcase_add_test(t, at_any_instruction);
    tcase_add_test(t, unread_bytes);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(canned_suite)
