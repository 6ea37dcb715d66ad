#include "runtime/ask.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_LIMIT_USEC (1 * USEC_PER_SEC)

/* The manager ignores a worker that asks much more often. Beyond it the last answer is given
 * again. */
#define ASK_PER_SEC 100

static struct {
    int life_line;
    pid_t pid; /* the line is ours alone, not that of processes that a script forks */
    uint64_t second_usec;
    unsigned n_asked; /* since then */
    int last_fd, last_history_fd;
    bool told_to_leave, told_of_end, draining;
    void (*on_reopen)(int fd);
} ask = {.life_line = -1, .last_fd = -1, .last_history_fd = -1};

void ask_init(int life_line, bool draining)
{
    ask.life_line = life_line;
    ask.pid = getpid();
    ask.told_to_leave = ask.told_of_end = false;
    ask.draining = draining;
}

bool ask_told_to_leave(void)
{
    return ask.told_to_leave;
}

bool ask_told_of_end(void)
{
    return ask.told_of_end;
}

bool ask_is_draining(void)
{
    return ask.draining;
}

void ask_on_reopen(void (*handler)(int fd))
{
    ask.on_reopen = handler;
}

/* fd: what came with it, or -1. */
static void take_order(const LinkMessage *m, int fd)
{
    if (m->type == LINK_LEAVE && m->flags & LINK_LEAVE_AT_END)
        ask.told_of_end = true;
    else if (m->type == LINK_LEAVE)
        ask.told_to_leave = true;
    else if (m->type == LINK_DRAIN)
        ask.draining = true;
    else if (m->type == LINK_REOPEN && ask.on_reopen && fd >= 0) {
        ask.on_reopen(fd);
        return;
    }
    fd_close(fd);
}

int ask_read_orders(void)
{
    LinkMessage m;
    int r;

    do {
        size_t n_fds = 0;
        int fd = -1;

        r = link_receive(ask.life_line, MSG_DONTWAIT, &m, &fd, 1, &n_fds, NULL);
        if (r > 0)
            take_order(&m, n_fds == 1 ? fd : -1);
    } while (r > 0 || r == -EBADMSG);
    return r == -EAGAIN ? 0 : -EPIPE;
}

static bool is_ours(void)
{
    return ask.life_line >= 0 && getpid() == ask.pid;
}

/* The manager's end has room for these rare messages, or it will not read them anyway. */
static int tell(LinkType type, uint32_t flags)
{
    struct pollfd p = {.fd = ask.life_line, .events = POLLOUT};
    LinkMessage m = {.type = type, .flags = flags};

    if (!is_ours())
        return -EPIPE;
    if (poll(&p, 1, 0) < 1)
        return -EAGAIN;
    return link_send(ask.life_line, &m, NULL, 0);
}

int ask_renew(void)
{
    return tell(LINK_RENEW, 0);
}

int ask_leaving(LinkLeaving why)
{
    return tell(LINK_LEAVING, (uint32_t)why);
}

/* Waits for one of events until end_usec. 0, -ETIMEDOUT or -errno. */
static int wait_for(short events, uint64_t end_usec)
{
    struct pollfd p = {.fd = ask.life_line, .events = events};

    for (;;) {
        uint64_t now_usec = clock_monotonic_usec();
        int n;

        if (now_usec >= end_usec)
            return -ETIMEDOUT;
        n = poll(&p, 1, (int)((end_usec - now_usec) / USEC_PER_MSEC) + 1);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

static void keep_answer(const int *fds, size_t n_fds)
{
    fd_close(ask.last_fd);
    fd_close(ask.last_history_fd);
    ask.last_fd = fds[0];
    ask.last_history_fd = n_fds > 1 ? fds[1] : -1;
}

/* The answer of the manager, which comes with a snapshot and perhaps the history. */
static int wait_for_answer(uint64_t end_usec)
{
    for (;;) {
        LinkMessage m;
        size_t n_fds = 0;
        int fds[2] = {-1, -1};
        int r = wait_for(POLLIN, end_usec);

        if (r < 0)
            return r;
        r = link_receive(ask.life_line, MSG_DONTWAIT, &m, fds, 2, &n_fds, NULL);
        if (r == -EAGAIN)
            continue;
        if (r == 0)
            return -EPIPE; /* the loop of the worker sees that end again */
        if (r < 0)
            return r;
        if (m.type == LINK_STATUS && n_fds > 0) {
            keep_answer(fds, n_fds);
            return 0;
        }
        fd_close(n_fds > 1 ? fds[1] : -1);
        take_order(&m, n_fds > 0 ? fds[0] : -1);
    }
}

/* Whether one more question is allowed in this second. */
static bool may_ask(uint64_t now_usec)
{
    if (now_usec - ask.second_usec >= USEC_PER_SEC) {
        ask.second_usec = now_usec;
        ask.n_asked = 0;
    }
    return ask.last_fd < 0 || ask.n_asked < ASK_PER_SEC;
}

int ask_status(int *ret_history_fd)
{
    LinkMessage question = {.type = LINK_STATUS};
    uint64_t now_usec = clock_monotonic_usec();
    int r, fd;

    if (!is_ours())
        return -EPIPE;
    /* An answer that came too late for an earlier question. */
    r = ask_read_orders();
    if (r < 0)
        return r;
    if (may_ask(now_usec)) {
        ask.n_asked++;
        r = wait_for(POLLOUT, now_usec + ASK_LIMIT_USEC);
        if (r == 0)
            r = link_send(ask.life_line, &question, NULL, 0);
        if (r == 0)
            r = wait_for_answer(now_usec + ASK_LIMIT_USEC);
        if (r < 0)
            return r;
    }
    fd = fcntl(ask.last_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    if (ret_history_fd)
        *ret_history_fd =
            ask.last_history_fd >= 0 ? fcntl(ask.last_history_fd, F_DUPFD_CLOEXEC, 3) : -1;
    return fd;
}
