#include "runtime/serve_private.h"

#include "log/log.h"
#include "runtime/accept.h"
#include "runtime/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define SHORTAGE_MSEC 100

/*
 * Scripts have left so much open that there is no descriptor for a connection. The kernel has woken
 * nobody else for it, and would wake this worker again and again: a successor takes its place, and
 * the manager, when a worker has gone, wakes another. One that never had enough waits instead: its
 * successors would have no more.
 */
static void leave_without_files(Serve *s)
{
    if (s->phase != SERVE_STAYING)
        return;
    log_error("Cannot accept a connection, leaving: %s (rlimit_files of the pool file, or scripts "
              "that leave too much open)",
              strerror(EMFILE));
    ask_leaving(LINK_LEAVING_FILES);
    leave(s);
}

bool listener_is_lost(int error)
{
    return error == -EBADF || error == -ENOTSOCK || error == -EINVAL || error == -EOPNOTSUPP;
}

static void wait_for_better(Serve *s, int error)
{
    if (!s->shortage_told)
        log_error("Cannot accept connections, trying again: %s", strerror(-error));
    s->shortage_told = true;
    poll(NULL, 0, SHORTAGE_MSEC);
}

/* The kernel goes on waking this worker for a socket that others have as well. Where no script has
 * run here it was another worker's, which has shut it down for all: successors would be no better
 * off. */
void listener_lost(Serve *s, int error)
{
    if (s->phase != SERVE_STAYING)
        return;
    if (s->requests == 0) {
        wait_for_better(s, error);
        return;
    }
    log_error("Cannot accept connections any more, leaving: %s (a script has closed descriptors "
              "that are not its own)",
              strerror(-error));
    ask_leaving(LINK_LEAVING_LISTENER);
    leave(s);
}

void listener_take(Serve *s, int listen_fd)
{
    int fd = accept_client(s->spec, listen_fd);

    if (fd >= 0 || fd == -EACCES)
        connection_shared_count_accepted(s->shared);
    if (fd >= 0) {
        s->shortage_told = false;
        turn_fresh(s, fd, 0);
        return;
    }
    /* EAGAIN: another worker was faster. The rest of accept(2)'s list concerns one connection,
     * which is gone. */
    if (listener_is_lost(fd))
        listener_lost(s, fd);
    else if (fd == -EMFILE && s->requests > 0)
        leave_without_files(s);
    else if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS)
        wait_for_better(s, fd);
}
