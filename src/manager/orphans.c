#include "manager/orphans.h"

#include "base/fd.h"
#include "link/message.h"
#include "log/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define END_LIMIT_USEC (1 * USEC_PER_SEC)

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

static int on_end_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    orphans_kill(userdata);
    return 0;
}

static bool send_end(int pidfd, int http_status)
{
    siginfo_t info = {
        .si_signo = LINK_SIGNAL_END, .si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid()};

    info.si_value.sival_int = http_status;
    return pidfd_send_signal(pidfd, LINK_SIGNAL_END, &info, 0) == 0;
}

unsigned orphans_end(Orphans *o, int http_status)
{
    sd_event *event = NULL;
    unsigned n = 0;
    int r = -ENOENT;

    for (size_t i = 0; i < o->n; i++)
        if (o->items[i].pidfd >= 0 && send_end(o->items[i].pidfd, http_status)) {
            event = sd_event_source_get_event(o->items[i].source);
            n++;
        }
    if (n == 0)
        return 0;
    o->limit_source = sd_event_source_disable_unref(o->limit_source);
    if (event)
        r = sd_event_add_time_relative(event, &o->limit_source, CLOCK_MONOTONIC, END_LIMIT_USEC, 0,
                                       on_end_limit, o);
    if (r < 0)
        orphans_kill(o);
    return n;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    unsigned n = orphans_end(userdata, 503);

    if (n > 0)
        log_text(LOG_WARNING, LOG_MESSAGE_DRAIN_LIMIT,
                 "%u processes of an earlier manager were ended: their time to finish has passed",
                 n);
    return 0;
}

int orphans_restore(Orphans *o, sd_event *event, const int *pidfds, size_t n, uint64_t limit_usec,
                    void (*on_gone)(void *userdata), void *userdata)
{
    *o = (Orphans){
        .items = calloc(n ? n : 1, sizeof(Orphan)), .on_gone = on_gone, .userdata = userdata};
    if (!o->items)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        Orphan orphan = {.pidfd = pidfds[i]};

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

int orphans_adopt(Orphans *o, sd_event *event, const pid_t *pids, size_t n, uint64_t limit_usec,
                  void (*on_gone)(void *userdata), void *userdata)
{
    _cleanup_free_ int *pidfds = calloc(n ? n : 1, sizeof(int));
    size_t n_pidfds = 0;

    if (!pidfds)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int pidfd = pidfd_open(pids[i], 0);

        /* ESRCH: it has ended meanwhile. */
        if (pidfd >= 0)
            pidfds[n_pidfds++] = pidfd;
    }
    return orphans_restore(o, event, pidfds, n_pidfds, limit_usec, on_gone, userdata);
}

uint64_t orphans_until_usec(const Orphans *o)
{
    uint64_t usec;

    return o->limit_source && sd_event_source_get_time(o->limit_source, &usec) >= 0 ? usec : 0;
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
