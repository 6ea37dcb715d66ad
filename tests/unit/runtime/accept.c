#include "base/fd.h"
#include "conf/setting.h"
#include "log/log.h"
#include "runtime/accept.h"
#include "../run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int log_fds[2];

static void set_up(void)
{
    ck_assert_int_eq(pipe(log_fds), 0);
    log_open(&(LogOptions){
        .identifier = "test", .max_priority = LOG_DEBUG, .journal_fd = -1, .text_fd = log_fds[1]});
    ck_assert_int_eq(fd_set_nonblock(log_fds[0], true), 0);
}

/* What was logged since the last time. */
static const char *said(void)
{
    static char text[4096];
    ssize_t n = read(log_fds[0], text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = 0;
    return text;
}

static RuntimeSpec allow(const char *clients)
{
    RuntimeSpec spec = {.link_fd = -1};

    if (*clients)
        ck_assert_int_eq(clients_parse(clients, &spec.allowed_clients, &spec.n_allowed_clients), 0);
    return spec;
}

typedef struct Network {
    int listener;
    struct sockaddr_storage address;
    socklen_t size;
} Network;

/* A listener for both versions when host is "::". */
static Network listen_at(const char *host)
{
    Network n = {.size = sizeof(n.address)};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&n.address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&n.address;
    int off = 0;

    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    n.listener = socket(n.address.ss_family, SOCK_STREAM, 0);
    setsockopt(n.listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    ck_assert_int_eq(bind(n.listener, (struct sockaddr *)&n.address, sizeof(n.address)), 0);
    ck_assert_int_eq(listen(n.listener, 8), 0);
    getsockname(n.listener, (struct sockaddr *)&n.address, &n.size);
    return n;
}

/* Connects from one address of this machine: 127.0.0.5, ::1. */
static int connect_from(const Network *n, const char *from)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in target4 = {.sin_family = AF_INET};
    uint16_t port = n->address.ss_family == AF_INET
                        ? ((const struct sockaddr_in *)(const void *)&n->address)->sin_port
                        : ((const struct sockaddr_in6 *)(const void *)&n->address)->sin6_port;
    int fd;

    if (inet_pton(AF_INET, from, &v4.sin_addr) == 1) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
        target4.sin_port = port;
        target4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&target4, sizeof(target4)), 0);
        return fd;
    }
    ck_assert_int_eq(inet_pton(AF_INET6, from, &v6.sin6_addr), 1);
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    v6.sin6_port = port;
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&v6, sizeof(v6)), 0);
    return fd;
}

static const struct {
    const char *allowed, *listener, *client;
    bool ok;
} cases[] = {
    {"", "127.0.0.1", "127.0.0.1", true},
    {"127.0.0.1", "127.0.0.1", "127.0.0.1", true},
    {"127.0.0.2", "127.0.0.1", "127.0.0.1", false},
    {"127.0.0.2, 127.0.0.1", "127.0.0.1", "127.0.0.1", true},
    {"127.0.0.5", "127.0.0.1", "127.0.0.5", true},
    {"127.0.0.0/30", "127.0.0.1", "127.0.0.3", true},
    {"127.0.0.0/30", "127.0.0.1", "127.0.0.5", false},
    {"::1", "127.0.0.1", "127.0.0.1", false},
    {"0.0.0.0/0", "127.0.0.1", "127.0.0.5", true},
    /* A socket for both versions sees IPv4 as v4-mapped. */
    {"127.0.0.1", "::", "127.0.0.1", true},
    {"::ffff:127.0.0.1", "::", "127.0.0.1", true},
    {"::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1", true},
    {"127.0.0.2", "::", "127.0.0.1", false},
    {"127.0.0.1", "::", "::1", false},
    {"0.0.0.0/0", "::", "::1", false},
    {"::1", "::", "::1", true},
    {"::1", "::1", "::1", true},
    {"::2", "::1", "::1", false}, /* only the last bits differ */
    {"::/126", "::1", "::1", true},
    {"2001:db8::/32", "::1", "::1", false},
};

START_TEST(clients)
{
    RuntimeSpec spec = allow(cases[_i].allowed);
    Network n = listen_at(cases[_i].listener);
    int client = connect_from(&n, cases[_i].client);
    int fd = accept_client(&spec, n.listener);
    char expected[128], byte;

    snprintf(expected, sizeof(expected), "Connection disallowed: IP address '%s' has been dropped.",
             cases[_i].client);
    if (cases[_i].ok) {
        ck_assert_int_ge(fd, 0);
        ck_assert_str_eq(said(), "");
        close(fd);
    } else {
        ck_assert_int_eq(fd, -EACCES);
        ck_assert_int_eq(recv(client, &byte, 1, 0), 0);
        ck_assert_ptr_nonnull(strstr(said(), expected));
    }
    close(client);
    close(n.listener);
    free(spec.allowed_clients);
}
END_TEST

START_TEST(unix_peers_are_allowed)
{
    RuntimeSpec spec = allow("192.0.2.1");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), fd;

    /* With only the family the kernel chooses an abstract name. */
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(
        getsockname(listener, (struct sockaddr *)&address, &(socklen_t){sizeof(address)}), 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof(sa_family_t) + 6), 0);
    fd = accept_client(&spec, listener);
    ck_assert_int_ge(fd, 0);
    close(fd);
    close(client);
    close(listener);
    free(spec.allowed_clients);
}
END_TEST

START_TEST(nobody_waits)
{
    RuntimeSpec spec = allow("::1");
    Network n = listen_at("127.0.0.1");

    ck_assert_int_eq(fd_set_nonblock(n.listener, true), 0);
    ck_assert_int_eq(accept_client(&spec, n.listener), -EAGAIN);
    close(n.listener);
    free(spec.allowed_clients);
}
END_TEST

/* A flood does not fill the journal; what was left out is counted. */
START_TEST(records_are_few)
{
    RuntimeSpec spec = allow("::1");
    Network n = listen_at("127.0.0.1");
    unsigned lines = 0;

    for (int round = 0; round < 2; round++) {
        const char *text;

        for (int i = 0; i < 5; i++) {
            int client = connect_from(&n, "127.0.0.1");

            ck_assert_int_eq(accept_client(&spec, n.listener), -EACCES);
            close(client);
        }
        text = said();
        for (const char *p = text; (p = strchr(p, '\n')); p++)
            lines++;
        if (round == 0)
            ck_assert_uint_eq(lines, 1);
        else
            ck_assert_ptr_nonnull(strstr(text, "4 more since"));
        usleep(1010 * 1000);
    }
    ck_assert_uint_eq(lines, 2);
    close(n.listener);
    free(spec.allowed_clients);
}
END_TEST

static Suite *accept_suite(void)
{
    Suite *s = suite_create("runtime/accept");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, NULL);
    tcase_add_loop_test(t, clients, 0, ARRAY_SIZE(cases));
    tcase_add_test(t, unix_peers_are_allowed);
    tcase_add_test(t, nobody_waits);
    tcase_add_test(t, records_are_few);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(accept_suite)
