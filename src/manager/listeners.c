#include "manager/listeners.h"

#include "base/fd.h"
#include "log/log.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* Of one listener, so that sums cannot overflow. */
#define QUEUED_MAX 100000u

const char *listener_kind_name(ListenerKind kind)
{
    static const char *const names[_LISTENER_KIND_MAX] = {
        [LISTENER_REQUESTS] = "fastcgi",
        [LISTENER_STATUS] = "status",
    };

    return names[kind];
}

int listeners_add(Listeners *l, ListenerKind kind, int fd, const char *text,
                  const char *unlink_path)
{
    Listener *grown;
    Listener item = {.kind = kind, .fd = fd};
    struct stat st;
    int domain = 0;
    socklen_t size = sizeof(domain);

    if (l->n == LISTENERS_MAX)
        return -E2BIG;
    grown = reallocarray(l->items, l->n + 1, sizeof(Listener));
    if (!grown)
        return -ENOMEM;
    l->items = grown;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || fstat(fd, &st) < 0)
        return -errno;
    item.is_unix = domain == AF_UNIX;
    item.inode = st.st_ino;
    item.text = strdup(text);
    item.unlink = unlink_path ? strdup(unlink_path) : NULL;
    if (!item.text || (unlink_path && !item.unlink)) {
        free(item.text);
        free(item.unlink);
        return -ENOMEM;
    }
    if (!item.is_unix) {
        static const int on = 1;

        /* Accepted connections inherit it; a small answer must not wait for the peer's delayed ACK.
         */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    l->items[l->n++] = item;
    return 0;
}

/* The address of a socket for people: its path, address:port or [address]:port. */
static void describe(int fd, char *text, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } address = {0};
    socklen_t length = sizeof(address);
    char host[64], port[8];

    if (getsockname(fd, &address.any, &length) < 0)
        snprintf(text, size, "fd %d", fd);
    else if (address.any.sa_family == AF_UNIX)
        snprintf(text, size, "%s%.*s", address.un.sun_path[0] ? "" : "@",
                 (int)sizeof(address.un.sun_path) - 1,
                 address.un.sun_path + (address.un.sun_path[0] ? 0 : 1));
    else if (getnameinfo(&address.any, length, host, sizeof(host), port, sizeof(port),
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(text, size, address.any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    else
        snprintf(text, size, "fd %d", fd);
}

static int take_one(Listeners *l, ListenerKind kind, int fd, const char *name, char **ret_reason)
{
    char text[256];
    int r;

    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
        if (asprintf(ret_reason,
                     "fd %d (\"%s\") from the socket unit is not a listening stream socket; "
                     "ListenStream= is expected",
                     fd, name) < 0)
            *ret_reason = NULL;
        return -ENOTSOCK;
    }
    describe(fd, text, sizeof(text));
    r = fd_set_nonblock(fd, true);
    return r < 0 ? r : listeners_add(l, kind, fd, text, NULL);
}

static bool has_kind(const Listeners *l, ListenerKind kind)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->items[i].kind == kind)
            return true;
    return false;
}

/* Names are what tells sockets apart (their order is not defined between units): requests come on
 * those called "fastcgi". Where no socket is, the units have left the names to systemd, and all but
 * the one of pm.status_listen are. */
int listeners_take(Listeners *l, char **ret_reason)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(true, &names), r = 0;
    bool named = false;

    if (n < 0) {
        if (asprintf(ret_reason, "LISTEN_FDS cannot be used: %s", strerror(-n)) < 0)
            *ret_reason = NULL;
        return n;
    }
    for (int i = 0; i < n; i++)
        named |= strcmp(names[i], listener_kind_name(LISTENER_REQUESTS)) == 0;
    for (int i = 0; i < n && r == 0; i++) {
        int fd = SD_LISTEN_FDS_START + i;

        if (strcmp(names[i], listener_kind_name(LISTENER_STATUS)) == 0)
            r = take_one(l, LISTENER_STATUS, fd, names[i], ret_reason);
        else if (!named || strcmp(names[i], listener_kind_name(LISTENER_REQUESTS)) == 0)
            r = take_one(l, LISTENER_REQUESTS, fd, names[i], ret_reason);
        else {
            log_warning("Ignoring the socket \"%s\": FileDescriptorName=%s or %s is expected",
                        names[i], listener_kind_name(LISTENER_REQUESTS),
                        listener_kind_name(LISTENER_STATUS));
            fd_close(fd);
        }
    }
    if (n > 0 && r == 0 && !has_kind(l, LISTENER_REQUESTS)) {
        if (asprintf(ret_reason,
                     "only sockets for the status were passed: FileDescriptorName=%s is expected "
                     "of the socket unit",
                     listener_kind_name(LISTENER_REQUESTS)) < 0)
            *ret_reason = NULL;
        r = -ENOTCONN;
    }
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return r < 0 ? r : n;
}

bool listeners_have_status(const Listeners *l)
{
    return has_kind(l, LISTENER_STATUS);
}

int listeners_set_up(Listeners *l)
{
    l->growth_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->growth_fd < 0)
        return -errno;
    /* Absent module or a filter without AF_NETLINK: the length of the queue is guessed then. */
    l->diag_fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    for (size_t i = 0; i < l->n; i++)
        l->items[i].backlog = listener_backlog(l, &l->items[i]);
    return 0;
}

void listeners_done(Listeners *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].unlink)
            unlink(l->items[i].unlink);
        fd_close(l->items[i].fd);
        free(l->items[i].text);
        free(l->items[i].unlink);
    }
    free(l->items);
    fd_close(l->growth_fd);
    fd_close(l->diag_fd);
    *l = (Listeners){.growth_fd = -1, .diag_fd = -1};
}

static void watch_all(Listeners *l, bool on)
{
    for (size_t i = 0; i < l->n; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLET};

        if (l->items[i].kind == LISTENER_REQUESTS)
            epoll_ctl(l->growth_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->items[i].fd, &event);
    }
}

void listeners_watch(Listeners *l, bool on)
{
    if (l->watching == on)
        return;
    l->watching = on;
    watch_all(l, on);
}

void listeners_rearm(Listeners *l)
{
    if (!l->watching)
        return;
    watch_all(l, false);
    watch_all(l, true);
}

void listeners_drain(Listeners *l)
{
    struct epoll_event events[16];

    while (epoll_wait(l->growth_fd, events, ARRAY_SIZE(events), 0) == (int)ARRAY_SIZE(events))
        ;
}

/* unix(7) sockets: sock_diag(7), struct unix_diag_req by inode, UDIAG_SHOW_RQLEN. Of a listening
 * socket udiag_rqueue is the number of connections not accepted yet, udiag_wqueue the most there
 * can be. 0 or -1. */
static int diag_query(int fd, uint64_t inode, struct unix_diag_rqlen *ret)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } query = {
        .header = {.nlmsg_len = sizeof(query),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .request = {.sdiag_family = AF_UNIX,
                    .udiag_states = UINT32_MAX,
                    .udiag_ino = (uint32_t)inode,
                    .udiag_show = UDIAG_SHOW_RQLEN,
                    .udiag_cookie = {UINT32_MAX, UINT32_MAX}},
    };
    union {
        struct nlmsghdr header;
        char room[4096];
    } answer;
    ssize_t n;

    if (send(fd, &query, sizeof(query), MSG_DONTWAIT) < 0)
        return -1;
    /* The kernel has queued the answer when send() returns. */
    n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
    if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct unix_diag_msg)) ||
        answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY || answer.header.nlmsg_len > (size_t)n)
        return -1;

    struct unix_diag_msg *message = NLMSG_DATA(&answer.header);
    int left = (int)(answer.header.nlmsg_len - NLMSG_LENGTH(sizeof(*message)));

    for (struct nlattr *a = (struct nlattr *)(message + 1); left >= (int)sizeof(*a);) {
        if (a->nla_len < sizeof(*a) || a->nla_len > left)
            break;
        if (a->nla_type == UNIX_DIAG_RQLEN &&
            a->nla_len >= sizeof(*a) + sizeof(struct unix_diag_rqlen)) {
            memcpy(ret, a + 1, sizeof(*ret));
            return 0;
        }
        left -= (int)NLA_ALIGN(a->nla_len);
        a = (struct nlattr *)(void *)((char *)a + NLA_ALIGN(a->nla_len));
    }
    return -1;
}

/* The numbers of a listener: connections that wait, and the most there can be. 0 or -1. */
static int listener_numbers(const Listeners *l, const Listener *item, unsigned *ret_queued,
                            unsigned *ret_limit)
{
    struct unix_diag_rqlen lengths;
    struct tcp_info info;
    socklen_t size = sizeof(info);

    if (item->is_unix) {
        if (l->diag_fd < 0 || diag_query(l->diag_fd, item->inode, &lengths) < 0)
            return -1;
        *ret_queued = lengths.udiag_rqueue;
        *ret_limit = lengths.udiag_wqueue;
        return 0;
    }
    /* tcp(7): of a listening socket tcpi_unacked is the length of the accept queue, tcpi_sacked its
     * limit. */
    if (getsockopt(item->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return -1;
    *ret_queued = info.tcpi_unacked;
    *ret_limit = info.tcpi_sacked;
    return 0;
}

int listener_backlog(const Listeners *l, const Listener *item)
{
    unsigned queued, limit;

    return listener_numbers(l, item, &queued, &limit) < 0 ? -1 : (int)MIN(limit, (unsigned)INT_MAX);
}

static bool still_listens(const Listener *item)
{
    int on = 1;
    socklen_t size = sizeof(on);

    return getsockopt(item->fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) < 0 || on;
}

unsigned listeners_mend(Listeners *l)
{
    unsigned n = 0;

    for (size_t i = 0; i < l->n; i++) {
        Listener *item = &l->items[i];
        bool listens = still_listens(item);
        int backlog = listens ? listener_backlog(l, item) : 0;

        if (item->backlog < 0 || backlog < 0 || backlog == item->backlog)
            continue;
        /* Its port is still ours: bind(2) outlives that. More is systemd's doing. */
        if (backlog > item->backlog) {
            item->backlog = backlog;
            continue;
        }
        if (listen(item->fd, item->backlog) < 0) {
            log_error("%s listens no more, and cannot: %s", item->text, strerror(errno));
            continue;
        }
        log_warning("%s %s, which only a process that has it can do, as workers have: it is as "
                    "before again",
                    item->text, listens ? "had a shorter queue" : "listened no more");
        n++;
    }
    return n;
}

unsigned listeners_queued(const Listeners *l, unsigned guess)
{
    unsigned sum = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct pollfd p = {.fd = l->items[i].fd, .events = POLLIN};
        unsigned queued, limit;

        if (l->items[i].kind != LISTENER_REQUESTS)
            continue;
        if (listener_numbers(l, &l->items[i], &queued, &limit) < 0)
            queued = poll(&p, 1, 0) > 0 ? guess : 0;
        sum += MIN(queued, QUEUED_MAX);
    }
    return sum;
}
