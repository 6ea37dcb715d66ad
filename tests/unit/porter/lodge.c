/* The real loop in a process of its own, confined as the program is. The test is its manager, its
 * workers and its web server. */
#include "base/clock.h"
#include "base/fd.h"
#include "conf/setting.h"
#include "fcgi/client.h"
#include "log/log.h"
#include "porter/lodge.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"
#include "../run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Porter {
    pid_t pid;
    int link;
    const volatile BoardSlot *slot;
} Porter;

static int handover[2], park[2], listeners[2];
static ClientRange *allowed;
static size_t n_allowed;
static uint64_t first_byte_usec;

/* ---- the manager ---- */

_noreturn_ static void run_porter(int link, int slot_fd, unsigned capacity)
{
    RuntimeSpec spec = {.link_fd = link,
                        .handover_fd = handover[0],
                        .park_fd = park[0],
                        .repark_fd = park[1],
                        .slot_fd = slot_fd,
                        .history_fd = -1,
                        .listen_fds = listeners,
                        .n_listen_fds = 2,
                        .allowed_clients = allowed,
                        .n_allowed_clients = n_allowed,
                        .first_byte_timeout_usec = first_byte_usec};
    SeccompFilter *filter = NULL;
    BoardSlot *slot = NULL;
    Lodge lodge;

    close(handover[1]);
    signal(SIGPIPE, SIG_IGN);
    log_set_max_priority(LOG_CRIT);
    if (board_attach(slot_fd, &slot) < 0 || lodge_init(&lodge, &spec, slot, capacity) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_renounce() < 0 ||
        seccomp_filter_new(SECCOMP_PORTER, NULL, &filter) < 0 ||
        seccomp_filter_install(filter, NULL) < 0)
        _exit(1);
    lodge_run(&lodge);
    lodge_done(&lodge);
    _exit(0);
}

static Porter start(unsigned capacity)
{
    Porter p;
    int pair[2], slot_fd = board_create(&p.slot);

    ck_assert_int_ge(slot_fd, 0);
    ck_assert_int_eq(link_pair(pair), 0);
    p.pid = fork();
    if (p.pid == 0) {
        close(pair[0]);
        run_porter(pair[1], slot_fd, capacity);
    }
    ck_assert_int_gt(p.pid, 0);
    close(pair[1]);
    close(slot_fd);
    p.link = pair[0];
    return p;
}

static void tell(const Porter *p, LinkType type, unsigned count, unsigned flags)
{
    LinkMessage m = {.type = type, .count = count, .flags = flags};

    ck_assert_int_eq(link_send(p->link, &m, NULL, 0), 0);
}

/* Waits for the end; milliseconds that it took. */
static unsigned expect_end(Porter *p)
{
    uint64_t begin_usec = clock_monotonic_usec();
    int status = -1;

    ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
    ck_assert_int_eq(status, 0);
    board_unmap(p->slot);
    return (unsigned)((clock_monotonic_usec() - begin_usec) / 1000);
}

static BoardSlot read_slot(const Porter *p)
{
    BoardSlot slot;

    ck_assert_int_eq(board_read(p->slot, clock_monotonic_usec(), &slot), 0);
    return slot;
}

static void expect_held(const Porter *p, unsigned n)
{
    for (int i = 0; i < 3000 && read_slot(p).connections != n; i++)
        usleep(1000);
    ck_assert_uint_eq(read_slot(p).connections, n);
}

static void expect_accepted(const Porter *p, unsigned n)
{
    for (int i = 0; i < 3000 && read_slot(p).accepted != n; i++)
        usleep(1000);
    ck_assert_uint_eq(read_slot(p).accepted, n);
}

/* ---- the web server ---- */

typedef struct Pair {
    int client, server;
} Pair;

static int listen_at_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    return fd;
}

static int listen_at_name(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    /* With only the family the kernel chooses an abstract name. */
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    return fd;
}

static int connect_to(int listener)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    int fd;

    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    fd = socket(address.ss_family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

/* unix or TCP by turns */
static Pair connection(int i)
{
    Pair p = {.client = connect_to(listeners[i % 2])};

    p.server = accept4(listeners[i % 2], NULL, NULL, 0);
    ck_assert_int_ge(p.server, 0);
    return p;
}

static void expect_closed(int client)
{
    struct pollfd p = {.fd = client, .events = POLLIN};
    char byte;

    ck_assert_int_eq(poll(&p, 1, 3000), 1);
    ck_assert_int_eq(recv(client, &byte, 1, 0), 0);
    close(client);
}

static void expect_open(int client)
{
    struct pollfd p = {.fd = client, .events = POLLIN};

    ck_assert_int_eq(poll(&p, 1, 50), 0);
}

/* ---- a worker ---- */

static void park_with(int fd, LinkType type, unsigned flags)
{
    LinkMessage m = {.type = type, .flags = flags};
    int r;

    while ((r = link_send(park[1], &m, &fd, 1)) == -EAGAIN)
        usleep(1000);
    ck_assert_int_eq(r, 0);
    close(fd);
}

static void park_connection(int fd)
{
    park_with(fd, LINK_PARK, LINK_CONNECTION_SERVED);
}

/* The next connection that a worker shall serve; -1: none within the time. */
static int take(int limit_msec, unsigned *ret_flags)
{
    struct pollfd p = {.fd = handover[1], .events = POLLIN};
    LinkMessage m;
    size_t n = 0;
    int fd = -1, r;

    if (poll(&p, 1, limit_msec) <= 0)
        return -1;
    r = link_receive(handover[1], MSG_DONTWAIT, &m, &fd, 1, &n, NULL);
    if (r <= 0)
        return -1;
    ck_assert_uint_eq(m.type, LINK_SERVE);
    ck_assert_uint_eq(n, 1);
    if (ret_flags)
        *ret_flags = m.flags;
    return fd;
}

/* A worker gets the connection of this client: what it sends there arrives. */
static void expect_served_after(int client, const char *bytes)
{
    char got[16] = "";
    int fd = take(3000, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), (int)strlen(bytes));
    ck_assert_str_eq(got, bytes);
    ck_assert_int_eq(send(fd, "answer", 6, 0), 6);
    ck_assert_int_eq(recv(client, got, sizeof(got), 0), 6);
    /* Nobody else has it. */
    close(fd);
    expect_closed(client);
}

static void write_to(int client, const char *bytes)
{
    ck_assert_int_eq(send(client, bytes, strlen(bytes), MSG_NOSIGNAL), (int)strlen(bytes));
}

static void set_up(void)
{
    ck_assert_int_eq(link_pair(handover), 0);
    ck_assert_int_eq(link_pair(park), 0);
    ck_assert_int_eq(link_admit_fds(park[0]), 0);
    ck_assert_int_eq(fd_set_nonblock(handover[1], true), 0);
    ck_assert_int_eq(fd_set_nonblock(park[1], true), 0);
    listeners[0] = listen_at_name();
    listeners[1] = listen_at_loopback();
    allowed = NULL;
    n_allowed = 0;
}

/* ---- parking ---- */

START_TEST(comes_back_when_it_has_bytes)
{
    Porter p = start(100);
    Pair c = connection(_i), silent = connection(_i);
    unsigned flags = 77;
    int fd;

    park_connection(silent.server);
    park_with(c.server, LINK_PARK, _i < 2 ? LINK_CONNECTION_SERVED : 0);
    expect_held(&p, 2);
    ck_assert_int_eq(take(20, NULL), -1);
    write_to(c.client, "request");
    fd = take(3000, &flags);
    ck_assert_int_ge(fd, 0);
    ck_assert_uint_eq(flags, _i < 2 ? LINK_CONNECTION_SERVED : 0);
    expect_held(&p, 1);
    /* And again, with the same connection, as often as one likes. */
    for (int i = 0; i < 10; i++) {
        char got[16];

        ck_assert_int_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), 7);
        park_connection(fd);
        write_to(c.client, "request");
        fd = take(3000, NULL);
        ck_assert_int_ge(fd, 0);
    }
    close(fd);
    expect_held(&p, 1);
    close(p.link);
    expect_end(&p);
}
END_TEST

START_TEST(closed_by_its_peer)
{
    Porter p = start(100);
    Pair c = connection(_i), half = connection(_i), late = connection(_i);

    park_connection(c.server);
    park_connection(half.server);
    expect_held(&p, 2);
    close(c.client);
    expect_held(&p, 1);
    ck_assert_int_eq(take(20, NULL), -1);
    /* A request, and nothing after it. */
    write_to(half.client, "last");
    shutdown(half.client, SHUT_WR);
    expect_served_after(half.client, "last");
    /* All of that before it was parked. */
    write_to(late.client, "before");
    shutdown(late.client, SHUT_WR);
    park_connection(late.server);
    expect_served_after(late.client, "before");
    expect_held(&p, 0);
    close(p.link);
    expect_end(&p);
}
END_TEST

static uint64_t cpu_usec(pid_t pid)
{
    clockid_t clock;

    ck_assert_int_eq(clock_getcpuclockid(pid, &clock), 0);
    return clock_usec(clock);
}

#define MANY 300

/* Waits until it has handed over some, and no more of them for a moment. */
static void expect_full(const Porter *p)
{
    unsigned before = MANY;

    for (int i = 0; i < 50 && (before == MANY || read_slot(p).connections != before); i++) {
        before = (unsigned)read_slot(p).connections;
        usleep(100 * 1000);
    }
}

START_TEST(waits_for_room)
{
    Porter p = start(1000);
    Pair c[MANY];
    char text[16], got[16];
    uint64_t before_usec;

    for (int i = 0; i < MANY; i++) {
        c[i] = connection(i);
        park_connection(c[i].server);
    }
    expect_held(&p, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "%d", i);
        write_to(c[i].client, text);
        usleep(50);
    }
    expect_full(&p);
    ck_assert_uint_gt(read_slot(&p).connections, 0); /* not all fit in */
    ck_assert_uint_lt(read_slot(&p).connections, MANY);
    before_usec = cpu_usec(p.pid);
    usleep(200 * 1000);
    ck_assert_uint_lt(cpu_usec(p.pid) - before_usec, 20 * 1000);
    /* Nothing is lost, nor served twice. */
    for (int i = 0; i < MANY; i++) {
        int fd = take(3000, NULL);

        ck_assert_int_ge(fd, 0);
        memset(got, 0, sizeof(got));
        ck_assert_int_gt(recv(fd, got, sizeof(got), MSG_DONTWAIT), 0);
        ck_assert_int_ge(c[atoi(got)].client, 0);
        close(c[atoi(got)].client);
        c[atoi(got)].client = -1;
        close(fd);
    }
    ck_assert_int_eq(take(20, NULL), -1);
    expect_held(&p, 0);
    close(p.link);
    expect_end(&p);
}
END_TEST

/* A worker that sends nonsense harms nobody, and leaves nothing open. */
START_TEST(nonsense_is_closed)
{
    Porter p = start(100);
    LinkMessage m = {.type = LINK_PARK};
    int ends[2], pair[2];
    Pair c = connection(_i);

    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(pipe(ends), 0);
        park_with(ends[1], i % 2 ? LINK_PARK : LINK_FORK, 0);
        ck_assert_int_eq(read(ends[0], pair, 1), 0);
        close(ends[0]);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        park_with(pair[1], LINK_PARK, 0);
        ck_assert_int_eq(read(pair[0], ends, 1), 0);
        close(pair[0]);
    }
    park_with(dup(listeners[1]), LINK_PARK, 0);
    park_with(socket(AF_INET, SOCK_STREAM, 0), LINK_PARK, 0); /* connected to nobody */
    ck_assert_int_eq(link_send(park[1], &m, NULL, 0), 0);
    ck_assert_int_eq(send(park[1], "short", 5, 0), 5);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(link_send(park[1], &m, ends, 2), 0); /* one too many */
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], pair, 1), 0);
    expect_held(&p, 0);
    park_connection(c.server);
    write_to(c.client, "x");
    expect_served_after(c.client, "x");
    close(p.link);
    expect_end(&p);
}
END_TEST

/* Unsent bytes, and a close(2) that would wait an hour for them to go. */
START_TEST(nobody_makes_it_linger)
{
    static const struct linger hour = {.l_onoff = 1, .l_linger = 3600};
    static char data[65536];
    Porter p = start(100);
    Pair stuck = connection(1), c = connection(0);

    ck_assert_int_eq(setsockopt(stuck.server, SOL_SOCKET, SO_LINGER, &hour, sizeof(hour)), 0);
    while (send(stuck.server, data, sizeof(data), MSG_DONTWAIT) > 0)
        ;
    if (_i == 0) {
        park_connection(stuck.server);
        expect_held(&p, 1);
        shutdown(stuck.client, SHUT_WR);
    } else
        park_with(stuck.server, LINK_FORK, 0);
    expect_held(&p, 0);
    park_connection(c.server);
    write_to(c.client, "x");
    expect_served_after(c.client, "x");
    close(p.link);
    ck_assert_uint_lt(expect_end(&p), 500);
}
END_TEST

/* The one that has been idle for longest makes room. */
START_TEST(a_flood_is_bounded)
{
    Porter p = start(4);
    Pair c[8];

    for (int i = 0; i < 8; i++) {
        c[i] = connection(i);
        park_connection(c[i].server);
        expect_held(&p, (unsigned)MIN(i + 1, 4));
    }
    for (int i = 0; i < 4; i++)
        expect_closed(c[i].client);
    for (int i = 4; i < 8; i++) {
        expect_open(c[i].client);
        write_to(c[i].client, "x");
        expect_served_after(c[i].client, "x");
    }
    close(p.link);
    expect_end(&p);
}
END_TEST

/* Who never said anything goes before who is kept, however long that one has been silent. */
START_TEST(strangers_make_room_first)
{
    Porter p = start(3);
    Pair kept = connection(0), fresh[3] = {connection(0), connection(1), connection(0)};

    park_connection(kept.server);
    expect_held(&p, 1);
    for (int i = 0; i < 3; i++)
        park_with(fresh[i].server, LINK_PARK, 0);
    expect_closed(fresh[0].client);
    expect_open(fresh[1].client);
    expect_open(kept.client);
    write_to(kept.client, "k");
    expect_served_after(kept.client, "k");
    write_to(fresh[1].client, "f");
    expect_served_after(fresh[1].client, "f");
    close(fresh[2].client);
    close(p.link);
    expect_end(&p);
}
END_TEST

START_TEST(silence_has_an_end)
{
    uint64_t begin_usec = clock_monotonic_usec();
    Pair kept, silent, late;
    Porter p;

    first_byte_usec = 1500 * USEC_PER_MSEC;
    p = start(16);
    first_byte_usec = 0;
    kept = connection(0);
    silent = connection(1);
    late = connection(0);
    park_connection(kept.server);
    park_with(silent.server, LINK_PARK, 0);
    park_with(late.server, LINK_PARK, 0);
    expect_held(&p, 3);
    write_to(late.client, "l");
    expect_served_after(late.client, "l");
    expect_closed(silent.client);
    ck_assert_uint_ge(clock_monotonic_usec() - begin_usec, 1500 * USEC_PER_MSEC);
    expect_open(kept.client);
    expect_held(&p, 1);
    close(kept.client);
    close(p.link);
    expect_end(&p);
}
END_TEST

/* But one that has bytes which nobody has looked at yet is passed on instead. */
START_TEST(a_flood_costs_no_request)
{
    Porter p = start(2);
    Pair c[3];

    for (int i = 0; i < 3; i++)
        c[i] = connection(i);
    park_connection(c[0].server);
    park_connection(c[1].server);
    expect_held(&p, 2);
    kill(p.pid, SIGSTOP);
    /* The event of the park socket is older than that of the bytes; both are there at once. */
    park_connection(c[2].server);
    write_to(c[0].client, "x");
    kill(p.pid, SIGCONT);
    expect_served_after(c[0].client, "x");
    expect_open(c[1].client);
    expect_held(&p, 2);
    close(p.link);
    expect_end(&p);
}
END_TEST

/* ---- leaving ---- */

START_TEST(leaves)
{
    Porter p = start(100);
    Pair idle = connection(_i), busy = connection(_i), parked = connection(_i);
    LinkMessage m;

    park_connection(idle.server);
    park_connection(busy.server);
    expect_held(&p, 2);
    kill(p.pid, SIGSTOP);
    write_to(busy.client, "x");
    write_to(parked.client, "y");
    park_connection(parked.server);
    if (_i < 2)
        tell(&p, LINK_LEAVE, 0, 0);
    else
        close(p.link);
    kill(p.pid, SIGCONT);
    ck_assert_uint_lt(expect_end(&p), 500);
    expect_closed(idle.client);
    expect_served_after(busy.client, "x");
    expect_served_after(parked.client, "y");
    /* Its end of the hand-over socket is closed. */
    close(handover[0]);
    ck_assert_int_eq(link_receive(handover[1], MSG_DONTWAIT, &m, NULL, 0, NULL, NULL), 0);
}
END_TEST

/* Workers that take nothing: a second, not more. */
START_TEST(leaves_in_time)
{
    Porter p = start(1000);
    Pair c[MANY];
    unsigned msec, n = 0;
    uint64_t begin_usec;
    int fd;

    for (int i = 0; i < MANY; i++) {
        c[i] = connection(i);
        write_to(c[i].client, "x");
        park_connection(c[i].server);
    }
    begin_usec = clock_monotonic_usec();
    tell(&p, LINK_LEAVE, 0, 0);
    expect_end(&p);
    msec = (unsigned)((clock_monotonic_usec() - begin_usec) / USEC_PER_MSEC);
    ck_assert_uint_ge(msec, 900);
    ck_assert_uint_lt(msec, 1500);
    while ((fd = take(20, NULL)) >= 0) {
        close(fd);
        n++;
    }
    ck_assert_uint_gt(n, 20);
    ck_assert_uint_lt(n, MANY);
}
END_TEST

START_TEST(another_takes_over)
{
    Porter first = start(1000), second;
    Pair c[MANY];

    for (int i = 0; i < MANY; i++) {
        c[i] = connection(i);
        park_connection(c[i].server);
    }
    expect_held(&first, MANY);
    second = start(1000);
    tell(&first, LINK_LEAVE, 0, LINK_LEAVE_SUCCEEDED);
    close(first.link);
    /* Meanwhile they are used. */
    for (int i = 0; i < MANY; i += 10) {
        write_to(c[i].client, "x");
        expect_served_after(c[i].client, "x");
        c[i].client = -1;
    }
    ck_assert_uint_lt(expect_end(&first), 2000);
    expect_held(&second, MANY - MANY / 10);
    for (int i = 0; i < MANY; i++)
        if (c[i].client >= 0) {
            write_to(c[i].client, "y");
            expect_served_after(c[i].client, "y");
        }
    expect_held(&second, 0);
    close(second.link);
    expect_end(&second);
}
END_TEST

/* Then it leaves as at the end of the pool. */
START_TEST(the_other_is_gone)
{
    Porter p = start(1000);
    Pair idle = connection(_i), busy = connection(_i);

    park_connection(busy.server);
    park_connection(idle.server);
    expect_held(&p, 2);
    close(park[0]);
    kill(p.pid, SIGSTOP);
    tell(&p, LINK_LEAVE, 0, LINK_LEAVE_SUCCEEDED);
    close(p.link);
    write_to(busy.client, "x");
    kill(p.pid, SIGCONT);
    ck_assert_uint_lt(expect_end(&p), 500);
    expect_served_after(busy.client, "x");
    expect_closed(idle.client);
}
END_TEST

/* ---- 503 ---- */

typedef struct Answer {
    char text[512];
    unsigned request_id;
    bool ended, closed;
} Answer;

static Answer read_answer(int client)
{
    FcgiResponse response = {0};
    uint8_t data[1024];
    Answer a = {0};
    size_t n = 0, used;
    ssize_t r;

    while ((r = recv(client, data + n, sizeof(data) - n, 0)) > 0)
        n += (size_t)r;
    a.closed = r == 0;
    ck_assert_uint_gt(n, FCGI_HEADER_SIZE);
    a.request_id = (unsigned)data[2] << 8 | data[3];
    a.ended = fcgi_response_push(&response, data, n, &used) == 1 && used == n &&
              response.protocol_status == FCGI_REQUEST_COMPLETE;
    memcpy(a.text, response.out.data, MIN(response.out.size, sizeof(a.text) - 1));
    fcgi_response_done(&response);
    return a;
}

static bool answers(int client, int limit_msec)
{
    struct pollfd p = {.fd = client, .events = POLLIN};

    return poll(&p, 1, limit_msec) == 1;
}

static void expect_503(int client, unsigned request_id, const char *retry_after)
{
    Answer a;

    ck_assert(answers(client, 3000));
    a = read_answer(client);
    ck_assert(a.ended);
    ck_assert(a.closed);
    ck_assert_uint_eq(a.request_id, request_id);
    ck_assert_ptr_eq(strstr(a.text, "Status: 503 Service Unavailable\r\n"), a.text);
    ck_assert_ptr_nonnull(strstr(a.text, "\r\nContent-Type: text/plain\r\n"));
    ck_assert_ptr_nonnull(strstr(a.text, "\r\n\r\nThe server"));
    if (retry_after)
        ck_assert_ptr_nonnull(strstr(a.text, retry_after));
    else
        ck_assert_ptr_null(strstr(a.text, "Retry-After"));
}

/* What a web server sends after the answer and the end: it must not get a reset. */
static void expect_patience(int client)
{
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(send(client, "body", 4, MSG_NOSIGNAL), 4);
        usleep(500);
    }
}

START_TEST(refuses_so_many)
{
    Porter p = start(100);
    int clients[6], n_refused = 0, answered[6];
    uint8_t begin[FCGI_HEADER_SIZE * 2];

    for (int i = 0; i < 6; i++) {
        clients[i] = connect_to(listeners[i % 2]);
        fcgi_put_begin_request(begin, (unsigned)i + 1000, FCGI_RESPONDER, 0);
        ck_assert_int_eq(send(clients[i], begin, sizeof(begin), 0), sizeof(begin));
    }
    tell(&p, LINK_SHED, 4, 7);
    expect_accepted(&p, 4);
    for (int i = 0; i < 4; i++)
        ck_assert(answers(clients[i], 3000));
    for (int i = 0; i < 6; i++) {
        answered[i] = answers(clients[i], 0);
        n_refused += answered[i];
    }
    /* The first of each listener. */
    ck_assert_int_eq(n_refused, 4);
    for (int i = 0; i < 4; i++) {
        expect_503(clients[i], (unsigned)i + 1000, "\r\nRetry-After: 7\r\n");
        expect_patience(clients[i]);
    }
    ck_assert_uint_eq(read_slot(&p).requests, 4);
    /* They are not parked: nobody serves them. */
    ck_assert_uint_eq(read_slot(&p).connections, 0);
    ck_assert_int_eq(take(20, NULL), -1);
    /* The others still wait for a worker. */
    ck_assert_int_ge(accept4(listeners[0], NULL, NULL, 0), 0);
    ck_assert_int_ge(accept4(listeners[1], NULL, NULL, 0), 0);
    /* Nobody waits any more. */
    tell(&p, LINK_SHED, 4, 7);
    usleep(20 * 1000);
    ck_assert_uint_eq(read_slot(&p).accepted, 4);
    for (int i = 0; i < 6; i++)
        close(clients[i]);
    tell(&p, LINK_LEAVE, 0, 0);
    ck_assert_uint_lt(expect_end(&p), 500);
}
END_TEST

START_TEST(refuses_who_has_said_nothing)
{
    Porter p = start(100);
    int client = connect_to(listeners[_i]), other = connect_to(listeners[_i]);

    ck_assert_int_eq(send(other, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    tell(&p, LINK_SHED, 10, 0);
    expect_503(client, 1, NULL);
    expect_503(other, 1, NULL);
    /* The end of the pool does not wait for a peer that stays. */
    tell(&p, LINK_LEAVE, 0, 0);
    ck_assert_uint_lt(expect_end(&p), 1500);
    close(client);
    close(other);
}
END_TEST

START_TEST(only_clients_that_may_connect_are_answered)
{
    Porter p;
    int tcp = connect_to(listeners[1]), local = connect_to(listeners[0]);

    ck_assert_int_eq(clients_parse("192.0.2.1", &allowed, &n_allowed), 0);
    p = start(100);
    tell(&p, LINK_SHED, 10, 1);
    expect_closed(tcp);
    expect_503(local, 1, "Retry-After: 1");
    expect_accepted(&p, 2);
    ck_assert_uint_eq(read_slot(&p).requests, 1);
    close(local);
    close(p.link);
    expect_end(&p);
    free(allowed);
}
END_TEST

static Suite *lodge_suite(void)
{
    Suite *s = suite_create("porter/lodge");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_loop_test(t, comes_back_when_it_has_bytes, 0, 4);
    tcase_add_loop_test(t, closed_by_its_peer, 0, 2);
    tcase_add_test(t, waits_for_room);
    tcase_add_loop_test(t, nonsense_is_closed, 0, 2);
    tcase_add_loop_test(t, nobody_makes_it_linger, 0, 2);
    tcase_add_test(t, a_flood_is_bounded);
    tcase_add_test(t, strangers_make_room_first);
    tcase_add_test(t, silence_has_an_end);
    tcase_add_test(t, a_flood_costs_no_request);
    tcase_add_loop_test(t, leaves, 0, 4);
    tcase_add_test(t, leaves_in_time);
    tcase_add_test(t, another_takes_over);
    tcase_add_loop_test(t, the_other_is_gone, 0, 2);
    tcase_add_test(t, refuses_so_many);
    tcase_add_loop_test(t, refuses_who_has_said_nothing, 0, 2);
    tcase_add_test(t, only_clients_that_may_connect_are_answered);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(lodge_suite)
