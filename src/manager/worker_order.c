#include "manager/manager.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* How workers come into being: the template forks what is ordered here. */

static int on_life_line(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    worker_read_line(userdata);
    return 0;
}

static int worker_open_output(Worker *w, int *out, int *err)
{
    Generation *g = w->generation;
    Manager *m = w->manager;
    int r;

    if (!g->config->catch_workers_output) {
        *out = open("/dev/null", O_WRONLY | O_CLOEXEC);
        *err = open("/dev/null", O_WRONLY | O_CLOEXEC);
        return *out < 0 || *err < 0 ? -errno : 0;
    }
    r = output_open(&w->out, m->event, "stdout", LOG_MESSAGE_WORKER_OUTPUT, LOG_INFO, g->number,
                    out);
    if (r < 0)
        return r;
    return output_open(&w->err, m->event, "stderr", LOG_MESSAGE_WORKER_OUTPUT, LOG_NOTICE,
                       g->number, err);
}

/* The slot stays open here: another program file that takes over maps it again. */
static int worker_open_slot(Worker *w, int *ret)
{
    w->slot_fd = board_create(&w->slot);
    if (w->slot_fd < 0)
        return w->slot_fd;
    *ret = fcntl(w->slot_fd, F_DUPFD_CLOEXEC, 3);
    return *ret < 0 ? -errno : 0;
}

/* Makes the worker and the four descriptors that go to it. */
static int worker_new(Generation *g, int fds[static LINK_FORK_FDS], Worker **ret)
{
    Worker *w;
    int pair[2], r = worker_add(g, &w);

    if (r < 0)
        return r;
    r = worker_open_slot(w, &fds[LINK_FORK_FD_SLOT]);
    if (r == 0)
        r = link_pair(pair);
    if (r == 0) {
        w->life_line = pair[0];
        fds[LINK_FORK_FD_LIFE_LINE] = pair[1];
        r = worker_open_output(w, &fds[LINK_FORK_FD_STDOUT], &fds[LINK_FORK_FD_STDERR]);
    }
    if (r == 0)
        r = worker_watch_line(w);
    if (r < 0) {
        worker_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

int worker_watch_line(Worker *w)
{
    int r =
        sd_event_add_io(w->manager->event, &w->life_source, w->life_line, EPOLLIN, on_life_line, w);

    return r < 0 ? r : sd_event_source_set_priority(w->life_source, PRIORITY_LINK);
}

static unsigned workers_order_batch(Generation *g, unsigned n)
{
    LinkMessage m = {.type = LINK_FORK};
    int fds[LINK_FORK_MAX * LINK_FORK_FDS];
    Worker *ordered[LINK_FORK_MAX];
    int r = 0;

    if (g->manager->state == MANAGER_DRAINING)
        m.flags |= LINK_FORK_DRAINING;
    if (worker_cgroup_is_wanted(g->config))
        m.flags |= LINK_FORK_WAIT;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = -1;
    while (m.count < n && r == 0) {
        r = worker_new(g, fds + m.count * LINK_FORK_FDS, &ordered[m.count]);
        m.count += r == 0;
    }
    if (m.count > 0) {
        int sent = link_send(g->link_fd, &m, fds, m.count * LINK_FORK_FDS);

        if (sent < 0) {
            r = sent;
            while (m.count > 0)
                worker_free(ordered[--m.count]);
        }
    }
    g->order_error = r;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fd_close(fds[i]);
    g->manager->workers_started += m.count;
    return m.count;
}

unsigned workers_order(Generation *g, unsigned n)
{
    unsigned done = 0;

    while (done < n && g->link_fd >= 0) {
        unsigned batch = MIN(n - done, (unsigned)LINK_FORK_MAX);
        unsigned ordered = workers_order_batch(g, batch);

        done += ordered;
        if (ordered < batch)
            break;
    }
    return done;
}
