#include "runtime/worker.h"

#include "base/exit_status.h"
#include "base/fd.h"
#include "base/title.h"
#include "board/slot.h"
#include "link/message.h"
#include "log/log.h"
#include "runtime/mark.h"
#include "runtime/serve.h"
#include "runtime/trace.h"

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

    r = arrange_standard_fds(fds);
    if (r < 0)
        worker_fail(EXIT_STATUS_FDS, r);
    r = board_attach(fds->slot, &slot);
    if (r < 0)
        worker_fail(EXIT_STATUS_SCOREBOARD, r);
    fd_close(fds->slot);
    trace_worker_start(slot);

    r = landlock_isolate();
    if (r < 0)
        worker_fail(EXIT_STATUS_LANDLOCK, r);
    if (r == 0)
        moot |= BOARD_MOOT_LANDLOCK;
    r = seccomp_filter_install(filter);
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
