#include "base/fd.h"
#include "fcgi/client.h"
#include "link/message.h"
#include "runtime/connection_private.h"
#include "runtime/held.h"
#include "../run.h"

#include <errno.h>
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
    held = (Held){.epoll_fd = epoll_create1(0), .park_fd = -1};
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

START_TEST(silent_from_the_beginning)
{
    HeldLimits limits = {.read_timeout_usec = 600 * SEC, .first_byte_usec = 10 * SEC};
    Source *source = &held.places[0];
    int peer = hold_one(100 * SEC, 0);

    ck_assert(held_is_timed(&held));
    ck_assert(!held_is_overdue(source, &limits, 110 * SEC - 1));
    ck_assert(held_is_overdue(source, &limits, 110 * SEC));
    limits.first_byte_usec = 0;
    ck_assert(!held_is_overdue(source, &limits, 100000 * SEC));
    /* One that has carried a request may be silent. */
    limits.first_byte_usec = 10 * SEC;
    serve_one(source->connection, peer);
    ck_assert(!held_is_timed(&held));
    ck_assert(!held_is_overdue(source, &limits, 100000 * SEC));
    close(peer);
}
END_TEST

static bool overdue(const Source *source, uint64_t closing_since_usec, uint64_t now_usec)
{
    HeldLimits limits = {.read_timeout_usec = 60 * SEC, .closing_since_usec = closing_since_usec};

    return held_is_overdue(source, &limits, now_usec);
}

START_TEST(when_time_is_over)
{
    Source *source = &held.places[0];
    int peer = hold_one(100 * SEC, 0);

    /* A fresh connection that has said nothing yet: the request that it was made for may be on its
     * way. */
    ck_assert(!overdue(source, 0, 100000 * SEC));
    ck_assert(!overdue(source, 101 * SEC, 105 * SEC));
    ck_assert(overdue(source, 101 * SEC, 106 * SEC));

    /* A kept one may stay for ever, until connections at rest are closed. */
    serve_one(source->connection, peer);
    ck_assert(!held_is_timed(&held));
    ck_assert(!overdue(source, 0, 100000 * SEC));
    ck_assert(overdue(source, 101 * SEC, 101 * SEC));

    source->lingering_since_usec = 100 * SEC;
    ck_assert(held_is_timed(&held));
    ck_assert(!overdue(source, 0, 104 * SEC));
    ck_assert(overdue(source, 0, 105 * SEC));
    ck_assert(!overdue(source, 101 * SEC, 101 * SEC));
    close(peer);
}
END_TEST

/* Half a head: as long as bytes come, and not longer. */
START_TEST(half_a_head)
{
    static const HeldLimits none = {0};
    Source *source = &held.places[0];
    int peer = hold_one(100 * SEC, 0);

    ck_assert_int_eq(write(peer, "\1\1\0\1\0\10\0", 7), 7);
    ck_assert_int_eq(connection_receive(source->connection, 100 * SEC), CONNECTION_WAIT);
    ck_assert(held_is_timed(&held));
    ck_assert(!overdue(source, 0, 159 * SEC));
    ck_assert(overdue(source, 0, 160 * SEC));
    ck_assert(!overdue(source, 101 * SEC, 159 * SEC));
    ck_assert(!held_is_overdue(source, &none, 100000 * SEC));
    ck_assert_int_eq(write(peer, "\0", 1), 1);
    ck_assert_int_eq(connection_receive(source->connection, 159 * SEC), CONNECTION_WAIT);
    ck_assert(!overdue(source, 0, 160 * SEC));
    ck_assert(overdue(source, 0, 219 * SEC));
    close(peer);
}
END_TEST

/* The porter's end of park: takes one connection. Returns it, or -1; *ret_flags of the message. */
static int take_parked(int fd, unsigned *ret_flags)
{
    LinkMessage m;
    size_t n = 0;
    int taken = -1;

    if (link_receive(fd, MSG_DONTWAIT, &m, &taken, 1, &n, NULL) <= 0)
        return -1;
    ck_assert_uint_eq(m.type, LINK_PARK);
    ck_assert_uint_eq(n, 1);
    *ret_flags = m.flags;
    return taken;
}

static int open_park(void)
{
    int pair[2];

    ck_assert_int_eq(link_pair(pair), 0);
    ck_assert_int_eq(link_admit_fds(pair[0]), 0);
    ck_assert_int_eq(fd_set_nonblock(pair[1], true), 0);
    held.park_fd = pair[1];
    return pair[0];
}

START_TEST(what_is_at_rest_is_parked)
{
    int porter = open_park(), fresh = hold_one(SEC, 0), kept = hold_one(SEC, 0);
    int busy = hold_one(SEC, 0), lingering = hold_one(SEC, 0), taken;
    unsigned flags = 99;
    struct epoll_event event;

    serve_one(held.places[1].connection, kept);
    ck_assert_int_eq(write(busy, "\1", 1), 1);
    ck_assert_int_eq(connection_receive(held.places[2].connection, SEC), CONNECTION_WAIT);
    connection_linger(held.places[3].connection);

    ck_assert_int_eq(held_park(&held, &held.places[0]), 0);
    ck_assert_int_eq(held_park(&held, &held.places[1]), 0);
    ck_assert_int_eq(held_park(&held, &held.places[2]), -EBUSY);
    ck_assert_int_eq(held_park(&held, &held.places[3]), -EBUSY);
    ck_assert_uint_eq(held.n, 2);
    ck_assert_uint_eq(slot.connections, 2);

    taken = take_parked(porter, &flags);
    ck_assert_uint_eq(flags, 0);
    /* Still open, and none of ours any more. */
    ck_assert_int_eq(write(fresh, "x", 1), 1);
    ck_assert_int_eq(epoll_wait(held.epoll_fd, &event, 1, 0), 0);
    close(taken);
    taken = take_parked(porter, &flags);
    ck_assert_uint_eq(flags, LINK_CONNECTION_SERVED);
    close(taken);
    ck_assert_int_eq(take_parked(porter, &flags), -1);
    close(porter);
    ck_assert_int_eq(write(busy, "\1", 1), 1);
    for (int i = 0; i < 4; i++)
        close((const int[]){fresh, kept, busy, lingering}[i]);
    close(held.park_fd);
}
END_TEST

START_TEST(a_full_or_missing_porter)
{
    int porter = open_park(), peers[HELD_MAX], r = 0, n = 0;
    unsigned flags;

    for (int i = 0; i < HELD_MAX; i++)
        peers[i] = hold_one(SEC, 0);
    while (n < HELD_MAX && r == 0)
        r = held_park(&held, &held.places[n++]);
    ck_assert_int_eq(r, -EAGAIN);
    ck_assert_ptr_nonnull(held.places[n - 1].connection);
    for (int taken; (taken = take_parked(porter, &flags)) >= 0;)
        close(taken);
    ck_assert_int_eq(held_park(&held, &held.places[n - 1]), 0);
    close(porter);
    r = held_park(&held, &held.places[n]);
    ck_assert(r == -EPIPE || r == -ECONNRESET);
    ck_assert_ptr_nonnull(held.places[n].connection);
    for (int i = 0; i < HELD_MAX; i++)
        close(peers[i]);
    close(held.park_fd);
}
END_TEST

/* One more than there are places: the most silent is not closed if somebody else can have it. */
START_TEST(who_makes_room_is_parked)
{
    int porter = open_park(), peers[HELD_MAX + 1], taken;
    unsigned flags;
    char byte;

    for (int i = 0; i < HELD_MAX; i++)
        peers[i] = hold_one(i == 7 ? SEC : 2 * SEC, 0);
    peers[HELD_MAX] = hold_one(3 * SEC, 0);
    ck_assert_uint_eq(held.n, HELD_MAX);
    taken = take_parked(porter, &flags);
    ck_assert_int_ge(taken, 0);
    ck_assert_int_lt(recv(peers[7], &byte, 1, MSG_DONTWAIT), 0);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(write(taken, "x", 1), 1);
    ck_assert_int_eq(recv(peers[7], &byte, 1, MSG_DONTWAIT), 1);
    close(taken);
    for (int i = 0; i <= HELD_MAX; i++)
        close(peers[i]);
    close(porter);
    close(held.park_fd);
}
END_TEST

static Suite *held_suite(void)
{
    Suite *s = suite_create("runtime/held");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, bytes_wake_the_epoll);
    tcase_add_test(t, the_most_silent_makes_room);
    tcase_add_test(t, silent_from_the_beginning);
    tcase_add_test(t, when_time_is_over);
    tcase_add_test(t, half_a_head);
    tcase_add_test(t, what_is_at_rest_is_parked);
    tcase_add_test(t, a_full_or_missing_porter);
    tcase_add_test(t, who_makes_room_is_parked);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(held_suite)
