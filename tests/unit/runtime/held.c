#include "fcgi/client.h"
#include "runtime/held.h"
#include "../run.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEC USEC_PER_SEC

static BoardSlot slot;
static ConnectionShared *shared;
static Held held;

static void set_up(void)
{
    memset(&slot, 0, sizeof(slot));
    held = (Held){.epoll_fd = epoll_create1(0)};
    shared = connection_shared_new(&slot, HELD_MAX, 1);
    ck_assert_ptr_nonnull(shared);
}

static void tear_down(void)
{
    for (size_t i = 0; i < HELD_MAX; i++)
        if (held.places[i].connection)
            held_release(&held, &held.places[i]);
    ck_assert_uint_eq(held.n, 0);
    ck_assert_uint_eq(slot.connections, 0);
    connection_shared_free(shared);
    close(held.epoll_fd);
}

/* Returns the peer's end. */
static int hold_one(uint64_t now_usec, uint64_t lingering_since_usec)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    held_add(&held, connection_new(shared, pair[0], now_usec), lingering_since_usec);
    return pair[1];
}

START_TEST(bytes_wake_the_epoll)
{
    int peer = hold_one(SEC, 0);
    struct epoll_event event;

    ck_assert_uint_eq(held.n, 1);
    ck_assert_int_eq(epoll_wait(held.epoll_fd, &event, 1, 0), 0);
    ck_assert_int_eq(write(peer, "x", 1), 1);
    ck_assert_int_eq(epoll_wait(held.epoll_fd, &event, 1, 0), 1);
    ck_assert_ptr_eq(event.data.ptr, &held.places[0]);
    /* A released place wakes nobody. */
    held_release(&held, &held.places[0]);
    ck_assert_int_eq(epoll_wait(held.epoll_fd, &event, 1, 0), 0);
    ck_assert_int_lt(send(peer, "x", 1, MSG_NOSIGNAL), 0);
    close(peer);
}
END_TEST

START_TEST(the_most_silent_makes_room)
{
    int peers[HELD_MAX + 1];
    char byte;

    for (int i = 0; i < HELD_MAX; i++)
        peers[i] = hold_one(i == 7 ? SEC : 2 * SEC, 0);
    peers[HELD_MAX] = hold_one(3 * SEC, 0);
    ck_assert_uint_eq(held.n, HELD_MAX);
    ck_assert_int_eq(recv(peers[7], &byte, 1, MSG_DONTWAIT), 0);
    ck_assert_int_lt(recv(peers[8], &byte, 1, MSG_DONTWAIT), 0);
    for (int i = 0; i <= HELD_MAX; i++)
        close(peers[i]);
}
END_TEST

static void serve_one(Connection *connection, int peer)
{
    static const char *const params[] = {"REQUEST_METHOD", "GET", NULL};
    _cleanup_buffer_ Buffer b = {0};

    ck_assert_int_eq(fcgi_client_begin(&b, 1, FCGI_RESPONDER, FCGI_KEEP_CONN), 0);
    ck_assert_int_eq(fcgi_client_params(&b, 1, params), 0);
    ck_assert_int_eq(fcgi_client_stream_end(&b, FCGI_STDIN, 1), 0);
    ck_assert_int_eq(write(peer, b.data, b.size), (ssize_t)b.size);
    ck_assert_int_eq(connection_receive(connection, 100 * SEC), CONNECTION_REQUEST);
    connection_request(connection, 100 * SEC);
    ck_assert_int_eq(connection_end(connection, 0, true, 100 * SEC), CONNECTION_WAIT);
}

START_TEST(overdue)
{
    Source *source = &held.places[0];
    int peer = hold_one(100 * SEC, 0);

    /* A fresh connection that has said nothing yet: the request that it was made for may be on its
     * way. */
    ck_assert(!held_is_overdue(source, 101 * SEC, 105 * SEC));
    ck_assert(held_is_overdue(source, 101 * SEC, 106 * SEC));

    /* A kept one may stay for ever, until the worker leaves. */
    serve_one(source->connection, peer);
    ck_assert(!held_is_timed(&held));
    ck_assert(!held_is_overdue(source, 0, 100000 * SEC));
    ck_assert(held_is_overdue(source, 101 * SEC, 101 * SEC));

    source->lingering_since_usec = 100 * SEC;
    ck_assert(held_is_timed(&held));
    ck_assert(!held_is_overdue(source, 0, 104 * SEC));
    ck_assert(held_is_overdue(source, 0, 105 * SEC));
    ck_assert(!held_is_overdue(source, 101 * SEC, 101 * SEC));
    close(peer);
}
END_TEST

/* Half a head: time to be completed, but not for ever. */
START_TEST(half_a_head)
{
    Source *source = &held.places[0];
    int peer = hold_one(100 * SEC, 0);

    ck_assert_int_eq(write(peer, "\1\1\0\1\0\10\0", 7), 7);
    ck_assert_int_eq(connection_receive(source->connection, 100 * SEC), CONNECTION_WAIT);
    ck_assert(held_is_timed(&held));
    ck_assert(!held_is_overdue(source, 0, 159 * SEC));
    ck_assert(held_is_overdue(source, 0, 160 * SEC));
    ck_assert(!held_is_overdue(source, 101 * SEC, 105 * SEC));
    ck_assert(held_is_overdue(source, 101 * SEC, 106 * SEC));
    close(peer);
}
END_TEST

static Suite *held_suite(void)
{
    Suite *s = suite_create("runtime/held");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, bytes_wake_the_epoll);
    tcase_add_test(t, the_most_silent_makes_room);
    tcase_add_test(t, overdue);
    tcase_add_test(t, half_a_head);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(held_suite)
