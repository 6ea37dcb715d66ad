#include "manager/manager.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/log.h"
#include "manager/spawn.h"
#include "status/history.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---- what it is started with ---- */

/* Also during a start and a stop: any generation has the pool's user. */
static const PoolSetup *find_setup(const Manager *m)
{
    const Generation *g = m->current ? m->current : m->coming ? m->coming : m->generations;

    return g ? g->setup : NULL;
}

/* FNV-1a, for values that nobody chooses to collide. */
static void mix(uint64_t *hash, const void *data, size_t n)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < n; i++)
        *hash = (*hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static void mix_text(uint64_t *hash, const char *text)
{
    if (text)
        mix(hash, text, strlen(text));
    mix(hash, "", 1);
}

uint64_t porter_identity(const Manager *m, const PoolSetup *s)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    const PoolConfig *c = s->config;
    char path[4096];
    struct stat st = {0};

    if (!s->ids.keep) {
        mix(&hash, &s->ids.uid, sizeof(s->ids.uid));
        mix(&hash, &s->ids.gid, sizeof(s->ids.gid));
        mix(&hash, s->ids.groups, s->ids.n_groups * sizeof(gid_t));
    }
    for (size_t i = 0; i < c->n_allowed_clients; i++) {
        mix(&hash, c->allowed_clients[i].address, sizeof(c->allowed_clients[i].address));
        mix(&hash, &c->allowed_clients[i].n_bits, sizeof(c->allowed_clients[i].n_bits));
    }
    mix(&hash, &c->log_level, sizeof(c->log_level));
    mix(&hash, &c->first_byte_timeout_usec, sizeof(c->first_byte_timeout_usec));
    if (listeners_have_status(&m->listeners)) {
        mix_text(&hash, c->status_path);
        mix_text(&hash, c->ping_path);
        mix_text(&hash, c->ping_response);
    }
    spawn_porter_path(m, path, sizeof(path));
    if (stat(path, &st) == 0) {
        mix(&hash, &st.st_dev, sizeof(st.st_dev));
        mix(&hash, &st.st_ino, sizeof(st.st_ino));
        mix(&hash, &st.st_mtim.tv_sec, sizeof(st.st_mtim.tv_sec));
        mix(&hash, &st.st_mtim.tv_nsec, sizeof(st.st_mtim.tv_nsec));
    }
    return hash;
}

/* ---- start ---- */

static int on_porter_message(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Manager *m = userdata;
    LinkMessage message;
    int r = link_receive(fd, MSG_DONTWAIT, &message, NULL, 0, NULL, NULL);

    if (r == -EAGAIN || r == -EINTR)
        return 0;
    if (r == 1 && message.type == LINK_READY)
        m->porter.ready = true;
    else if (r == 1 && message.type == LINK_STATUS && porter_may_speak(&m->porter))
        porter_answer(m);
    else if (r == 1 || r == -EBADMSG)
        m->absurd_messages++;
    else {
        /* It is dying, and its exit status tells why; one that lives on would be of no use. */
        m->porter.link_source = sd_event_source_disable_unref(m->porter.link_source);
        if (m->porter.pid > 0)
            kill(m->porter.pid, SIGKILL);
    }
    return 0;
}

int porter_watch_link(Manager *m)
{
    Porter *p = &m->porter;
    int r = sd_event_add_io(m->event, &p->link_source, p->link_fd, EPOLLIN, on_porter_message, m);

    return r < 0 ? r : sd_event_source_set_priority(p->link_source, PRIORITY_LINK);
}

void porter_close_link(Porter *p)
{
    p->link_source = sd_event_source_disable_unref(p->link_source);
    p->link_fd = fd_close(p->link_fd);
}

void porter_forget(Porter *p)
{
    porter_close_link(p);
    p->stopped_source = sd_event_source_disable_unref(p->stopped_source);
    output_close(&p->out);
    output_close(&p->err);
    board_unmap(p->slot);
    p->slot = NULL;
    p->slot_fd = fd_close(p->slot_fd);
    p->pid = 0;
    p->ready = false;
    p->shed_counted = p->accepted_counted = 0;
    p->n_asked = 0;
}

static int open_process(Manager *m, int *link_peer, int *out, int *err)
{
    Porter *p = &m->porter;
    int pair[2], r;

    r = p->slot_fd = board_create(&p->slot);
    if (r < 0)
        return r;
    r = link_pair(pair);
    if (r < 0)
        return r;
    p->link_fd = pair[0];
    *link_peer = pair[1];
    r = porter_watch_link(m);
    if (r >= 0)
        r = output_open(&p->out, m->event, "stdout", LOG_MESSAGE_NONE, LOG_INFO, 0, out);
    if (r >= 0)
        r = output_open(&p->err, m->event, "stderr", LOG_MESSAGE_NONE, LOG_NOTICE, 0, err);
    return r;
}

/* Where nobody asks for the status, nobody samples it. Without it there are no charts. */
static void open_history(Manager *m)
{
    int fd;

    if (m->history_fd >= 0 || !listeners_have_status(&m->listeners))
        return;
    fd = history_create();
    if (fd >= 0)
        m->history_fd = fd;
    else
        log_error("The history of the status cannot be kept, ignoring: %s", strerror(-fd));
}

bool porter_may_start(const Manager *m)
{
    return find_setup(m);
}

int porter_start(Manager *m)
{
    Porter *p = &m->porter;
    const PoolSetup *setup = find_setup(m);
    _cleanup_fd_ int link_peer = -1, out = -1, err = -1;
    int r;

    if (!setup)
        return -ESRCH;
    open_history(m);
    r = open_process(m, &link_peer, &out, &err);
    if (r >= 0)
        r = spawn_porter(m, setup, link_peer, out, err);
    if (r < 0) {
        porter_forget(p);
        log_error("The porter cannot be started: %s", strerror(-r));
        return r;
    }
    p->pid = p->out.pid = p->err.pid = r;
    if (m->state == MANAGER_DRAINING)
        porter_drain(m);
    p->identity = porter_identity(m, setup);
    p->started_usec = clock_monotonic_usec();
    if (p->park_source)
        sd_event_source_set_enabled(p->park_source, SD_EVENT_OFF);
    return 0;
}
