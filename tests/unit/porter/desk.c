/* The real loop in a process of its own, confined as the program is. The test is its manager and
 * the web server that asks for the status. */
#include "base/clock.h"
#include "base/fd.h"
#include "fcgi/client.h"
#include "log/log.h"
#include "porter/lodge.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"
#include "../run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    pid_t pid;
    int link, history_fd, listener;
    struct sockaddr_un address;
    socklen_t address_size;
    History *history;
} porter;

/* ---- the porter ---- */

_noreturn_ static void run_porter(int link, int slot_fd, int handover, int park)
{
    RuntimeSpec spec = {.pool = "www",
                        .link_fd = link,
                        .handover_fd = handover,
                        .park_fd = park,
                        .repark_fd = -1,
                        .slot_fd = slot_fd,
                        .history_fd = porter.history_fd,
                        .status_fds = &porter.listener,
                        .n_status_fds = 1,
                        .status_path = "/status",
                        .ping_path = "/ping",
                        .ping_response = "hello"};
    SeccompFilter *filter = NULL;
    BoardSlot *slot = NULL;
    Lodge lodge;

    signal(SIGPIPE, SIG_IGN);
    log_set_max_priority(LOG_CRIT);
    if (board_attach(slot_fd, &slot) < 0 || lodge_init(&lodge, &spec, slot, 100) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_renounce() < 0 ||
        seccomp_filter_new(SECCOMP_PORTER, NULL, &filter) < 0 ||
        seccomp_filter_install(filter, NULL) < 0)
        _exit(1);
    lodge_run(&lodge);
    lodge_done(&lodge);
    _exit(0);
}

static void set_up(void)
{
    const volatile BoardSlot *slot;
    int slot_fd = board_create(&slot), link[2], handover[2], park[2];

    ck_assert_int_ge(slot_fd, 0);
    ck_assert_int_eq(link_pair(link), 0);
    ck_assert_int_eq(link_pair(handover), 0);
    ck_assert_int_eq(link_pair(park), 0);
    porter.history_fd = history_create();
    ck_assert_int_eq(history_attach(porter.history_fd, &porter.history), 0);
    porter.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    porter.address.sun_family = AF_UNIX;
    ck_assert_int_eq(bind(porter.listener, (struct sockaddr *)&porter.address, sizeof(sa_family_t)),
                     0);
    porter.address_size = sizeof(porter.address);
    ck_assert_int_eq(
        getsockname(porter.listener, (struct sockaddr *)&porter.address, &porter.address_size), 0);
    ck_assert_int_eq(listen(porter.listener, 128), 0);
    porter.pid = fork();
    if (porter.pid == 0) {
        close(link[0]);
        run_porter(link[1], slot_fd, handover[0], park[0]);
    }
    ck_assert_int_gt(porter.pid, 0);
    close(link[1]);
    porter.link = link[0];
}

static void tear_down(void)
{
    if (porter.pid > 0) {
        kill(porter.pid, SIGKILL);
        waitpid(porter.pid, NULL, 0);
    }
}

/* Milliseconds that its end takes. */
static unsigned expect_end(void)
{
    uint64_t begin_usec = clock_monotonic_usec();
    int status = -1;

    ck_assert_int_eq(waitpid(porter.pid, &status, 0), porter.pid);
    ck_assert_int_eq(status, 0);
    porter.pid = 0;
    return (unsigned)((clock_monotonic_usec() - begin_usec) / USEC_PER_MSEC);
}

/* ---- the manager ---- */

static bool is_readable(int fd, int limit_msec)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, limit_msec) > 0;
}

/* Whether it asks for the state. */
static bool asks(int limit_msec)
{
    LinkMessage m;

    if (!is_readable(porter.link, limit_msec))
        return false;
    ck_assert_int_eq(link_receive(porter.link, MSG_DONTWAIT, &m, NULL, 0, NULL, NULL), 1);
    ck_assert_uint_eq(m.type, LINK_STATUS);
    return true;
}

static void tell(LinkType type, unsigned flags)
{
    LinkMessage m = {.type = type, .flags = flags};

    ck_assert_int_eq(link_send(porter.link, &m, NULL, 0), 0);
}

/* Sends a snapshot with so many workers. */
static void give_news(uint64_t answered, unsigned n_workers)
{
    StatusPool pool = {.version = STATUS_VERSION,
                       .size = sizeof(StatusPool),
                       .worker_size = sizeof(StatusWorker),
                       .n_workers = n_workers,
                       .name = "www",
                       .state = "ready",
                       .started_usec = 1000,
                       .uptime_usec = answered + 1,
                       .requests = answered,
                       .answered = answered,
                       .active = 3};
    LinkMessage m = {.type = LINK_STATUS};
    _cleanup_buffer_ Buffer b = {0};
    int fd;

    ck_assert_int_eq(buffer_append(&b, &pool, sizeof(pool)), 0);
    for (unsigned i = 0; i < n_workers; i++) {
        StatusWorker worker = {.pid = i + 1, .board.state = WORKER_STATE_RUNNING};

        memset(worker.board.uri, 'u', sizeof(worker.board.uri) - 1);
        ck_assert_int_eq(buffer_append(&b, &worker, sizeof(worker)), 0);
    }
    fd = fd_make_sealed("test", b.data, b.size);
    ck_assert_int_eq(link_send(porter.link, &m, &fd, 1), 0);
    close(fd);
}

/* ---- the web server ---- */

static int visit(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&porter.address, porter.address_size), 0);
    return fd;
}

static void put_question(Buffer *b, const char *path, const char *query, unsigned flags)
{
    const char *const pairs[] = {"REQUEST_METHOD", "GET", "SCRIPT_NAME", path,
                                 "QUERY_STRING",   query, NULL};

    fcgi_client_begin(b, 1, FCGI_RESPONDER, flags);
    fcgi_client_params(b, 1, pairs);
    fcgi_client_stream_end(b, FCGI_STDIN, 1);
}

static void ask(int fd, const char *path, const char *query, unsigned flags)
{
    _cleanup_buffer_ Buffer b = {0};

    put_question(&b, path, query, flags);
    ck_assert_int_eq(send(fd, b.data, b.size, MSG_NOSIGNAL), (ssize_t)b.size);
}

/* The text of an answer, until the next one. */
static const char *read_answer(int fd)
{
    static FcgiResponse response;
    uint8_t bytes[4096];
    size_t used;

    fcgi_response_done(&response);
    response = (FcgiResponse){0};
    while (!response.ended) {
        ssize_t n;

        ck_assert_msg(is_readable(fd, 20000), "no answer");
        n = recv(fd, bytes, 1, 0);
        ck_assert_msg(n > 0, "closed instead of an answer");
        ck_assert_int_ge(fcgi_response_push(&response, bytes, (size_t)n, &used), 0);
    }
    ck_assert_int_eq(buffer_append(&response.out, "", 1), 0);
    return response.out.data;
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part);
}

static bool is_at_end(int fd)
{
    return is_readable(fd, 3000) && recv(fd, &(char){0}, 1, 0) <= 0;
}

/* What was sent before has been dealt with: it came at the latest in the round of events of the
 * first question, and the second is of a later round. */
static void settle(void)
{
    for (int i = 0; i < 2; i++) {
        int fd = visit();

        ask(fd, "/ping", "", 0);
        read_answer(fd);
        close(fd);
    }
}

/* Of the first sample, which comes without anybody who asks. */
static void answer_first(void)
{
    ck_assert(asks(3000));
    give_news(1, 0);
    settle(); /* who asks before that has come gets it, too */
}

/* ---- tests ---- */

START_TEST(the_pages)
{
    const char *text;
    int fd = visit();

    answer_first();
    for (int i = 2; i < 5; i++) {
        ask(fd, "/status", i == 3 ? "json" : "", FCGI_KEEP_CONN);
        ck_assert(asks(3000));
        give_news((uint64_t)i * 1000, 2);
        text = read_answer(fd);
        ck_assert(!has(text, "Status:"));
        ck_assert(has(text, i == 3 ? "Content-type: application/json\r\n"
                                   : "Content-type: text/plain;charset=UTF-8\r\n"));
        ck_assert_msg(has(text, i == 3 ? "\"accepted conn\":3000" : "www"), "%s", text);
        ck_assert(!has(text, "X-Fpmd-Snapshot-Age"));
    }
    ask(fd, "/ping", "", FCGI_KEEP_CONN);
    text = read_answer(fd);
    ck_assert(has(text, "\r\n\r\nhello"));
    ck_assert(!has(text, "Status:"));
    ask(fd, "/index.php", "", FCGI_KEEP_CONN);
    ck_assert(has(read_answer(fd), "Status: 404 Not Found\r\n"));
    /* Style and script need nobody. */
    ask(fd, "/status", "style", FCGI_KEEP_CONN);
    ck_assert(has(read_answer(fd), "text/css"));
    tell(LINK_DRAIN, 0);
    settle();
    ask(fd, "/ping", "", 0);
    ck_assert(has(read_answer(fd), "Status: 503"));
    ck_assert(is_at_end(fd));
    ck_assert(!asks(0));
}
END_TEST

/* Who asks while a question is open gets the same answer. */
START_TEST(many_ask_at_once)
{
    int fds[50];

    answer_first();
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = visit();
        ask(fds[i], "/status", "", 0);
    }
    ck_assert(asks(3000));
    settle();
    ck_assert(!asks(0));
    give_news(7777, 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        ck_assert(has(read_answer(fds[i]), "7777"));
        ck_assert(is_at_end(fds[i]));
    }
}
END_TEST

START_TEST(a_silent_manager)
{
    uint64_t begin_usec;
    const char *text;
    int fd = visit();

    /* Nothing is known yet. */
    ck_assert(asks(3000));
    begin_usec = clock_monotonic_usec();
    ask(fd, "/status", "", FCGI_KEEP_CONN);
    text = read_answer(fd);
    ck_assert(has(text, "Status: 503"));
    ck_assert_uint_lt(clock_monotonic_usec() - begin_usec, 1500 * USEC_PER_MSEC);
    ask(fd, "/ping", "", FCGI_KEEP_CONN);
    ck_assert(has(read_answer(fd), "hello"));
    give_news(5, 0);
    settle();
    while (asks(0))
        ;
    ask(fd, "/status", "", FCGI_KEEP_CONN);
    ck_assert(asks(3000));
    give_news(4711, 0);
    ck_assert(has(read_answer(fd), "4711"));
    /* What was known is shown. */
    ask(fd, "/status", "", FCGI_KEEP_CONN);
    text = read_answer(fd);
    ck_assert(has(text, "4711"));
    ck_assert(has(text, "X-Fpmd-Snapshot-Age: 1\r\n"));
    /* Nobody else waits for it. */
    begin_usec = clock_monotonic_usec();
    ask(fd, "/status", "", FCGI_KEEP_CONN);
    ck_assert(has(read_answer(fd), "X-Fpmd-Snapshot-Age:"));
    ck_assert_uint_lt(clock_monotonic_usec() - begin_usec, 900 * USEC_PER_MSEC);
    /* Its answer ends that. */
    while (asks(0))
        ;
    give_news(4712, 0);
    settle();
    while (asks(0))
        ;
    ask(fd, "/status", "", 0);
    ck_assert(asks(3000));
    give_news(4713, 0);
    text = read_answer(fd);
    ck_assert(has(text, "4713") && !has(text, "X-Fpmd"));
}
END_TEST

/* Far more than there is room for, silent ones and such that do not read. */
START_TEST(slow_visitors)
{
    int silent[100], deaf[40], fd;

    answer_first();
    for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
        silent[i] = visit();
    for (size_t i = 0; i < ARRAY_SIZE(deaf); i++) {
        deaf[i] = visit();
        ask(deaf[i], "/status", "full", FCGI_KEEP_CONN);
    }
    ck_assert(asks(3000));
    give_news(1, 1000);
    settle(); /* pages of a megabyte are made */
    while (asks(0))
        give_news(1, 1000);
    fd = visit();
    ask(fd, "/status", "json", 0);
    ck_assert(asks(3000));
    give_news(99, 1);
    ck_assert(has(read_answer(fd), "99"));
    ck_assert(is_at_end(silent[0]));
    close(fd);
}
END_TEST

/* Half a question, and an answer that nobody reads: five seconds. Who is silent may stay. */
START_TEST(the_time_of_a_visit)
{
    int half = visit(), deaf = visit(), silent = visit();
    struct pollfd end_of_deaf = {.fd = deaf, .events = POLLRDHUP};
    uint64_t begin_usec = clock_monotonic_usec();

    answer_first();
    ck_assert_int_eq(send(half, "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0", 16, 0), 16);
    ask(deaf, "/status", "full", FCGI_KEEP_CONN);
    ck_assert(asks(3000));
    give_news(1, 1000);
    ck_assert(is_readable(half, 7000));
    ck_assert(is_at_end(half));
    ck_assert_uint_ge(clock_monotonic_usec() - begin_usec, 4900 * USEC_PER_MSEC);
    ck_assert_int_eq(poll(&end_of_deaf, 1, 3000), 1); /* before anything of it is read */
    for (ssize_t n = 1, sum = 0; n > 0; sum += n) {
        static char bytes[65536];

        ck_assert(is_readable(deaf, 1000));
        n = recv(deaf, bytes, sizeof(bytes), 0);
        ck_assert_int_lt(sum, 1000000);
    }
    ck_assert(!is_readable(silent, 0));
}
END_TEST

/* A question may come in any pieces, several at once, and end with a half-closed connection. */
START_TEST(pieces)
{
    _cleanup_buffer_ Buffer b = {0};
    int fd = visit();

    answer_first();
    put_question(&b, "/ping", "", FCGI_KEEP_CONN);
    for (size_t i = 0; i < b.size; i++) {
        ck_assert_int_eq(send(fd, b.data + i, 1, 0), 1);
        if (i % 16 == 0)
            usleep(1000);
    }
    ck_assert(has(read_answer(fd), "hello"));
    for (int i = 0; i < 300; i++)
        put_question(&b, i % 3 ? "/ping" : "/status", "", FCGI_KEEP_CONN);
    if (fork() == 0) {
        send(fd, b.data, b.size, 0);
        shutdown(fd, SHUT_WR);
        _exit(0);
    }
    for (int i = -1; i < 300; i++) {
        bool status = i >= 0 && i % 3 == 0;

        if (status && asks(50)) /* there is a bound in a second */
            give_news(1, 0);
        ck_assert(has(read_answer(fd), status ? "accepted conn" : "hello"));
    }
    ck_assert(is_at_end(fd));
}
END_TEST

static const struct {
    const char *bytes;
    size_t n;
} hostile[] = {
    {"GET / HTTP/1.0\r\n\r\n", 18},
    {"\1\1\0\1\0\3\0\0\0\1\0", 11},                             /* BEGIN of a wrong size */
    {"\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\5\0\1\0\1\0\0x", 25}, /* body before the head's end */
};

START_TEST(nonsense_is_closed)
{
    int fd = visit();

    answer_first();
    ck_assert_int_eq(send(fd, hostile[_i].bytes, hostile[_i].n, 0), (ssize_t)hostile[_i].n);
    ck_assert(is_at_end(fd));
    fd = visit();
    ask(fd, "/ping", "", 0);
    ck_assert(has(read_answer(fd), "hello"));
}
END_TEST

START_TEST(a_large_head_is_closed)
{
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_free_ char *big = malloc(200001);
    const char *pairs[] = {"COOKIE", big, NULL};
    int fd = visit();

    memset(big, 'x', 200000);
    big[200000] = 0;
    answer_first();
    fcgi_client_begin(&b, 1, FCGI_RESPONDER, 0);
    fcgi_client_params(&b, 1, pairs);
    send(fd, b.data, b.size, MSG_NOSIGNAL);
    ck_assert(is_at_end(fd));
}
END_TEST

/* Values, a second request, other roles: as workers answer them. */
START_TEST(management)
{
    _cleanup_buffer_ Buffer b = {0};
    uint8_t record[64], *end;
    int fd = visit();

    answer_first();
    end = fcgi_put_pair(record + FCGI_HEADER_SIZE, "FCGI_MPXS_CONNS", 15, "", 0);
    fcgi_put_header(record, FCGI_GET_VALUES, 0, (size_t)(end - record) - FCGI_HEADER_SIZE, 0);
    ck_assert_int_eq(send(fd, record, (size_t)(end - record), 0), end - record);
    ck_assert(is_readable(fd, 3000));
    ck_assert_int_eq(recv(fd, record, sizeof(record), 0), 8 + 2 + 15 + 1);
    ck_assert_uint_eq(record[1], FCGI_GET_VALUES_RESULT);
    ck_assert_mem_eq(record + 8, "\17\1FCGI_MPXS_CONNS0", 18);
    fcgi_client_begin(&b, 3, FCGI_AUTHORIZER, FCGI_KEEP_CONN);
    fcgi_client_params(&b, 3, (const char *const[]){"SCRIPT_NAME", "/ping", NULL});
    ck_assert_int_eq(send(fd, b.data, b.size, 0), (ssize_t)b.size);
    ck_assert(has(read_answer(fd), "hello"));
}
END_TEST

/* The first sample is the beginning, the second one the difference. */
START_TEST(the_history)
{
    ck_assert(asks(3000));
    give_news(100, 0);
    ck_assert(asks((HISTORY_STEP_SEC + 3) * 1000));
    give_news(150, 0);
    for (int i = 0; i < 2000 && porter.history->n == 0; i++)
        usleep(1000);
    ck_assert_uint_eq(porter.history->n, 1);
    ck_assert_uint_eq(porter.history->samples[0].requests, 50);
    ck_assert_uint_eq(porter.history->samples[0].active, 3);
}
END_TEST

/* Whoever has asked is answered from what is known, who has not asked yet may, and kept connections
 * are closed. */
START_TEST(leaves)
{
    int kept = visit(), asking = visit(), silent = visit();

    answer_first();
    ask(kept, "/ping", "", FCGI_KEEP_CONN);
    ck_assert(has(read_answer(kept), "hello"));
    ask(asking, "/status", "", FCGI_KEEP_CONN);
    ck_assert(asks(3000));
    if (_i == 0)
        tell(LINK_LEAVE, 0);
    else
        close(porter.link);
    ck_assert(is_at_end(kept));
    ask(silent, "/ping", "", FCGI_KEEP_CONN);
    ck_assert(has(read_answer(silent), "hello"));
    ck_assert(is_at_end(silent));
    ck_assert(has(read_answer(asking), "accepted conn"));
    ck_assert(is_at_end(asking));
    ck_assert_uint_lt(expect_end(), 1500);
}
END_TEST

START_TEST(leaves_who_never_asks)
{
    int silent = visit();

    answer_first();
    tell(LINK_LEAVE, 0);
    ck_assert(is_at_end(silent));
    ck_assert_uint_lt(expect_end(), 1500);
}
END_TEST

static Suite *desk_suite(void)
{
    Suite *s = suite_create("porter/desk");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, the_pages);
    tcase_add_test(t, many_ask_at_once);
    tcase_add_test(t, a_silent_manager);
    tcase_add_test(t, slow_visitors);
    tcase_add_test(t, the_time_of_a_visit);
    tcase_add_test(t, pieces);
    tcase_add_loop_test(t, nonsense_is_closed, 0, ARRAY_SIZE(hostile));
    tcase_add_test(t, a_large_head_is_closed);
    tcase_add_test(t, management);
    tcase_add_test(t, the_history);
    tcase_add_loop_test(t, leaves, 0, 2);
    tcase_add_test(t, leaves_who_never_asks);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(desk_suite)
