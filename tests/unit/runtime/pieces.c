/* A body in the pieces in which it lies in the buffer, and what is closed behind the answer. */

#include "base/fd.h"
#include "pair.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

static Request *begin(Pair *p)
{
    ck_assert_int_eq(connection_receive(p->c, 1), CONNECTION_REQUEST);
    return connection_request(p->c, 1);
}

/* What request_next() gives when asked for at most n bytes. */
static void expect_piece(Request *r, size_t n, const char *text)
{
    const uint8_t *piece = NULL;

    ck_assert_int_eq(request_next(r, &piece, n), (ssize_t)strlen(text));
    ck_assert_mem_eq(piece, text, strlen(text));
}

START_TEST(each_piece_is_within_a_record)
{
    const uint8_t *piece = NULL;
    Buffer b = {0};
    char copy[3];
    Request *r;
    Pair p;

    pair_open(&p);
    pair_send_head(&p, 1, FCGI_KEEP_CONN, "first");
    r = begin(&p);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "second", 6);
    fcgi_client_stream(&b, FCGI_STDIN, 1, "third", 5);
    fcgi_client_stream_end(&b, FCGI_STDIN, 1);
    pair_send(&p, &b);
    ck_assert_int_eq(request_next(r, &piece, 0), 0);
    expect_piece(r, 100, "first");
    expect_piece(r, 2, "se");
    ck_assert_int_eq(request_read(r, copy, 3), 3);
    ck_assert_mem_eq(copy, "con", 3);
    expect_piece(r, 100, "d");
    expect_piece(r, 5, "third");
    ck_assert_int_eq(request_next(r, &piece, 100), 0);
    ck_assert_int_eq(request_next(r, &piece, 100), 0);
    ck_assert_int_eq(connection_end(p.c, 0, true, 2), CONNECTION_WAIT);
    ck_assert_uint_eq(p.slot.bytes_in, 16);
    pair_close(&p);
}
END_TEST

/* What is here is handed out; then it is an end that is not the body's. */
START_TEST(a_body_that_does_not_end)
{
    static const uint8_t abort_record[FCGI_HEADER_SIZE] = {1, FCGI_ABORT_REQUEST, 0, 1};
    const uint8_t *piece = NULL;
    Request *r;
    Pair p;

    pair_open(&p);
    if (_i == 2)
        connection_shared_set_read_timeout(p.shared, 20000);
    pair_send_head(&p, 1, 0, "half");
    r = begin(&p);
    expect_piece(r, 100, "half");
    if (_i == 0)
        p.peer = fd_close(p.peer);
    else if (_i == 1)
        ck_assert_int_eq(send(p.peer, abort_record, sizeof(abort_record), 0), sizeof(abort_record));
    ck_assert_int_eq(request_next(r, &piece, 100), -EPIPE);
    ck_assert_int_eq(request_next(r, &piece, 100), -EPIPE);
    ck_assert(request_aborted(r));
    ck_assert_int_eq(request_timed_out(r), _i == 2);
    connection_end(p.c, 0, true, 2);
    pair_close(&p);
}
END_TEST

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* The peer has the whole answer while the file still is open; the end of the request closes it. */
START_TEST(a_file_is_closed_behind_the_answer)
{
    char text[64];
    Request *r;
    Pair p;
    int fds[2], second;

    pair_open(&p);
    pair_send_head(&p, 1, FCGI_KEEP_CONN, NULL);
    r = begin(&p);
    ck_assert_int_eq(pipe(fds), 0);
    request_close_later(r, fds[0]);
    second = fds[1];
    ck_assert_int_eq(request_write(r, "answer", 6), 0);
    ck_assert(is_open(fds[0]));
    if (_i == 1) { /* there is place for one */
        request_close_later(r, second);
        ck_assert(!is_open(fds[0]));
        fds[0] = second;
    }
    request_answer(r, 0);
    pair_read_answer(&p, 1, text, sizeof(text));
    ck_assert_str_eq(text, "answer");
    ck_assert(is_open(fds[0]));
    connection_end(p.c, 0, true, 2);
    ck_assert(!is_open(fds[0]));
    if (_i == 0)
        close(second);
    pair_close(&p);
}
END_TEST

static Suite *pieces_suite(void)
{
    Suite *s = suite_create("runtime/pieces");
    TCase *t = tcase_create("all");

    tcase_add_test(t, each_piece_is_within_a_record);
    tcase_add_loop_test(t, a_body_that_does_not_end, 0, 3);
    tcase_add_loop_test(t, a_file_is_closed_behind_the_answer, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(pieces_suite)
