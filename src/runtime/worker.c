#include "runtime/worker.h"

#include "base/exit_status.h"
#include "base/fd.h"
#include "base/title.h"
#include "board/slot.h"
#include "link/message.h"
#include "log/log.h"
#include "runtime/access.h"
#include "runtime/mark.h"
#include "runtime/serve.h"
#include "runtime/trace.h"
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

_noreturn_ static void worker_fail(ExitStatus status, int error)
{
    /* The manager has closed its end: we were told to leave before we began, or it is gone. */
    if (error == -EPIPE)
        _exit(EXIT_STATUS_OK);
    log_error("Worker cannot be set up, step %s: %s", exit_status_to_string(status),
              strerror(-error));
    _exit(status);
}

static int hello(int life_line, uint64_t mark_key)
{
    LinkMessage m = {
        .type = LINK_HELLO, .count = (uint32_t)(mark_key >> 32), .flags = (uint32_t)mark_key};

    return link_send(life_line, &m, NULL, 0);
}

/* The manager gives us a cgroup before we take anything. flags: LinkForkFlag, may grow. 0, or
 * -EPIPE: we shall leave. */
static int wait_for_go(const RuntimeSpec *spec, int life_line, unsigned *flags)
{
    for (;;) {
        LinkMessage m;
        size_t n_fds = 0;
        int fd = -1, r = link_receive(life_line, 0, &m, &fd, 1, &n_fds, NULL);

        if (r == -EINTR || r == -EBADMSG)
            continue;
        if (r <= 0 || m.type == LINK_LEAVE)
            return r < 0 ? r : -EPIPE;
        if (m.type == LINK_GO)
            return 0;
        if (m.type == LINK_DRAIN)
            *flags |= LINK_FORK_DRAINING;
        if (m.type == LINK_REOPEN && n_fds == 1)
            access_replace(spec, TAKE_FD(fd));
        fd_close(fd);
    }
}

/* stdin is the template's, /dev/null; below another root there may be no such file. */
static int arrange_standard_fds(const WorkerFds *fds)
{
    if (dup2(fds->out, STDOUT_FILENO) < 0 || dup2(fds->err, STDERR_FILENO) < 0)
        return -errno;
    fd_close(fds->out);
    fd_close(fds->err);
    return 0;
}

_noreturn_ void worker_run(const RuntimeSpec *spec, const Engine *engine,
                           const SeccompFilter *filter, const WorkerFds *fds, unsigned flags)
{
    BoardSlot *slot = NULL;
    uint64_t moot = spec->moot;
    int r;

    log_forget();
    title_set("fpmd-worker", "fpmd: pool %s", spec->pool);
    /* The first message: from here on the manager knows our pid, whatever becomes of us. */
    r = hello(fds->life_line, mark_start(fds->out, fds->err));
    if (r < 0)
        worker_fail(EXIT_STATUS_LINK, r);
    fd_close(spec->link_fd);
    r = flags & LINK_FORK_WAIT ? wait_for_go(spec, fds->life_line, &flags) : 0;
    if (r < 0)
        worker_fail(EXIT_STATUS_LINK, r);

    r = arrange_standard_fds(fds);
    if (r < 0)
        worker_fail(EXIT_STATUS_FDS, r);
    r = board_attach(fds->slot, &slot);
    if (r < 0)
        worker_fail(EXIT_STATUS_SCOREBOARD, r);
    fd_close(fds->slot);
    trace_worker_start(slot);

    r = engine->worker_part ? engine->worker_part(spec) : 0;
    if (r < 0)
        worker_fail(EXIT_STATUS_RUNTIME, r);
    r = landlock_isolate(landlock_find_abi(), spec->abstract_sockets);
    if (r < 0)
        worker_fail(EXIT_STATUS_LANDLOCK, r);
    if (r == 0)
        moot |= BOARD_MOOT_LANDLOCK;
    r = filter ? seccomp_filter_install(filter, NULL) : 0;
    if (r < 0)
        worker_fail(EXIT_STATUS_SECCOMP, r);
    r = engine->worker_start(spec, slot);
    if (r < 0)
        worker_fail(EXIT_STATUS_RUNTIME, r);

    board_begin(slot);
    slot->moot = moot;
    board_commit(slot);

    r = serve(spec, engine, slot, fds->life_line, flags);
    if (r < 0)
        worker_fail(EXIT_STATUS_EVENTS, r);
    engine->worker_stop();
    log_close();
    _exit(EXIT_STATUS_OK);
}
