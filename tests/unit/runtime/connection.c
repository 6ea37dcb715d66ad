#include "fcgi/client.h"
#include "runtime/connection.h"
#include "../run.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A worker's end and the web server's end of one connection. */
typedef struct Pair {
    BoardSlot slot;
    ConnectionShared *shared;
    Connection *c;
    int peer;
} Pair;

static const char *const hello_params[] = {
    "REQUEST_METHOD", "GET", "REQUEST_URI", "/hello?x", "SCRIPT_FILENAME", "/srv/hello.php",
    "CONTENT_LENGTH", "4",   NULL};

static void pair_open(Pair *p, int type)
{
    int fds[2];

    *p = (Pair){0};
    ck_assert_int_eq(socketpair(AF_UNIX, type, 0, fds), 0);
    p->shared = connection_shared_new(&p->slot, 8, 1);
    p->c = connection_new(p->shared, fds[0], 1000);
    p->peer = fds[1];
    ck_assert_uint_eq(p->slot.connections, 1);
    ck_assert(connection_is_idle(p->c));
}

static void pair_close(Pair *p)
{
    connection_free(p->c);
    ck_assert_uint_eq(p->slot.connections, 0);
    connection_shared_free(p->shared);
    if (p->peer >= 0)
        close(p->peer);
}

static void peer_send(const Pair *p, const void *data, size_t n)
{
    if (n > 0)
        ck_assert_int_eq(send(p->peer, data, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void peer_send_buffer(const Pair *p, Buffer *b)
{
    peer_send(p, b->data, b->size);
    buffer_done(b);
}

static void head(Buffer *b, unsigned id, unsigned role, unsigned flags)
{
    fcgi_client_begin(b, id, role, flags);
    fcgi_client_params(b, id, hello_params);
}

/* A whole request; body may be NULL. */
static void request(Buffer *b, unsigned id, unsigned flags, const char *body)
{
    head(b, id, FCGI_RESPONDER, flags);
    if (body)
        fcgi_client_stream(b, FCGI_STDIN, id, body, strlen(body));
    fcgi_client_stream_end(b, FCGI_STDIN, id);
}

/* Reads an answer as far as its END_REQUEST and compares. */
static void expect_answer(const Pair *p, const char *out, const char *err, unsigned protocol_status,
                          uint32_t app_status)
{
    FcgiResponse r = {0};
    uint8_t byte;
    size_t used;

    while (!r.ended) {
        ck_assert_int_eq(recv(p->peer, &byte, 1, 0), 1);
        ck_assert_int_ge(fcgi_response_push(&r, &byte, 1, &used), 0);
    }
    ck_assert_uint_eq(r.out.size, strlen(out));
    ck_assert_mem_eq(r.out.data ? r.out.data : "", out, r.out.size);
    ck_assert_uint_eq(r.err.size, strlen(err));
    ck_assert_mem_eq(r.err.data ? r.err.data : "", err, r.err.size);
    ck_assert_uint_eq(r.protocol_status, protocol_status);
    ck_assert_uint_eq(r.app_status, app_status);
    fcgi_response_done(&r);
}

static void expect_silence(const Pair *p)
{
    char byte;

    ck_assert_int_eq(recv(p->peer, &byte, 1, MSG_DONTWAIT), -1);
    ck_assert_int_eq(errno, EAGAIN);
}

/* Packets keep the borders of system calls: the whole answer is one send. */
START_TEST(a_small_answer_is_one_send)
{
    static const char expected[] = "\1\6\0\1\0\27\0\0Status: 200 OK\r\n\r\nhello"
                                   "\1\6\0\1\0\0\0\0"
                                   "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0";
    char answer[512];
    Buffer b = {0};
    Request *r;
    Pair p;

    pair_open(&p, SOCK_SEQPACKET);
    request(&b, 1, 0, "body");
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 2000), CONNECTION_REQUEST);
    r = connection_request(p.c, 3000);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_RUNNING);
    ck_assert_uint_eq(p.slot.request_started_usec, 3000);
    ck_assert_uint_eq(p.slot.content_length, 4);
    ck_assert_uint_eq(p.slot.requests, 1);
    ck_assert_str_eq(p.slot.method, "GET");
    ck_assert_str_eq(p.slot.uri, "/hello?x");
    ck_assert_uint_eq(request_role(r), FCGI_RESPONDER);
    ck_assert_str_eq(request_param(r, "SCRIPT_FILENAME"), "/srv/hello.php");
    ck_assert_ptr_null(request_param(r, "NOPE"));
    ck_assert(!request_started_output(r));
    ck_assert_int_eq(request_write(r, "Status: 200 OK\r\n", 16), 0);
    ck_assert_int_eq(request_write(r, "", 0), 0);
    ck_assert_int_eq(request_write(r, "\r\nhello", 7), 0);
    ck_assert(request_started_output(r));
    request_note_script(r, "/srv/hello.php");
    request_note_status(r, 200);
    expect_silence(&p);
    ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_CLOSED);
    ck_assert_ptr_null(connection_error(p.c));
    ck_assert_int_eq(recv(p.peer, answer, sizeof(answer), 0), sizeof(expected));
    ck_assert_mem_eq(answer, expected, sizeof(expected));
    expect_silence(&p);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_IDLE);
    ck_assert_uint_eq(p.slot.last_active_usec, 4000);
    ck_assert_uint_eq(p.slot.bytes_out, 23);
    ck_assert_uint_eq(p.slot.status, 200);
    ck_assert_str_eq(p.slot.script, "/srv/hello.php");
    pair_close(&p);
}
END_TEST

/* What is shown of a request; the next one begins with nothing of it. */
START_TEST(the_slot_says_what_the_request_is)
{
    static const char *const params[] = {"REQUEST_METHOD", "GET", "QUERY_STRING", "x", NULL};
    BoardSlot seen;
    Buffer b = {0};
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    p.slot.version = BOARD_SLOT_VERSION;
    fcgi_client_begin(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_params(&b, 1, params);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    request(&b, 1, FCGI_KEEP_CONN, "");
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 2000), CONNECTION_REQUEST);
    r = connection_request(p.c, 3000);
    ck_assert_str_eq(p.slot.query, "x");
    request_note_script(r, "/srv/hello.php");
    request_note_name(r, "/hello\n", "joe");
    request_note_use(r, 500, 2097152);
    ck_assert_uint_eq(p.slot.memory_peak_bytes, 0);
    ck_assert_int_eq(request_read_slot(r, 3500, &seen), 0);
    ck_assert_str_eq(seen.name, "/hello?");
    ck_assert_str_eq(seen.user, "joe");
    ck_assert_int_eq(connection_end(p.c, 0, true, 4000), CONNECTION_REQUEST);
    ck_assert_str_eq(p.slot.script, "/srv/hello.php");
    ck_assert_uint_eq(p.slot.cpu_usec, 500);
    ck_assert_uint_eq(p.slot.memory_peak_bytes, 2097152);

    r = connection_request(p.c, 5000);
    ck_assert_str_eq(p.slot.query, "");
    ck_assert_str_eq(p.slot.script, "");
    ck_assert_str_eq(p.slot.name, "");
    ck_assert_str_eq(p.slot.user, "");
    request_note_name(r, NULL, NULL);
    ck_assert_int_eq(connection_end(p.c, 0, true, 6000), CONNECTION_WAIT);
    ck_assert_uint_eq(p.slot.cpu_usec, 0);
    pair_close(&p);
}
END_TEST

/* Twice on one kept connection, the bytes cut at every place. */
START_TEST(a_request_at_every_split)
{
    Buffer b = {0};
    Pair p;

    pair_open(&p, SOCK_STREAM);
    request(&b, 3, FCGI_KEEP_CONN, "body");
    for (size_t at = 0; at <= b.size; at++) {
        ConnectionOutcome outcome;
        char body[8];
        Request *r;

        peer_send(&p, b.data, at);
        outcome = connection_receive(p.c, 1);
        ck_assert(outcome == CONNECTION_WAIT || outcome == CONNECTION_REQUEST);
        ck_assert_int_eq(connection_is_idle(p.c), at == 0);
        if (outcome == CONNECTION_WAIT)
            ck_assert_int_eq(p.slot.state == WORKER_STATE_READING, at >= 16);
        peer_send(&p, b.data + at, b.size - at);
        if (outcome == CONNECTION_WAIT)
            ck_assert_int_eq(connection_receive(p.c, 2), CONNECTION_REQUEST);
        r = connection_request(p.c, 3);
        ck_assert_str_eq(request_param(r, "REQUEST_URI"), "/hello?x");
        for (size_t got = 0; got < 4;) {
            ssize_t n = request_read(r, body + got, sizeof(body) - got);

            ck_assert_int_gt(n, 0);
            got += (size_t)n;
        }
        ck_assert_mem_eq(body, "body", 4);
        ck_assert_int_eq(request_read(r, body, sizeof(body)), 0);
        ck_assert_int_eq(request_write(r, body, 4), 0);
        ck_assert_int_eq(connection_end(p.c, (uint32_t)at, true, 4), CONNECTION_WAIT);
        expect_answer(&p, "body", "", FCGI_REQUEST_COMPLETE, (uint32_t)at);
        ck_assert(connection_is_idle(p.c));
        ck_assert_uint_eq(p.slot.state, WORKER_STATE_IDLE);
    }
    ck_assert_uint_eq(p.slot.requests, b.size + 1);
    ck_assert_uint_eq(p.slot.bytes_in, 4 * (b.size + 1));
    ck_assert_uint_eq(p.slot.protocol_errors, 0);
    buffer_done(&b);
    close(p.peer);
    p.peer = -1;
    ck_assert_int_eq(connection_receive(p.c, 5), CONNECTION_CLOSED);
    ck_assert_ptr_null(connection_error(p.c));
    pair_close(&p);
}
END_TEST

#define BULK_SIZE (5u * 1024 * 1024 + 123)

static uint8_t bulk_byte(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

/* The web server's side: a large body out, the echo back, checked. */
static void *bulk_peer(void *argument)
{
    const Pair *p = argument;
    Buffer b = {0};
    FcgiResponse r = {0};
    uint8_t chunk[8192];
    size_t used;

    head(&b, 1, FCGI_RESPONDER, 0);
    for (size_t i = 0, n = 0; i < BULK_SIZE; i++) {
        chunk[n++] = bulk_byte(i);
        if (n < 4099 && i + 1 < BULK_SIZE)
            continue;
        fcgi_client_stream(&b, FCGI_STDIN, 1, chunk, n);
        n = 0;
    }
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    for (size_t at = 0; at < b.size;) {
        ssize_t n = send(p->peer, b.data + at, b.size - at, MSG_NOSIGNAL);

        ck_assert_int_gt(n, 0);
        at += (size_t)n;
    }
    while (!r.ended) {
        ssize_t n = recv(p->peer, chunk, sizeof(chunk), 0);

        ck_assert_int_gt(n, 0);
        ck_assert_int_ge(fcgi_response_push(&r, chunk, (size_t)n, &used), 0);
    }
    ck_assert_uint_eq(r.out.size, BULK_SIZE);
    for (size_t i = 0; i < BULK_SIZE; i++) /* each ck_assert costs a system call */
        if ((uint8_t)r.out.data[i] != bulk_byte(i))
            ck_abort_msg("byte %zu", i);
    ck_assert_uint_eq(r.err.size, 3);
    fcgi_response_done(&r);
    buffer_done(&b);
    return NULL;
}

static const size_t write_sizes[] = {1,     4096,  8192,  32000,   32700,
                                     32768, 65528, 65529, 1 << 20, 3 << 20};

/* Body and answer larger than every buffer; the answer is written in pieces of one size. */
START_TEST(bulk_both_ways)
{
    uint8_t *body = malloc(BULK_SIZE + 1);
    size_t got = 0, step = write_sizes[_i];
    pthread_t thread;
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    ck_assert_int_eq(pthread_create(&thread, NULL, bulk_peer, &p), 0);
    while (connection_receive(p.c, 1) != CONNECTION_REQUEST)
        usleep(100);
    r = connection_request(p.c, 1);
    for (ssize_t n;
         (n = request_read(r, body + got, MIN(BULK_SIZE + 1 - got, (size_t)100000))) != 0;) {
        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    ck_assert_uint_eq(got, BULK_SIZE);
    for (size_t at = 0; at < got; at += MIN(step, got - at)) {
        if (request_write(r, body + at, MIN(step, got - at)) < 0)
            ck_abort_msg("write at %zu", at);
        if (at == 0)
            ck_assert_int_eq(request_write_error(r, "err", 3), 0);
    }
    ck_assert_int_eq(request_flush(r), 0);
    ck_assert_uint_eq(p.slot.bytes_out, BULK_SIZE);
    ck_assert_int_eq(connection_end(p.c, 0, true, 4), CONNECTION_CLOSED);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(p.slot.bytes_in, BULK_SIZE);
    free(body);
    pair_close(&p);
}
END_TEST

static void expect_params(const Request *r)
{
    for (size_t i = 0; hello_params[i]; i += 2)
        ck_assert_str_eq(request_param(r, hello_params[i]), hello_params[i + 1]);
}

/* They are where the bytes of the head were read to. */
START_TEST(parameters_stay_while_the_body_is_read)
{
    static uint8_t body[70000], got[sizeof(body)];
    Buffer b = {0};
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    memset(body, 'b', sizeof(body));
    head(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    expect_params(r);
    fcgi_client_stream(&b, FCGI_STDIN, 1, body, sizeof(body));
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    request(&b, 2, FCGI_KEEP_CONN, NULL); /* and the next one, sent ahead */
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(request_read(r, got, sizeof(got)), sizeof(got));
    ck_assert_mem_eq(got, body, sizeof(body));
    expect_params(r);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_REQUEST);
    r = connection_request(p.c, 2);
    expect_params(r);
    ck_assert_int_eq(connection_end(p.c, 0, true, 3), CONNECTION_WAIT);
    pair_close(&p);
}
END_TEST

/* A head in two pieces, and one beside it between them: nothing of the first one is lost. */
START_TEST(parameters_of_a_half_head_are_kept)
{
    Connection *other;
    Buffer b = {0}, whole = {0};
    Request *r;
    size_t first;
    int fds[2];
    Pair p;

    head(&whole, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    for (first = 17; first < whole.size; first++) {
        pair_open(&p, SOCK_STREAM);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        other = connection_new(p.shared, fds[0], 1);
        peer_send(&p, whole.data, first);
        ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_WAIT);
        request(&b, 7, FCGI_KEEP_CONN, "body of another one");
        ck_assert_int_eq(send(fds[1], b.data, b.size, 0), (ssize_t)b.size);
        buffer_done(&b);
        ck_assert_int_eq(connection_receive(other, 1), CONNECTION_REQUEST);
        expect_params(connection_request(other, 1));
        connection_end(other, 0, true, 1);
        peer_send(&p, whole.data + first, whole.size - first);
        ck_assert_int_eq(connection_receive(p.c, 2), CONNECTION_REQUEST);
        r = connection_request(p.c, 2);
        expect_params(r);
        connection_end(p.c, 0, true, 3);
        connection_free(other);
        close(fds[1]);
        pair_close(&p);
    }
    buffer_done(&whole);
}
END_TEST

START_TEST(an_unread_body_lingers)
{
    char byte;
    Buffer b = {0};
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_RESPONDER, 0);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "unread", 6);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    request_write(r, "answer", 6);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_LINGER);
    ck_assert(!connection_is_idle(p.c));
    peer_send(&p, "more and more", 13);
    ck_assert_int_eq(connection_receive(p.c, 3), CONNECTION_LINGER);
    expect_answer(&p, "answer", "", FCGI_REQUEST_COMPLETE, 0);
    ck_assert_int_eq(recv(p.peer, &byte, 1, 0), 0);
    ck_assert_int_eq(connection_receive(p.c, 4), CONNECTION_LINGER);
    close(p.peer);
    p.peer = -1;
    ck_assert_int_eq(connection_receive(p.c, 5), CONNECTION_CLOSED);
    pair_close(&p);
}
END_TEST

/* The end of the body had come, only nobody had read it: no lingering. */
START_TEST(a_body_that_is_here_does_not_linger)
{
    Buffer b = {0};
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_RESPONDER, 0);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "un", 2);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    connection_request(p.c, 1);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "read", 4);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_CLOSED);
    expect_answer(&p, "", "", FCGI_REQUEST_COMPLETE, 0);
    pair_close(&p);
}
END_TEST

START_TEST(an_unread_body_of_a_kept_connection_is_skipped)
{
    Buffer b = {0};
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "unread", 6);
    peer_send(&p, b.data, b.size - 3);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    connection_request(p.c, 1);
    ck_assert_int_eq(connection_end(p.c, 1, true, 2), CONNECTION_WAIT);
    ck_assert(!connection_is_idle(p.c));
    peer_send(&p, b.data + b.size - 3, 3);
    buffer_done(&b);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_WAIT);
    ck_assert(connection_is_idle(p.c));
    request(&b, 1, 0, NULL);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    connection_request(p.c, 1);
    ck_assert_int_eq(connection_end(p.c, 2, true, 2), CONNECTION_CLOSED);
    expect_answer(&p, "", "", FCGI_REQUEST_COMPLETE, 1);
    expect_answer(&p, "", "", FCGI_REQUEST_COMPLETE, 2);
    pair_close(&p);
}
END_TEST

START_TEST(the_next_request_may_be_here_already)
{
    Buffer b = {0};
    char body[16];
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    request(&b, 1, FCGI_KEEP_CONN, "one");
    request(&b, 2, FCGI_KEEP_CONN, "two");
    request(&b, 3, FCGI_KEEP_CONN, "three");
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    connection_request(p.c, 1);
    ck_assert_int_eq(connection_end(p.c, 1, true, 2), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), 3);
    ck_assert_mem_eq(body, "two", 3);
    ck_assert_int_eq(connection_end(p.c, 2, true, 2), CONNECTION_REQUEST);
    connection_request(p.c, 1);
    /* The last request of a worker: a kept connection goes too. */
    ck_assert_int_eq(connection_end(p.c, 3, false, 2), CONNECTION_CLOSED);
    for (uint32_t i = 1; i <= 3; i++)
        expect_answer(&p, "", "", FCGI_REQUEST_COMPLETE, i);
    pair_close(&p);
}
END_TEST

START_TEST(management_records_are_answered)
{
    static const uint8_t ask[] = "\1\11\0\0\0\56\0\0\17\0FCGI_MPXS_CONNS\16\0FCGI_MAX_CONNS"
                                 "\13\0WHAT_IS_IT?\1\77\0\0\0\0\0";
    static const uint8_t expected[] = "\1\12\0\0\0\43\0\0\16\1FCGI_MAX_CONNS8"
                                      "\17\1FCGI_MPXS_CONNS0"
                                      "\1\13\0\0\0\10\0\0\77\0\0\0\0\0\0";
    char answer[128];
    Pair p;

    pair_open(&p, SOCK_SEQPACKET);
    peer_send(&p, ask, sizeof(ask));
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_WAIT);
    ck_assert_int_eq(recv(p.peer, answer, sizeof(answer), MSG_DONTWAIT), sizeof(expected));
    ck_assert_mem_eq(answer, expected, sizeof(expected));
    ck_assert(connection_is_idle(p.c));
    pair_close(&p);
}
END_TEST

/* While a program reads its body: answers come at once and between whole records. */
START_TEST(other_requests_are_refused_while_one_runs)
{
    Buffer b = {0};
    char body[16];
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_begin(&b, 2, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_stream(&b, FCGI_STDIN, 2, "no", 2);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "yes", 3);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    ck_assert_int_eq(request_write(r, "before", 6), 0);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), 3);
    ck_assert_mem_eq(body, "yes", 3);
    expect_answer(&p, "before", "", FCGI_CANT_MPX_CONN, 0);
    ck_assert_int_eq(request_write(r, "after", 5), 0);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_WAIT);
    expect_answer(&p, "after", "", FCGI_REQUEST_COMPLETE, 0);
    pair_close(&p);
}
END_TEST

static const struct {
    unsigned role, flags;
    bool abort;
    unsigned status;
    ConnectionOutcome outcome;
} unborn[] = {
    {9, FCGI_KEEP_CONN, false, FCGI_UNKNOWN_ROLE, CONNECTION_WAIT},
    {9, 0, false, FCGI_UNKNOWN_ROLE, CONNECTION_LINGER},
    {FCGI_RESPONDER, FCGI_KEEP_CONN, true, FCGI_REQUEST_COMPLETE, CONNECTION_WAIT},
    {FCGI_RESPONDER, 0, true, FCGI_REQUEST_COMPLETE, CONNECTION_LINGER},
};

START_TEST(requests_that_never_run)
{
    Buffer b = {0};
    Pair p;

    pair_open(&p, SOCK_STREAM);
    fcgi_client_begin(&b, 1, unborn[_i].role, unborn[_i].flags);
    fcgi_client_stream(&b, FCGI_PARAMS, 1, "\1\1a", 3);
    if (unborn[_i].abort)
        fcgi_client_stream_end(&b, FCGI_ABORT_REQUEST, 1);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), unborn[_i].outcome);
    expect_answer(&p, "", "", unborn[_i].status, 0);
    ck_assert_uint_eq(p.slot.requests, 0);
    ck_assert_uint_eq(p.slot.abandoned, unborn[_i].abort);
    if (unborn[_i].outcome == CONNECTION_WAIT) {
        ck_assert(connection_is_idle(p.c));
        request(&b, 1, FCGI_KEEP_CONN, NULL);
        peer_send_buffer(&p, &b);
        ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
        ck_assert_uint_eq(request_params(connection_request(p.c, 1))->n, 5); /* REQUEST_ID */
        ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_WAIT);
    }
    pair_close(&p);
}
END_TEST

/* The web server has given it up before it began. */
START_TEST(abort_behind_the_head)
{
    unsigned flags = _i == 0 ? 0 : FCGI_KEEP_CONN;
    Buffer b = {0};
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_RESPONDER, flags);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "ab", 2);
    if (_i == 2)
        fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    fcgi_client_stream_end(&b, FCGI_ABORT_REQUEST, 1);
    if (flags)
        request(&b, 2, 0, "cd");
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), flags ? CONNECTION_REQUEST : CONNECTION_LINGER);
    ck_assert_uint_eq(p.slot.abandoned, 1);
    ck_assert_uint_eq(p.slot.requests, 0);
    expect_answer(&p, "", "", FCGI_REQUEST_COMPLETE, 0);
    if (flags) {
        char body[8];

        ck_assert_int_eq(request_read(connection_request(p.c, 1), body, sizeof(body)), 2);
        ck_assert_mem_eq(body, "cd", 2);
        ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_CLOSED);
    } else {
        ck_assert_uint_eq(p.slot.state, WORKER_STATE_IDLE);
    }
    pair_close(&p);
}
END_TEST

START_TEST(abort_while_running)
{
    Buffer b = {0};
    char body[16];
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "ab", 2);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    ck_assert_int_eq(request_write(r, "unwanted", 8), 0);
    fcgi_client_stream_end(&b, FCGI_ABORT_REQUEST, 1);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), 2);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), -EPIPE);
    ck_assert(request_aborted(r));
    ck_assert_int_eq(request_write(r, "x", 1), -EPIPE);
    ck_assert_int_eq(request_flush(r), -EPIPE);
    ck_assert_int_eq(connection_end(p.c, 5, true, 2), CONNECTION_WAIT);
    expect_answer(&p, "", "", FCGI_REQUEST_COMPLETE, 5);
    pair_close(&p);
}
END_TEST

START_TEST(a_peer_that_is_gone)
{
    Buffer b = {0};
    char body[16];
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    peer_send_buffer(&p, &b);
    close(p.peer);
    p.peer = -1;
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    if (_i == 0) {
        ck_assert_int_eq(request_read(r, body, sizeof(body)), -EPIPE);
    } else {
        ck_assert_int_eq(request_write(r, "x", 1), 0);
        ck_assert(!request_aborted(r));
        ck_assert_int_eq(request_flush(r), -EPIPE);
    }
    ck_assert(request_aborted(r));
    ck_assert_int_eq(request_write(r, "x", 1), -EPIPE);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_CLOSED);
    pair_close(&p);
}
END_TEST

START_TEST(broken_bytes)
{
    Buffer b = {0};
    Pair p;

    pair_open(&p, SOCK_STREAM);
    if (_i == 0) {
        peer_send(&p, "GET / HTTP/1.0\r\n\r\n", 18);
    } else {
        fcgi_client_begin(&b, 1, FCGI_RESPONDER, 0);
        fcgi_client_stream(&b, FCGI_PARAMS, 1,
                           _i == 1 ? "\377\377\377\377\377\377\377\377" : "\5\1a", _i == 1 ? 8 : 3);
        fcgi_client_stream_end(&b, FCGI_PARAMS, 1);
        peer_send_buffer(&p, &b);
    }
    /* What is too much has an answer of its own. */
    ck_assert_int_eq(connection_receive(p.c, 1), _i == 1 ? CONNECTION_LINGER : CONNECTION_CLOSED);
    ck_assert_ptr_nonnull(connection_error(p.c));
    ck_assert_uint_eq(p.slot.protocol_errors, 1);
    pair_close(&p);
}
END_TEST

/* By bytes and by number; the next connection is served. */
START_TEST(too_much_head_is_answered_431)
{
    static const char *const params[] = {"REQUEST_METHOD", "POST", "A", "1", "B", "2", NULL};
    char answer[512];
    Buffer b = {0};
    ssize_t n;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    connection_shared_limit_params(p.shared, _i == 0 ? 24 : 1024, _i == 0 ? 64 : 2);
    fcgi_client_begin(&b, 7, FCGI_RESPONDER, FCGI_KEEP_CONN);
    fcgi_client_params(&b, 7, params);
    fcgi_client_stream_end(&b, FCGI_STDIN, 7);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_LINGER);
    ck_assert_uint_eq(p.slot.protocol_errors, 1);
    ck_assert_uint_eq(p.slot.status, 431);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_IDLE);
    ck_assert_uint_eq(p.slot.requests, 0);
    n = recv(p.peer, answer, sizeof(answer), 0);
    ck_assert_int_gt(n, 8);
    ck_assert_uint_eq(answer[3], 7);
    ck_assert_mem_eq(answer + 8, "Status: 431 ", 12);
    /* What still comes is thrown away until the peer has gone. */
    ck_assert_int_eq(send(p.peer, "more", 4, MSG_NOSIGNAL), 4);
    ck_assert_int_eq(connection_receive(p.c, 2), CONNECTION_LINGER);
    ck_assert_uint_eq(p.slot.protocol_errors, 1);
    shutdown(p.peer, SHUT_WR);
    ck_assert_int_eq(connection_receive(p.c, 3), CONNECTION_CLOSED);
    pair_close(&p);
}
END_TEST

START_TEST(broken_bytes_in_a_body)
{
    Buffer b = {0};
    char body[16];
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
    buffer_append(&b, "GET / HTTP/1.0", 14);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), -EBADMSG);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), -EBADMSG);
    ck_assert_int_eq(request_write(r, "x", 1), 0);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_CLOSED);
    ck_assert_ptr_nonnull(connection_error(p.c));
    ck_assert_uint_eq(p.slot.protocol_errors, 1);
    pair_close(&p);
}
END_TEST

/* A flood of questions whose answers nobody reads ends the connection and never blocks. */
START_TEST(unread_answers_do_not_block)
{
    ConnectionOutcome outcome = CONNECTION_WAIT;
    uint8_t flood[8 * 4096];
    Pair p;

    for (size_t i = 0; i < sizeof(flood); i += 8)
        fcgi_put_header(flood + i, 77, 0, 0, 0);
    pair_open(&p, SOCK_STREAM);
    for (unsigned i = 0; i < 1000 && outcome == CONNECTION_WAIT; i++) {
        peer_send(&p, flood, sizeof(flood));
        outcome = connection_receive(p.c, 1);
    }
    ck_assert_int_eq(outcome, CONNECTION_CLOSED);
    pair_close(&p);
}
END_TEST

/* One worker, two connections: half a head waits while the other request runs. */
START_TEST(heads_of_two_connections)
{
    Buffer b = {0};
    Connection *other;
    char body[16];
    Request *r;
    int fds[2];
    Pair p;

    pair_open(&p, SOCK_STREAM);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    other = connection_new(p.shared, fds[0], 1);
    ck_assert_uint_eq(p.slot.connections, 2);
    request(&b, 1, FCGI_KEEP_CONN, "mine");
    peer_send(&p, b.data, 50);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_WAIT);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_READING);
    ck_assert_int_eq(write(fds[1], b.data, b.size), (ssize_t)b.size);
    ck_assert_int_eq(connection_receive(other, 1), CONNECTION_REQUEST);
    /* The first one gets its bytes before the other's request has run. */
    peer_send(&p, b.data + 50, b.size - 50);
    buffer_done(&b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    ck_assert_int_eq(connection_receive(other, 1), CONNECTION_REQUEST);
    r = connection_request(other, 1);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), 4);
    ck_assert_mem_eq(body, "mine", 4);
    ck_assert_int_eq(connection_end(other, 0, true, 2), CONNECTION_WAIT);
    r = connection_request(p.c, 1);
    ck_assert_str_eq(request_param(r, "REQUEST_URI"), "/hello?x");
    ck_assert_int_eq(request_read(r, body, sizeof(body)), 4);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_WAIT);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_IDLE);
    expect_answer(&p, "", "", FCGI_REQUEST_COMPLETE, 0);

    fcgi_client_begin(&b, 1, FCGI_RESPONDER, 0);
    ck_assert_int_eq(write(fds[1], b.data, b.size), (ssize_t)b.size);
    buffer_done(&b);
    ck_assert_int_eq(connection_receive(other, 1), CONNECTION_WAIT);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_READING);
    connection_free(other);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_IDLE);
    close(fds[1]);
    pair_close(&p);
}
END_TEST

START_TEST(the_order_of_the_streams_is_kept)
{
    static const char expected[] = "\1\6\0\1\0\2\0\0ab\1\7\0\1\0\1\0\0E\1\6\0\1\0\1\0\0c"
                                   "\1\6\0\1\0\0\0\0\1\7\0\1\0\0\0\0"
                                   "\1\3\0\1\0\10\0\0\0\0\0\7\0\0\0";
    char answer[256];
    Buffer b = {0};
    Request *r;
    Pair p;

    pair_open(&p, SOCK_SEQPACKET);
    request(&b, 1, 0, NULL);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    request_write(r, "a", 1);
    request_write(r, "b", 1);
    request_write_error(r, "E", 1);
    request_write(r, "c", 1);
    ck_assert_int_eq(connection_end(p.c, 7, true, 2), CONNECTION_CLOSED);
    ck_assert_int_eq(recv(p.peer, answer, sizeof(answer), 0), sizeof(expected));
    ck_assert_mem_eq(answer, expected, sizeof(expected));
    pair_close(&p);
}
END_TEST

START_TEST(finish_lets_the_peer_go)
{
    bool kept = _i;
    Buffer b = {0};
    char byte;
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    request(&b, 1, kept ? FCGI_KEEP_CONN : 0, NULL);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    request_write(r, "done", 4);
    ck_assert_int_eq(request_finish(r, 3), 0);
    expect_answer(&p, "done", "", FCGI_REQUEST_COMPLETE, 3);
    ck_assert_uint_eq(p.slot.state, WORKER_STATE_FINISHING);
    if (kept)
        expect_silence(&p);
    else
        ck_assert_int_eq(recv(p.peer, &byte, 1, 0), 0);
    ck_assert_int_eq(request_write(r, "x", 1), -EPIPE);
    ck_assert_int_eq(request_finish(r, 4), -EPIPE);
    ck_assert_str_eq(request_param(r, "REQUEST_METHOD"), "GET");
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), kept ? CONNECTION_WAIT : CONNECTION_CLOSED);
    if (kept)
        expect_silence(&p);
    pair_close(&p);
}
END_TEST

START_TEST(the_other_roles)
{
    Buffer b = {0};
    char body[16];
    Request *r;
    Pair p;

    pair_open(&p, SOCK_STREAM);
    head(&b, 1, FCGI_AUTHORIZER, FCGI_KEEP_CONN);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    ck_assert_uint_eq(request_role(r), FCGI_AUTHORIZER);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), 0);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_WAIT);
    ck_assert(connection_is_idle(p.c));

    head(&b, 1, FCGI_FILTER, 0);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "input", 5);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    fcgi_client_stream(&b, FCGI_DATA, 1, "file", 4);
    fcgi_client_stream_end(&b, FCGI_DATA, 1);
    peer_send_buffer(&p, &b);
    ck_assert_int_eq(connection_receive(p.c, 1), CONNECTION_REQUEST);
    r = connection_request(p.c, 1);
    ck_assert_int_eq(request_read(r, body, 2), 2);
    ck_assert_mem_eq(body, "in", 2);
    ck_assert_int_eq(request_read_data(r, body, sizeof(body)), 4);
    ck_assert_mem_eq(body, "file", 4);
    ck_assert_int_eq(request_read(r, body, sizeof(body)), 0);
    ck_assert_int_eq(request_read_data(r, body, sizeof(body)), 0);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_CLOSED);
    pair_close(&p);
}
END_TEST

static Suite *connection_suite(void)
{
    Suite *s = suite_create("runtime/connection");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_small_answer_is_one_send);
    tcase_add_test(t, the_slot_says_what_the_request_is);
    tcase_add_test(t, a_request_at_every_split);
    tcase_add_loop_test(t, bulk_both_ways, 0, ARRAY_SIZE(write_sizes));
    tcase_add_test(t, parameters_stay_while_the_body_is_read);
    tcase_add_test(t, parameters_of_a_half_head_are_kept);
    tcase_add_test(t, an_unread_body_lingers);
    tcase_add_test(t, a_body_that_is_here_does_not_linger);
    tcase_add_test(t, an_unread_body_of_a_kept_connection_is_skipped);
    tcase_add_test(t, the_next_request_may_be_here_already);
    tcase_add_test(t, management_records_are_answered);
    tcase_add_test(t, other_requests_are_refused_while_one_runs);
    tcase_add_loop_test(t, requests_that_never_run, 0, ARRAY_SIZE(unborn));
    tcase_add_loop_test(t, abort_behind_the_head, 0, 3);
    tcase_add_test(t, abort_while_running);
    tcase_add_loop_test(t, a_peer_that_is_gone, 0, 2);
    tcase_add_loop_test(t, broken_bytes, 0, 3);
    tcase_add_loop_test(t, too_much_head_is_answered_431, 0, 2);
    tcase_add_test(t, broken_bytes_in_a_body);
    tcase_add_test(t, unread_answers_do_not_block);
    tcase_add_test(t, heads_of_two_connections);
    tcase_add_test(t, the_order_of_the_streams_is_kept);
    tcase_add_loop_test(t, finish_lets_the_peer_go, 0, 2);
    tcase_add_test(t, the_other_roles);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(connection_suite)
