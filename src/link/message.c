#include "link/message.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define LINK_MAX_FDS (LINK_FORK_MAX * LINK_FORK_FDS)

/* Linux 6.16; the number is the same on all architectures of asm-generic/socket.h. The others
 * (parisc, sparc) have numbers of their own, which the headers know or we do without. */
#if !defined(SO_PASSRIGHTS) && !defined(__hppa__) && !defined(__sparc__)
#define SO_PASSRIGHTS 83
#endif

_Static_assert(LINK_MAX_FDS <= 253, "SCM_MAX_FD of the kernel");
_Static_assert(sizeof(LinkMessage) == 16 + LINK_TEXT_SIZE,
               "docs/runtime-protocol.md has this layout");

static int set_passrights(int fd, int on)
{
#ifdef SO_PASSRIGHTS
    return setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof(on)) < 0 ? -errno : 0;
#else
    return -ENOPROTOOPT;
#endif
}

int link_refuse_fds(int fd)
{
    int r = set_passrights(fd, 0);

    if (r == -ENOPROTOOPT)
        return 0;
    return r < 0 ? r : 1;
}

int link_admit_fds(int fd)
{
    int r = set_passrights(fd, 1);

    return r == -ENOPROTOOPT ? 0 : r;
}

bool link_can_refuse_fds(int fd)
{
#ifdef SO_PASSRIGHTS
    int on;
    socklen_t size = sizeof(on);

    return getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &on, &size) == 0;
#else
    return false;
#endif
}

int link_pair(int ret[2])
{
    static const int on = 1;
    int pair[2], r;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
        r = -errno;
        goto fail;
    }
    /* Where it is not possible, what workers send does not linger: their filter denies SO_LINGER.
     */
    r = link_refuse_fds(pair[0]);
    if (r < 0)
        goto fail;
    r = fd_set_nonblock(pair[0], true);
    if (r < 0)
        goto fail;
    ret[0] = pair[0];
    ret[1] = pair[1];
    return 0;

fail:
    fd_close(pair[0]);
    fd_close(pair[1]);
    return r;
}

int link_send(int fd, const LinkMessage *m, const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int) * LINK_MAX_FDS)];
    } control;
    LinkMessage copy = *m;
    struct iovec iov = {&copy, sizeof(copy)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > LINK_MAX_FDS)
        return -EINVAL;
    copy.version = LINK_VERSION;
    if (n_fds > 0) {
        memset(&control, 0, sizeof(control));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
    }
    for (;;) {
        if (sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

void link_close_received(int fd)
{
    const struct linger off = {0};

    /* ENOTSOCK: it is none. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
    fd_close(fd);
}

void link_signal(pid_t pid, int number, int http_status)
{
    union sigval value = {.sival_int = http_status};

    if (sigqueue(pid, number, value) < 0 && errno == EAGAIN)
        kill(pid, number);
}

/* Takes over the descriptors and the sender's pid from the control part. */
static size_t link_take_control(struct msghdr *msg, int *fds, size_t max_fds, pid_t *ret_pid)
{
    size_t taken = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            for (size_t i = 0; i < n; i++) {
                int received;

                memcpy(&received, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                if (taken < max_fds)
                    fds[taken++] = received;
                else
                    link_close_received(received);
            }
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred cred;

            memcpy(&cred, CMSG_DATA(c), sizeof(cred));
            *ret_pid = cred.pid;
        }
    }
    return taken;
}

/* An empty SEQPACKET message reads like the end of file. Nobody of ours sends one, but a worker
 * that is taken over may, into a socket that it shares with others. */
static bool link_has_ended(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) != 0;
}

int link_receive(int fd, int flags, LinkMessage *ret, int *fds, size_t max_fds, size_t *ret_n_fds,
                 pid_t *ret_pid)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int) * LINK_MAX_FDS) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    LinkMessage m;
    struct iovec iov = {&m, sizeof(m)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    pid_t pid = 0;
    size_t n_fds;
    ssize_t n;

    /* ECONNRESET comes once, when the other end closed before it had read everything; what it said
     * before waits behind that. */
    do
        n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | flags);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0)
        return -errno;

    n_fds = link_take_control(&msg, fds, max_fds, &pid);
    if (n == 0 && link_has_ended(fd)) {
        while (n_fds > 0)
            link_close_received(fds[--n_fds]);
        return 0;
    }
    if (n != (ssize_t)sizeof(m) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
        m.version != LINK_VERSION || m.type == 0 || m.type >= _LINK_TYPE_MAX) {
        while (n_fds > 0)
            link_close_received(fds[--n_fds]);
        return -EBADMSG;
    }
    m.text[sizeof(m.text) - 1] = 0;
    *ret = m;
    if (ret_n_fds)
        *ret_n_fds = n_fds;
    if (ret_pid)
        *ret_pid = pid;
    return 1;
}
