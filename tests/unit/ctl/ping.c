/*
 * "fpmctl ping" against pools of our own.
 */

#include "fpmctl.h"
#include "base/fd.h"
#include "fcgi/wire.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static pid_t pool_pid;

static void set_up(void)
{
    server_init(&server);
    pool_pid = 0;
}

static void stop_pool(void)
{
    if (pool_pid <= 0)
        return;
    kill(pool_pid, SIGKILL);
    waitpid(pool_pid, NULL, 0);
    pool_pid = 0;
}

static void tear_down(void)
{
    stop_pool();
    server_done(&server);
}

static void write_pool(const char *more)
{
    char text[1024];

    snprintf(text, sizeof(text), "%slisten = %s/pool.sock\n%s", good_file(), server.dir, more);
    server_write(&server, "good.conf", text);
}

/* What a pool sends to whoever comes, after the bytes of the question; data NULL: nothing. */
static void start_pool(const void *data, size_t n)
{
    _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char question[4096];

    stop_pool();
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/pool.sock", server.dir);
    unlink(address.sun_path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    pool_pid = fork();
    ck_assert_int_ge(pool_pid, 0);
    if (pool_pid != 0)
        return;
    for (;;) {
        int client = accept(fd, NULL, NULL);
        const char *p = data;

        ck_assert_int_gt(recv(client, question, sizeof(question), 0), 0);
        if (!data)
            continue;
        /* In pieces, as a network would. */
        for (size_t done = 0; done < n; done++)
            send(client, p + done, 1, MSG_NOSIGNAL);
        close(client);
    }
}

static void start_answering(const char *text)
{
    char data[1024];
    size_t n = strlen(text);

    fcgi_put_header((uint8_t *)data, FCGI_STDOUT, 1, n, 0);
    memcpy(data + FCGI_HEADER_SIZE, text, n);
    n += FCGI_HEADER_SIZE;
    fcgi_put_end_request((uint8_t *)data + n, 1, 0, FCGI_REQUEST_COMPLETE);
    start_pool(data, n + FCGI_END_REQUEST_SIZE);
}

#define PING "ping.path = /ping\n"

START_TEST(answers)
{
    write_pool(PING);
    start_answering("Content-Type: text/plain\r\n\r\npong");
    ck_assert_int_eq(run(WORDS("ping", "good")), 0);
    assert_has(output, "good: pong (");
    ck_assert_str_eq(errors, "");
    ck_assert_int_eq(run(WORDS("ping", "good", "-o", "json")), 0);
    assert_has(output, "{\n  \"pool\": \"good\",\n  \"ok\": true,\n  \"address\": \"/");
    assert_has(output, "pool.sock\",\n  \"status\": 200,\n  \"usec\": ");
    assert_has(output, ",\n  \"text\": \"pong\"\n}\n");
}
END_TEST

START_TEST(is_not_well)
{
    static const struct {
        const char *answer, *says;
    } cases[] = {
        {"Status: 503 Service Unavailable\r\n\r\npong", "answered 503: it is being drained"},
        {"Content-Type: a/b\r\nstatus:404\r\n\r\npong", "answered 404"},
        {"Content-Type: a/b\r\n\r\np\033ong", "answered 'p?ong', expected 'pong'"},
        {"Content-Type: a/b\r\n\r\n", "answered '', expected 'pong'"},
        {"no headers", "the answer is no FastCGI"},
    };

    write_pool(PING);
    start_answering(cases[_i].answer);
    ck_assert_int_eq(run(WORDS("ping", "good")), 1);
    assert_has(errors, cases[_i].says);
    ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(is_no_pool)
{
    write_pool(PING);
    ck_assert_int_eq(run(WORDS("ping", "good")), 1);
    assert_has(errors, "pool.sock: nobody listens there");
    start_pool("HTTP/1.1 400 Bad Request", 24);
    ck_assert_int_eq(run(WORDS("ping", "good")), 1);
    assert_has(errors, "the answer is no FastCGI");
    start_pool("", 0);
    ck_assert_int_eq(run(WORDS("ping", "good", "-o", "json")), 1);
    assert_has(errors, "the connection was closed without an answer");
    assert_has(output, "\"ok\": false");
    start_pool(NULL, 0);
    ck_assert_int_eq(run(WORDS("ping", "good", "--timeout=200ms")), 1);
    assert_has(errors, "no answer in 0.2 s");
}
END_TEST

/* FastCGI's own question, where the pool has no ping.path. */
START_TEST(without_ping_path)
{
    uint8_t values[FCGI_HEADER_SIZE];

    fcgi_put_header(values, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, 0, 0);
    write_pool("");
    start_pool(values, sizeof(values));
    ck_assert_int_eq(run(WORDS("ping", "good")), 0);
    assert_has(output, "good: answers (");
    ck_assert_int_eq(run(WORDS("ping", "--status", "good")), 78);
    assert_has(errors, "neither ping.path nor pm.status_path is set");
}
END_TEST

static Suite *ping_suite(void)
{
    Suite *s = suite_create("ctl/ping");
    TCase *tc = tcase_create("ping");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, answers);
    tcase_add_loop_test(tc, is_not_well, 0, 5);
    tcase_add_test(tc, is_no_pool);
    tcase_add_test(tc, without_ping_path);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(ping_suite)
