#include "base/clock.h"
#include "pair.h"
#include "runtime/request.h"
#include "../run.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#define LIMIT_USEC (100 * USEC_PER_MSEC)
/* Where bytes come in time: also when the machine makes a pause between two. */
#define SLOW_LIMIT_USEC (1500 * USEC_PER_MSEC)

static const char answer_408[] =
    "Status: 408 Request Timeout\r\nContent-Type: text/plain\r\n\r\nRequest Timeout\n";

static Pair p;
static char text[1024];

static void set_up(void)
{
    pair_open(&p);
    connection_shared_set_read_timeout(p.shared, LIMIT_USEC);
}

static void tear_down(void)
{
    pair_close(&p);
}

static Request *begin(const char *body)
{
    pair_send_head(&p, 3, FCGI_KEEP_CONN, body);
    ck_assert_int_eq(connection_receive(p.c, 2000), CONNECTION_REQUEST);
    return connection_request(p.c, 3000);
}

START_TEST(a_body_that_stalls)
{
    char body[8];
    Request *r = begin("ab");
    uint64_t begin_usec = clock_monotonic_usec(), took_usec;

    request_write(r, "buffered", 8);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), 2);
    ck_assert(!request_timed_out(r));
    ck_assert_int_eq(request_read(r, body, sizeof(body)), -EPIPE);
    took_usec = clock_monotonic_usec() - begin_usec;
    ck_assert_uint_ge(took_usec, LIMIT_USEC);
    ck_assert_uint_lt(took_usec, 20 * LIMIT_USEC);
    ck_assert(request_timed_out(r));
    ck_assert(request_aborted(r));
    ck_assert_uint_eq(p.slot.read_timeouts, 1);
    ck_assert_int_eq(request_write(r, "late", 4), -EPIPE);
    ck_assert_int_eq(request_finish(r, 0), -EPIPE);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), -EPIPE);
    ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_LINGER);
    pair_read_answer(&p, 3, text, sizeof(text));
    ck_assert_str_eq(text, answer_408);
    ck_assert(pair_peer_at_end(&p));
    ck_assert_uint_eq(p.slot.status, 408);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_IDLE);
    /* What still comes is thrown away, so that the peer gets to the answer. */
    ck_assert_int_eq(send(p.peer, "more", 4, MSG_NOSIGNAL), 4);
    ck_assert_int_eq(connection_receive(p.c, 5000), CONNECTION_LINGER);
}
END_TEST

/* Half a page cannot become a 408: the connection ends. */
START_TEST(behind_the_first_byte)
{
    char body[8];
    Request *r = begin(NULL);

    request_write(r, "page", 4);
    ck_assert_int_eq(request_flush(r), 0);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), -EPIPE);
    ck_assert(request_timed_out(r));
    ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_CLOSED);
    ck_assert_uint_eq(p.slot.read_timeouts, 1);
    p.c = connection_free(p.c);
    ck_assert_int_eq(recv(p.peer, text, sizeof(text), 0), 8 + 4);
    ck_assert(pair_peer_at_end(&p));
}
END_TEST

static void *trickle(void *unused)
{
    Buffer b = {0};

    for (int i = 0; i < 4; i++) {
        usleep(SLOW_LIMIT_USEC / 2);
        fcgi_client_stream(&b, FCGI_STDIN, 3, "x", 1);
        pair_send(&p, &b);
    }
    fcgi_client_stream_end(&b, FCGI_STDIN, 3);
    pair_send(&p, &b);
    return NULL;
}

static void ignore(int number)
{
}

/* Slow, but never silent for that long; signals change nothing. */
START_TEST(a_slow_body)
{
    struct sigaction action = {.sa_handler = ignore};
    struct itimerval timer = {.it_value.tv_usec = 3000, .it_interval.tv_usec = 3000};
    Request *r = begin(NULL);
    pthread_t thread;
    char byte;
    int n = 0;

    connection_shared_set_read_timeout(p.shared, SLOW_LIMIT_USEC);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, trickle, NULL), 0);
    while (request_read(r, &byte, 1) == 1)
        n++;
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    pthread_join(thread, NULL);
    ck_assert_int_eq(n, 4);
    ck_assert(!request_timed_out(r));
    ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_WAIT);
    ck_assert_uint_eq(p.slot.read_timeouts, 0);
}
END_TEST

/* Signals do not make the time longer either. */
START_TEST(signals_do_not_wind_the_clock)
{
    struct sigaction action = {.sa_handler = ignore};
    struct itimerval timer = {.it_value.tv_usec = 3000, .it_interval.tv_usec = 3000};
    uint64_t begin_usec;
    char byte;
    Request *r = begin(NULL);

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    begin_usec = clock_monotonic_usec();
    ck_assert_int_eq(request_read(r, &byte, 1), -EPIPE);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    ck_assert(request_timed_out(r));
    ck_assert_uint_lt(clock_monotonic_usec() - begin_usec, 20 * LIMIT_USEC);
}
END_TEST

START_TEST(a_head_that_stalls)
{
    static const struct {
        size_t n;
        ConnectionOutcome outcome;
    } cases[] = {
        {4, CONNECTION_CLOSED}, /* not even BEGIN: nobody asked for anything */
        {16, CONNECTION_LINGER},
        {30, CONNECTION_LINGER},
    };
    Buffer b = {0};

    fcgi_client_begin(&b, 9, FCGI_RESPONDER, 0);
    fcgi_client_stream(&b, FCGI_PARAMS, 9, "\6\3METHODGETandmore", 18);
    ck_assert_int_eq(send(p.peer, b.data, cases[_i].n, 0), (ssize_t)cases[_i].n);
    buffer_done(&b);
    ck_assert_int_eq(connection_receive(p.c, 2000), CONNECTION_WAIT);
    ck_assert_int_eq(connection_time_out(p.c), cases[_i].outcome);
    ck_assert_uint_eq(p.slot.state == WORKER_STATE_READING, 0);
    if (cases[_i].outcome == CONNECTION_CLOSED) {
        ck_assert_uint_eq(p.slot.read_timeouts, 0);
        return;
    }
    ck_assert_uint_eq(p.slot.read_timeouts, 1);
    pair_read_answer(&p, 9, text, sizeof(text));
    ck_assert_str_eq(text, answer_408);
    ck_assert(pair_peer_at_end(&p));
    ck_assert(!connection_is_idle(p.c));
    /* Bytes that come too late are no request. */
    ck_assert_int_eq(send(p.peer, "late", 4, MSG_NOSIGNAL), 4);
    ck_assert_int_eq(connection_receive(p.c, 5000), CONNECTION_LINGER);
}
END_TEST

/* Without a limit the worker waits: here for the peer's end. */
START_TEST(no_limit)
{
    char byte;
    Request *r;

    connection_shared_set_read_timeout(p.shared, 0);
    r = begin(NULL);
    shutdown(p.peer, SHUT_WR);
    ck_assert_int_eq(request_read(r, &byte, 1), -EPIPE);
    ck_assert(!request_timed_out(r));
    ck_assert_uint_eq(p.slot.read_timeouts, 0);
}
END_TEST

static Suite *read_timeout_suite(void)
{
    Suite *s = suite_create("runtime/read_timeout");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_body_that_stalls);
    tcase_add_test(t, behind_the_first_byte);
    tcase_add_test(t, a_slow_body);
    tcase_add_test(t, signals_do_not_wind_the_clock);
    tcase_add_loop_test(t, a_head_that_stalls, 0, 3);
    tcase_add_test(t, no_limit);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(read_timeout_suite)
