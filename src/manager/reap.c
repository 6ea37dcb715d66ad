#include "manager/manager.h"

#include "log/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static Generation *generation_find(Manager *m, pid_t pid)
{
    for (Generation *g = m->generations; g; g = g->next)
        if (g->template_pid == pid)
            return g;
    return NULL;
}

/* A process that changes the root of a template: its answer tells more than its status. */
static bool take_changer(Manager *m, pid_t pid)
{
    for (Generation *g = m->generations; g; g = g->next)
        if (g->changer.pid == pid) {
            g->changer.pid = 0;
            return true;
        }
    return false;
}

/* In a turn, and of SIGCHLD in a while: scripts may leave children behind faster than they can be
 * buried, and everything else shall have its turn too. */
#define REAP_MAX        64
#define TURNS_MAX       20
#define TURNS_TIME_USEC (100 * USEC_PER_MSEC)

/* All children, not only known ones: as subreaper, and as PID 1 of a container, we inherit what
 * scripts leave behind. */
static void reap(Manager *m)
{
    for (unsigned n = 0;; n++) {
        siginfo_t info = {0};
        Generation *g;
        Worker *w;

        /* While it is a zombie, its pid is its own. */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        if (n == REAP_MAX) {
            kill(getpid(), SIGCHLD); /* again */
            return;
        }
        workers_hear_out(m, info.si_pid);
        if (waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
            return;
        g = generation_find(m, info.si_pid);
        w = g ? NULL : worker_find(m, info.si_pid);
        if (g)
            generation_on_template_exit(g, info.si_code, info.si_status);
        else if (w)
            worker_on_exit(w, info.si_code, info.si_status);
        else if (porter_on_exit(m, info.si_pid, info.si_code, info.si_status) ||
                 reexec_on_exit(m, info.si_pid, info.si_code, info.si_status) ||
                 stop_on_exit(m, info.si_pid))
            settle_later(m);
        else if (!take_changer(m, info.si_pid))
            log_debug("Process %d, left behind by a worker, has ended", (int)info.si_pid);
    }
}

static int on_sigchld(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    porter_look_for_stop(userdata);
    reap(userdata);
    return 0;
}

int reap_start(Manager *m)
{
    sd_event_source *source;
    int r = sd_event_add_signal(m->event, &source, SIGCHLD, on_sigchld, m);

    if (r < 0)
        return r;
    sd_event_source_set_priority(source, PRIORITY_CHILD);
    sd_event_source_set_ratelimit(source, TURNS_TIME_USEC, TURNS_MAX);
    sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    return 0;
}
