#include "base/clock.h"
#include "base/fd.h"
#include "pair.h"
#include "whole_worker.h"
#include "../run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Half a head when the order comes: it is finished, answered, and the connection goes on. */
START_TEST(half_a_head)
{
    static const char *const params[] = {"DO", "hello", NULL};
    unsigned flags;
    Buffer b = {0};
    int fd;

    ready(0);
    fd = client();
    fcgi_client_begin(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_params(&b, 1, params);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    ck_assert_int_eq(send(fd, b.data, 20, 0), 20);
    wait_state(WORKER_STATE_READING);
    if (_i == 0)
        tell_leave();
    else
        stop_pool();
    ck_assert(worker_stays(200));
    ck_assert_int_eq(send(fd, b.data + 20, b.size - 20, 0), (ssize_t)b.size - 20);
    buffer_done(&b);
    expect_answer(fd, "worker");
    if (_i == 0)
        close(take_parked(&flags));
    expect_end();
    ck_assert(at_end(fd));
}
END_TEST

/* ... but not for ever. */
START_TEST(half_a_head_for_ever)
{
    int fd;
    char text[512];

    spec.read_timeout_usec = USEC_PER_SEC;
    ready(0);
    fd = client();
    ck_assert_int_eq(send(fd, "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 16, 0), 16);
    if (_i == 1) {
        wait_state(WORKER_STATE_READING);
        tell_leave();
    }
    ck_assert(wait_input(fd, 5000));
    {
        Pair p = {.peer = fd};

        pair_read_answer(&p, 1, text, sizeof(text));
    }
    ck_assert_ptr_nonnull(strstr(text, "Status: 408"));
    ck_assert(at_end(fd));
    ck_assert_uint_eq(slot->read_timeouts, 1);
    close(fd);
    if (_i == 1)
        expect_end();
    else
        close(keep_one());
}
END_TEST

/* A stop: no LEAVE. What has bytes is answered, in whatever place it is; the rest is closed. */
START_TEST(the_pool_stops)
{
    int busy, idle, with_bytes, pair[2];
    uint64_t took_usec;

    ready(0);
    idle = keep_one();
    with_bytes = keep_one();
    busy = shut_gate(FCGI_KEEP_CONN);
    ask(with_bytes, "hello", FCGI_KEEP_CONN);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ask(pair[1], "hello", FCGI_KEEP_CONN);
    hand_over(pair[0], LINK_CONNECTION_SERVED);
    stop_pool();
    open_gate(busy);
    expect_answer(with_bytes, "worker");
    expect_answer(pair[1], "worker");
    took_usec = expect_end();
    ck_assert_uint_lt(took_usec, 500 * USEC_PER_MSEC);
    ck_assert(at_end(idle));
    ck_assert(at_end(with_bytes));
    ck_assert(at_end(busy));
    ck_assert(!wait_input(park_end, 0));
}
END_TEST

START_TEST(an_idle_worker_stops_at_once)
{
    uint64_t took_usec;

    ready(0);
    if (_i == 0)
        stop_pool();
    else {
        close(handover); /* as its last holder */
        life_line = fd_close(life_line);
    }
    took_usec = expect_end();
    ck_assert_uint_lt(took_usec,
                      800 * USEC_PER_MSEC); /* one without a manager stays for a second */
}
END_TEST

/* A manager that dies is its parent for a while longer: what is handed over meanwhile is served. */
START_TEST(the_manager_is_dying)
{
    int pair[2];

    ready(0);
    life_line = fd_close(life_line);
    usleep(100000);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ask(pair[1], "hello", FCGI_KEEP_CONN);
    hand_over(pair[0], LINK_CONNECTION_SERVED);
    expect_answer(pair[1], "worker");
    close(handover);
    expect_end();
}
END_TEST

/*
 * The manager dies: its child here is the worker's life line's other end, and the worker gets
 * another parent. Connections that the porter passes on afterwards are served.
 */
START_TEST(the_manager_dies)
{
    int line[2], pair[2], status;
    uint64_t begin_usec;
    pid_t manager;
    int pids[2];

    ck_assert_int_eq(pipe(pids), 0);
    manager = fork();
    if (manager == 0) {
        ck_assert_int_eq(link_pair(line), 0);
        life_line = line[0];
        worker = fork();
        if (worker == 0)
            run_worker(line[1], 0);
        close(line[1]);
        expect(LINK_READY, 0);
        ck_assert_int_eq(write(pids[1], &worker, sizeof(worker)), sizeof(worker));
        pause();
    }
    close(pids[1]);
    ck_assert_int_eq(read(pids[0], &worker, sizeof(worker)), sizeof(worker));
    kill(manager, SIGKILL);
    ck_assert_int_eq(waitpid(manager, &status, 0), manager);
    begin_usec = clock_monotonic_usec();
    usleep(100000);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ask(pair[1], "hello", FCGI_KEEP_CONN);
    hand_over(pair[0], LINK_CONNECTION_SERVED);
    expect_answer(pair[1], "worker");
    if (_i == 1)
        close(handover);
    /* Its end shows at the end of our pipe: it is no child of ours. */
    ck_assert_int_eq(read(pids[0], &status, sizeof(status)), 0);
    if (_i == 1)
        ck_assert_uint_lt(clock_monotonic_usec() - begin_usec, 800 * USEC_PER_MSEC);
    else
        ck_assert_uint_ge(clock_monotonic_usec() - begin_usec, 900 * USEC_PER_MSEC);
    ck_assert_uint_lt(clock_monotonic_usec() - begin_usec, 3 * USEC_PER_SEC);
    worker = 0;
}
END_TEST

START_TEST(connections_of_the_porter)
{
    int pair[2], silent[2];

    ready(0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ask(pair[1], "hello", FCGI_KEEP_CONN);
    hand_over(pair[0], LINK_CONNECTION_SERVED);
    expect_answer(pair[1], "worker");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, silent), 0);
    hand_over(silent[0], LINK_CONNECTION_SERVED);
    for (int i = 0; i < 5000 && slot->connections != 2; i++)
        usleep(1000);
    ck_assert_uint_eq(slot->connections, 2);
    ck_assert_uint_eq(slot->accepted, 0);
    /* It had carried a request elsewhere: nothing is expected on it at a stop. */
    stop_pool();
    ck_assert_uint_lt(expect_end(), USEC_PER_SEC);
}
END_TEST

/* It does not wait behind the next one, which takes long: the porter has it. */
START_TEST(silent_from_the_beginning)
{
    unsigned flags;
    int silent, busy, taken;

    ready(0);
    silent = client();
    usleep(20000);
    busy = client();
    ask(busy, "sleep500", 0);
    taken = take_parked(&flags);
    ck_assert_uint_eq(flags, 0);
    ck_assert(is_open(silent));
    ask(silent, "hello", 0);
    hand_over(taken, 0);
    expect_answer(busy, "worker");
    expect_answer(silent, "worker");
    ck_assert_uint_eq(slot->accepted, 2);
}
END_TEST

/* Clients that give up while the worker is busy. It looks whether they are there as long as it
 * works without a pause: one that the machine has stopped in between may serve some, and then all
 * is tried again. */
START_TEST(clients_that_have_gone)
{
    uint64_t n_abandoned = 0;

    ready(0);
    for (unsigned i = 1; i <= 10 && n_abandoned != 5; i++) {
        int busy = shut_gate(0), patient, gone[5];
        uint64_t before = slot->abandoned;

        for (int k = 0; k < 5; k++) {
            gone[k] = client();
            ask(gone[k], "hello", 0);
        }
        patient = client();
        ask(patient, "hello", 0);
        /* One that has said all it has to say waits for its answer. */
        shutdown(patient, SHUT_WR);
        for (int k = 0; k < 5; k++)
            close(gone[k]);
        usleep(100000); /* the work that earns the looks */
        open_gate(busy);
        expect_answer(patient, "worker");
        close(busy);
        close(patient);
        close(keep_one());
        n_abandoned = slot->abandoned - before;
        ck_assert_uint_le(n_abandoned, 5);
        ck_assert_uint_eq(slot->abandoned + slot->requests, 8 * i);
        ck_assert_uint_eq(slot->accepted, 8 * i);
    }
    ck_assert_uint_eq(n_abandoned, 5);
}
END_TEST

static const char *const spoilers[] = {"close-listener", "replace-listener", "close-epoll",
                                       "close-handover"};

/* A script closes what is not its own: the worker says so and goes instead of spinning, connections
 * at rest live on, and who waits is served by the next worker. */
START_TEST(a_socket_of_the_pool_is_lost)
{
    bool by_porter = _i == 3;
    int kept, spoiler, waiting, pair[2];
    unsigned flags;

    ready(0);
    kept = keep_one();
    spoiler = client();
    ask(spoiler, spoilers[_i], 0);
    expect_answer(spoiler, "worker");
    waiting = client();
    ask(waiting, "hello", 0);
    if (by_porter) {
        expect_answer(waiting, "worker");
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        ask(pair[1], "hello", 0);
        hand_over(pair[0], 0);
        waiting = pair[1];
    }
    expect(LINK_LEAVING, LINK_LEAVING_LISTENER);
    expect_end();
    close(take_parked(&flags));
    ck_assert_uint_eq(flags, LINK_CONNECTION_SERVED);
    ck_assert(at_end(kept)); /* by us as its porter, not by the worker */
    ready(0);
    expect_answer(waiting, "worker");
}
END_TEST

#define N_FRESH  20
#define N_GREEDY 8

/* Which request of the worker's life it was. */
static unsigned number_of_answer(int fd)
{
    Pair p = {.peer = fd};
    char text[256];

    pair_read_answer(&p, 1, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "request "));
    return (unsigned)strtoul(strstr(text, "request ") + 8, NULL, 10);
}

/* Kept connections that always have a next request, sent as soon as the last one is answered. */
static void ask_again(int greedy[N_GREEDY])
{
    for (int i = 0; i < N_GREEDY; i++)
        if (wait_input(greedy[i], 0)) {
            expect_answer(greedy[i], "worker");
            ask(greedy[i], "hello", FCGI_KEEP_CONN);
        }
}

/* What all have sent while the worker was busy is answered in turn: of four requests in a row three
 * are of new connections, and one is of those that are kept. */
START_TEST(nobody_starves)
{
    int gate, greedy[N_GREEDY], fresh[N_FRESH];
    unsigned begin, first = UINT32_MAX;

    ready(0);
    for (int i = 0; i < N_GREEDY; i++)
        greedy[i] = keep_one();
    gate = shut_gate(0);
    begin = (unsigned)slot->requests;
    for (int i = 0; i < N_GREEDY; i++)
        ask(greedy[i], "hello", FCGI_KEEP_CONN);
    for (int i = 0; i < N_FRESH; i++) {
        fresh[i] = client();
        ask(fresh[i], "hello", 0);
    }
    open_gate(gate);
    if (_i == 0)
        for (int i = 0; i < N_FRESH; i++) {
            while (!wait_input(fresh[i], 0))
                ask_again(greedy);
            ck_assert_uint_le(number_of_answer(fresh[i]) - begin, (unsigned)(i + 1) * 4 / 3 + 1);
        }
    else {
        for (int i = 0; i < N_GREEDY; i++)
            first = MIN(first, number_of_answer(greedy[i]));
        ck_assert_uint_le(first - begin, 4);
    }
}
END_TEST

static Suite *serve_suite(void)
{
    Suite *s = suite_create("runtime/serve");
    TCase *t = tcase_create("with a porter");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, half_a_head, 0, 2);
    tcase_add_loop_test(t, half_a_head_for_ever, 0, 2);
    tcase_add_test(t, the_pool_stops);
    tcase_add_loop_test(t, an_idle_worker_stops_at_once, 0, 2);
    tcase_add_test(t, the_manager_is_dying);
    tcase_add_loop_test(t, the_manager_dies, 0, 2);
    tcase_add_test(t, connections_of_the_porter);
    tcase_add_test(t, silent_from_the_beginning);
    tcase_add_test(t, clients_that_have_gone);
    tcase_add_loop_test(t, a_socket_of_the_pool_is_lost, 0, ARRAY_SIZE(spoilers));
    tcase_add_loop_test(t, nobody_starves, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(serve_suite)
