#include "manager/orphans.h"

#include "base/fd.h"
#include "log/log.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>

static int on_orphan(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Orphans *o = userdata;

    /* pidfd_open(2): readable once the process has ended. */
    for (size_t i = 0; i < o->n; i++)
        if (o->items[i].pidfd == fd) {
            o->items[i].source = sd_event_source_disable_unref(o->items[i].source);
            o->items[i].pidfd = fd_close(fd);
            o->n_alive--;
            break;
        }
    if (o->n_alive == 0) {
        o->limit_source = sd_event_source_disable_unref(o->limit_source);
        o->on_gone(o->userdata);
    }
    return 0;
}

unsigned orphans_kill(Orphans *o)
{
    unsigned n = 0;

    for (size_t i = 0; i < o->n; i++)
        if (o->items[i].pidfd >= 0 && pidfd_send_signal(o->items[i].pidfd, SIGKILL, NULL, 0) == 0)
            n++;
    return n;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    unsigned n = orphans_kill(userdata);

    if (n > 0)
        log_text(LOG_WARNING, LOG_MESSAGE_DRAIN_LIMIT,
                 "%u processes of an earlier manager were ended: their time to finish has passed",
                 n);
    return 0;
}

int orphans_adopt(Orphans *o, sd_event *event, const pid_t *pids, size_t n, uint64_t limit_usec,
                  void (*on_gone)(void *userdata), void *userdata)
{
    *o = (Orphans){
        .items = calloc(n ? n : 1, sizeof(Orphan)), .on_gone = on_gone, .userdata = userdata};
    if (!o->items)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        Orphan orphan = {.pidfd = pidfd_open(pids[i], 0)};

        /* ESRCH: it has ended meanwhile. */
        if (orphan.pidfd < 0)
            continue;
        fd_set_cloexec(orphan.pidfd, true);
        if (sd_event_add_io(event, &orphan.source, orphan.pidfd, EPOLLIN, on_orphan, o) < 0) {
            fd_close(orphan.pidfd);
            continue;
        }
        o->items[o->n++] = orphan;
        o->n_alive++;
    }
    if (o->n_alive == 0)
        return 0;
    return sd_event_add_time_relative(event, &o->limit_source, CLOCK_MONOTONIC, limit_usec, 0,
                                      on_limit, o);
}

void orphans_done(Orphans *o)
{
    for (size_t i = 0; i < o->n; i++) {
        sd_event_source_disable_unref(o->items[i].source);
        fd_close(o->items[i].pidfd);
    }
    sd_event_source_disable_unref(o->limit_source);
    free(o->items);
    *o = (Orphans){0};
}
