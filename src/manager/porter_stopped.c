#include "manager/manager.h"

#include "base/clock.h"
#include "log/log.h"

#include <signal.h>
#include <sys/wait.h>

/* Whoever stops it on purpose, to look at something, has this long. */
#define STOPPED_USEC (2 * USEC_PER_SEC)

static int on_stopped_long(sd_event_source *source, uint64_t usec, void *userdata)
{
    Manager *m = userdata;
    Porter *p = &m->porter;

    p->stopped_source = sd_event_source_disable_unref(p->stopped_source);
    if (p->pid <= 0 || kill(p->pid, SIGCONT) < 0)
        return 0;
    log_warning("The porter, which holds connections of the pool, was stopped by a signal from "
                "outside; it goes on now");
    return 0;
}

void porter_look_for_stop(Manager *m)
{
    Porter *p = &m->porter;
    siginfo_t info = {0};

    if (p->pid <= 0 || p->stopped_source ||
        waitid(P_PID, (id_t)p->pid, &info, WSTOPPED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    if (sd_event_add_time(m->event, &p->stopped_source, CLOCK_MONOTONIC,
                          clock_monotonic_usec() + STOPPED_USEC, 0, on_stopped_long, m) < 0)
        kill(p->pid, SIGCONT);
}
