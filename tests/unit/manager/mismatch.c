#include "base/fd.h"
#include "manager/mismatch.h"
#include "../run.h"

#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], path[96], other[96], link_path[96];
static Listeners listeners;

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fpmd-mismatch-%d", (int)getpid());
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    snprintf(path, sizeof(path), "%s/a.sock", folder);
    snprintf(other, sizeof(other), "%s/b.sock", folder);
    snprintf(link_path, sizeof(link_path), "%s/link.sock", folder);
    listeners = (Listeners){.growth_fd = -1, .diag_fd = -1};
    ck_assert_int_eq(listeners_set_up(&listeners), 0);
}

static void tear_down(void)
{
    listeners_done(&listeners);
    unlink(path);
    unlink(other);
    unlink(link_path);
    rmdir(folder);
}

static void add_unix(ListenerKind kind, const char *at, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, at);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(chmod(at, 0660), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    ck_assert_int_eq(listeners_add(&listeners, kind, fd, at, NULL), 0);
}

/* Returns the port. */
static unsigned add_tcp(ListenerKind kind, const char *host, int backlog)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = {0};
    socklen_t size = sizeof(a);
    int off = 0, fd;

    if (inet_pton(AF_INET, host, &a.v4.sin_addr) == 1)
        a.any.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1)
        a.any.sa_family = AF_INET6;
    fd = socket(a.any.sa_family, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    ck_assert_int_eq(bind(fd, &a.any, sizeof(a)), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    ck_assert_int_eq(getsockname(fd, &a.any, &size), 0);
    ck_assert_int_eq(listeners_add(&listeners, kind, fd, host, NULL), 0);
    return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

static Mismatch found[MISMATCH_MAX];

/* The directives that differ, with blanks between. */
_printf_(1, 2) static const char *differ(const char *format, ...)
{
    static char names[512];
    _cleanup_(pool_config_freep) PoolConfig *c = NULL;
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    char lines[2048], text[4096];
    va_list args;
    size_t n;

    va_start(args, format);
    vsnprintf(lines, sizeof(lines), format, args);
    va_end(args);
    n = (size_t)snprintf(text, sizeof(text), "[www]\npm = static\npm.max_children = 1\n%s\n",
                         lines);
    ck_assert_int_eq(config_parse(text, n, "www.conf", "www", &issues, &c), 0);
    names[0] = 0;
    n = mismatch_find(&listeners, c, found);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            strcat(names, " ");
        strcat(names, found[i].directive);
        ck_assert_str_ne(found[i].unit_has, "");
    }
    return names;
}

START_TEST(a_file_without_listen_fits)
{
    add_unix(LISTENER_REQUESTS, path, 7);
    add_unix(LISTENER_STATUS, other, 7);
    ck_assert_str_eq(differ(";"), "");
}
END_TEST

START_TEST(unix_path)
{
    add_unix(LISTENER_REQUESTS, path, 7);
    ck_assert_str_eq(differ("listen = %s", path), "");
    ck_assert_str_eq(differ("listen = %s", other), "listen");
    ck_assert_str_eq(found[0].unit_has, path);
    ck_assert_str_eq(differ("listen = 127.0.0.1:9000"), "listen");
    /* Symlinks= of the socket unit. */
    ck_assert_str_eq(differ("listen = %s", link_path), "listen");
    ck_assert_int_eq(symlink(path, link_path), 0);
    ck_assert_str_eq(differ("listen = %s", link_path), "");
}
END_TEST

START_TEST(several_addresses)
{
    add_unix(LISTENER_REQUESTS, path, 7);
    add_unix(LISTENER_REQUESTS, other, 7);
    ck_assert_str_eq(differ("listen = %s %s", other, path), "");
    ck_assert_str_eq(differ("listen = %s", path), "listen");
    ck_assert_ptr_nonnull(strstr(found[0].unit_has, other));
    ck_assert_str_eq(differ("listen = %s %s 9000", path, other), "listen");
}
END_TEST

static const struct {
    const char *listener, *directive; /* %u is the port */
    bool fits;
} tcp[] = {
    {"127.0.0.1", "127.0.0.1:%u", true},
    {"127.0.0.1", "127.0.0.2:%u", false},
    {"127.0.0.1", "%u", false},
    {"127.0.0.1", "0.0.0.0:%u", false},
    {"127.0.0.1", "[::ffff:127.0.0.1]:%u", true},
    {"127.0.0.1", "127.0.0.1:1", false},
    {"127.0.0.1", "localhost:%u", true}, /* names are not resolved */
    {"127.0.0.1", "localhost:1", false},
    {"127.0.0.1", "/run/x.sock", false},
    {"0.0.0.0", "%u", true},
    {"0.0.0.0", "0.0.0.0:%u", true},
    {"0.0.0.0", "[::]:%u", false},
    {"::", "%u", true},
    {"::", "*:%u", true},
    {"::", "[::]:%u", true},
    {"::", "0.0.0.0:%u", false},
    {"::1", "[::1]:%u", true},
    {"::1", "[0:0:0:0:0:0:0:1]:%u", true},
    {"::1", "[::2]:%u", false},
};

START_TEST(tcp_addresses)
{
    char address[64], line[80];
    unsigned port = add_tcp(LISTENER_REQUESTS, tcp[_i].listener, 7);

    snprintf(line, sizeof(line), "listen = ");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(address, sizeof(address), tcp[_i].directive, port);
#pragma GCC diagnostic pop
    ck_assert_msg(strcmp(differ("listen = %s", address), tcp[_i].fits ? "" : "listen") == 0,
                  "%s and %s", tcp[_i].listener, address);
}
END_TEST

START_TEST(status_sockets)
{
    add_unix(LISTENER_REQUESTS, path, 7);
    ck_assert_str_eq(differ("pm.status_listen = %s", other), "pm.status_listen");
    ck_assert_str_eq(found[0].unit_has, "no such socket");
    add_unix(LISTENER_STATUS, other, 7);
    ck_assert_str_eq(differ("listen = %s\npm.status_listen = %s", path, other), "");
    ck_assert_str_eq(differ("listen = %s\npm.status_listen = %s", other, path),
                     "listen pm.status_listen");
}
END_TEST

START_TEST(owner_group_and_mode)
{
    const struct passwd *user = getpwuid(geteuid());
    const struct group *group = getgrgid(getegid());

    ck_assert_ptr_nonnull(user);
    ck_assert_ptr_nonnull(group);
    add_unix(LISTENER_REQUESTS, path, 7);
    ck_assert_str_eq(differ("listen.owner = %s", user->pw_name), "");
    ck_assert_str_eq(differ("listen.owner = %u", (unsigned)geteuid()), "");
    ck_assert_str_eq(differ("listen.owner = bin"), "listen.owner");
    ck_assert_ptr_nonnull(strstr(found[0].unit_has, user->pw_name));
    ck_assert_str_eq(differ("listen.owner = 54321"), "listen.owner");
    ck_assert_str_eq(differ("listen.group = %s", group->gr_name), "");
    ck_assert_str_eq(differ("listen.group = bin"), "listen.group");
    ck_assert_str_eq(differ("listen.owner = bin\nlisten.group = bin"), "listen.owner listen.group");
    /* Only the modules of the name service may know it. */
    ck_assert_str_eq(differ("listen.owner = no-such-user"), "");
    ck_assert_str_eq(differ("listen.mode = 0660"), "");
    ck_assert_str_eq(differ("listen.mode = 0666"), "listen.mode");
    ck_assert_ptr_nonnull(strstr(found[0].unit_has, "0660"));
    /* An owner brings its primary group. */
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 0, 2), 0);
        ck_assert_str_eq(differ("listen.owner = root"), "listen.owner");
        ck_assert_ptr_nonnull(strstr(found[0].unit_has, "bin"));
        ck_assert_str_eq(differ("listen.owner = root\nlisten.group = bin"), "");
        ck_assert_str_eq(differ("listen.owner = 0"), "");
    }
}
END_TEST

START_TEST(access_lists)
{
    add_unix(LISTENER_REQUESTS, path, 7);
    ck_assert_str_eq(differ("listen.acl_users = bin\nlisten.owner = bin"), "listen.acl_users");
    ck_assert_str_eq(differ("listen.acl_groups = bin,daemon"), "listen.acl_groups");
    ck_assert_str_eq(differ("listen.acl_users = bin\nlisten.acl_groups = bin"),
                     "listen.acl_users listen.acl_groups");
}
END_TEST

START_TEST(backlog)
{
    add_unix(LISTENER_REQUESTS, path, 7);
    add_tcp(LISTENER_REQUESTS, "127.0.0.1", 7);
    ck_assert_int_eq(listener_backlog(&listeners, &listeners.items[0]), 7);
    ck_assert_int_eq(listener_backlog(&listeners, &listeners.items[1]), 7);
    ck_assert_str_eq(differ("listen.backlog = 7"), "");
    ck_assert_str_eq(differ("listen.backlog = 8"), "listen.backlog");
    ck_assert_ptr_nonnull(strstr(found[0].unit_has, "7 of"));
    ck_assert_str_eq(differ("listen.backlog = -1"), "");
    /* That of the status does not count. */
    add_unix(LISTENER_STATUS, other, 3);
    ck_assert_str_eq(differ("listen.backlog = 7"), "");
}
END_TEST

/* The kernel cuts at net.core.somaxconn. */
START_TEST(backlog_that_the_kernel_has_cut)
{
    add_unix(LISTENER_REQUESTS, path, 2000000000);
    ck_assert_str_eq(differ("listen.backlog = 2000000000"), "");
    ck_assert_str_eq(differ("listen.backlog = 1999999999"), "");
    ck_assert_str_eq(differ("listen.backlog = 100"), "listen.backlog");
}
END_TEST

static Suite *mismatch_suite(void)
{
    Suite *s = suite_create("manager/mismatch");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_file_without_listen_fits);
    tcase_add_test(t, unix_path);
    tcase_add_test(t, several_addresses);
    tcase_add_loop_test(t, tcp_addresses, 0, ARRAY_SIZE(tcp));
    tcase_add_test(t, status_sockets);
    tcase_add_test(t, owner_group_and_mode);
    tcase_add_test(t, access_lists);
    tcase_add_test(t, backlog);
    tcase_add_test(t, backlog_that_the_kernel_has_cut);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(mismatch_suite)
