#include "manager/manager.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/socket.h>

/* What workers say on their life lines. A worker of sound mind says HELLO, READY and at most once
 * LEAVING, asks for the STATUS, and may say RENEW. */

static bool is_sound_hello(const Worker *w, pid_t pid)
{
    return pid > 0 && !worker_find(w->manager, pid);
}

static bool is_sound_leaving(const LinkMessage *message)
{
    return message->flags >= LINK_LEAVING_REQUESTS && message->flags <= LINK_LEAVING_LISTENER;
}

static void worker_on_message(Worker *w, const LinkMessage *message, pid_t pid)
{
    static const struct {
        LinkType type;
        WorkerEvent event;
    } events[] = {
        {LINK_READY, WORKER_EVENT_READY},
        {LINK_LEAVING, WORKER_EVENT_LEAVING},
        {LINK_STATUS, WORKER_EVENT_QUESTION},
        {LINK_RENEW, WORKER_EVENT_RENEW},
    };
    WorkerNews news = {.message = message, .pid = pid};

    /* Also what the table ignores: messages come before timers, so a flood of them would keep the
     * manager from everything else. */
    if (!worker_may_speak(w)) {
        worker_on_absurd(w);
        return;
    }
    if (message->type == LINK_HELLO && is_sound_hello(w, pid)) {
        worker_event(w, WORKER_EVENT_HELLO, &news);
        return;
    }
    /* A child of the worker has the line too, and speaks for nobody. */
    for (size_t i = 0; i < ARRAY_SIZE(events) && pid == w->pid; i++)
        if (events[i].type == message->type &&
            (message->type != LINK_LEAVING || is_sound_leaving(message))) {
            worker_event(w, events[i].event, &news);
            return;
        }
    worker_on_absurd(w);
}

void worker_read_line(Worker *w)
{
    LinkMessage message;
    pid_t pid = 0;
    int r = link_receive(w->life_line, MSG_DONTWAIT, &message, NULL, 0, NULL, &pid);

    if (r == -EAGAIN || r == -EINTR)
        return;
    if (r == -EBADMSG)
        worker_on_absurd(w);
    else if (r <= 0) {
        /* The other end closes when the process dies. One that closed it and lives would be out of
         * our control. */
        worker_close_line(w);
        worker_event(w, WORKER_EVENT_CLOSED, &(WorkerNews){0});
    } else
        worker_on_message(w, &message, pid);
}

/* What waits in the lines of those whose pids are not known. */
static void workers_read_hellos(Manager *m)
{
    for (Worker *w = m->workers; w; w = w->next)
        if ((w->phase == WORKER_ORDERED || w->phase == WORKER_UNWANTED) && w->life_line >= 0)
            worker_read_line(w);
}

void workers_hear_out(Manager *m, pid_t pid)
{
    Worker *w = worker_find(m, pid);

    if (!w) {
        workers_read_hellos(m);
        w = worker_find(m, pid);
    }
    /* READY is next: one that has served was not unborn. */
    if (w && w->phase == WORKER_SETTING_UP && w->life_line >= 0)
        worker_read_line(w);
    if (w) /* the clock of its process is still there */
        worker_look_at_cpu(w, clock_monotonic_usec());
}
