#include "base/exit_status.h"
#include "base/fd.h"
#include "base/parse.h"
#include "ctl/ask.h"
#include "ctl/figures.h"
#include "ctl/stack.h"
#include "status/escape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The worker with that pid; NULL: the pool has none. */
static const StatusWorker *find_worker(const Figures *f, uint64_t pid)
{
    for (size_t i = 0; i < f->pool->n_workers; i++)
        if (f->workers[i].pid == pid)
            return &f->workers[i];
    return NULL;
}

static void complain_no_worker(const char *pool, const Figures *f, uint64_t pid)
{
    _cleanup_buffer_ Buffer b = {0};

    for (size_t i = 0; i < f->pool->n_workers; i++)
        if (buffer_printf(&b, "%s%" PRIu32, i > 0 ? ", " : "", f->workers[i].pid) < 0)
            return;
    ctl_complain("%s: %" PRIu64 " is no worker of this pool; it has %.*s", pool, pid,
                 b.size > 0 ? (int)b.size : (int)strlen("none now"),
                 b.size > 0 ? b.data : "none now");
}

/* What the worker was at when the stack was asked for. */
static int write_head(Buffer *b, const StatusWorker *worker, const Stack *stack)
{
    const BoardSlot *slot = &worker->board;
    int r = buffer_printf(b, "worker %" PRIu32 ", ", worker->pid);

    if (r == 0)
        r = escape_text(b, slot->method);
    if (r == 0)
        r = buffer_append(b, " ", 1);
    if (r == 0)
        r = escape_text(b, slot->uri);
    if (r == 0)
        r = buffer_printf(b, ", for %" PRIu64 ".%03us, ", worker->request_age_usec / USEC_PER_SEC,
                          (unsigned)(worker->request_age_usec % USEC_PER_SEC / USEC_PER_MSEC));
    if (r == 0)
        r = escape_text(b, slot->script);
    if (r < 0)
        return r;
    if (stack->area.method == TRACE_METHOD_INTERRUPT)
        return buffer_printf(b, "\ntold by the worker itself, which took %" PRIu64 " us\n",
                             stack->area.cost_usec);
    return buffer_printf(b, "\nread from outside, since it was not between two instructions\n");
}

static int show(const Ctl *ctl, const char *pool, const StatusWorker *worker, const Stack *stack)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = ctl->json ? stack_write_json(&b, pool, stack) : write_head(&b, worker, stack);

    if (r == 0 && !ctl->json)
        r = stack_write_text(&b, stack);
    if (r == 0)
        return ctl_print(&b);
    ctl_complain("%s: %s", pool, strerror(-r));
    return EXIT_STATUS_FAILURE;
}

int verb_trace(const Ctl *ctl, int n, char **operands)
{
    const char *pool = operands[0];
    _cleanup_figures_ Figures f = {0};
    _cleanup_stack_ Stack stack = {0};
    _cleanup_fd_ int fd = -1;
    const StatusWorker *worker;
    uint64_t pid;
    int status;

    if (parse_u64(operands[1], 1, INT32_MAX, &pid) < 0) {
        ctl_complain("'%s' is no process id; fpmctl status --full %s lists those of its workers",
                     operands[1], pool);
        return EXIT_STATUS_USAGE;
    }
    fd = ask_open(ctl, pool, &status);
    if (fd < 0)
        return status;
    if (figures_ask(ctl, pool, fd, &f) < 0)
        return CTL_EXIT_UNKNOWN;
    worker = find_worker(&f, pid);
    if (!worker) {
        complain_no_worker(pool, &f, pid);
        return EXIT_STATUS_FAILURE;
    }
    if (stack_ask(ctl, pool, fd, pid, &stack) < 0)
        return EXIT_STATUS_FAILURE;
    return show(ctl, pool, worker, &stack);
}
