#include "link/control.h"

#include "base/fd.h"
#include "link/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static int limit_time(int fd, int option)
{
    static const struct timeval limit = {.tv_sec = CONTROL_LIMIT_SEC};

    return setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit)) < 0 ? -errno : 0;
}

/* What such a limit makes of a call. */
static int failure(void)
{
    return errno == EAGAIN ? -ETIMEDOUT : -errno;
}

int control_connect(const char *dir, const char *pool)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_fd_ int fd = -1;
    int r, n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s/control", dir, pool);

    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* Whoever listens there has no right to our time, nor to close(2) of what it sends. */
    r = limit_time(fd, SO_SNDTIMEO);
    if (r == 0)
        r = link_refuse_fds(fd);
    if (r < 0)
        return r;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return failure();
    return TAKE_FD(fd);
}

int control_call(int fd, ControlVerb verb, uint64_t argument, ControlReply *ret, int *ret_fd)
{
    ControlRequest request = {.version = CONTROL_VERSION, .verb = verb, .argument = argument};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {ret, sizeof(*ret)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c;
    ssize_t n;
    int r;

    if (verb == CONTROL_STATUS || verb == CONTROL_TRACE) {
        r = limit_time(fd, SO_RCVTIMEO);
        if (r == 0)
            r = link_admit_fds(fd);
        if (r < 0)
            return r;
    }
    if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) < 0)
        return failure();
    do
        n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return failure();
    if (n == 0)
        return -ECONNRESET;

    *ret_fd = -1;
    c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    if (n != (ssize_t)sizeof(*ret) || ret->version != CONTROL_VERSION) {
        *ret_fd = fd_close(*ret_fd);
        return -EBADMSG;
    }
    ret->text[sizeof(ret->text) - 1] = 0;
    return 0;
}
