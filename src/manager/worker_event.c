#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/fd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* What becomes of a worker: the table of pool/lifecycle.h at work. */

/* Who was told to end has this time for it. */
#define END_LIMIT_USEC (1 * USEC_PER_SEC)

/* After so many senseless messages a worker is ended. */
#define ABSURD_MAX 16

void worker_kill(const Worker *w)
{
    /* An absurd one may not have said its pid yet: kill(2) of 0 would be our own group. */
    if (w->pid > 0)
        kill(w->pid, SIGKILL);
}

static int on_end_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    worker_kill(userdata);
    return 0;
}

void worker_end_soon(Worker *w)
{
    int r;

    w->end_source = sd_event_source_disable_unref(w->end_source);
    r = sd_event_add_time_relative(w->manager->event, &w->end_source, CLOCK_MONOTONIC,
                                   END_LIMIT_USEC, 0, on_end_limit, w);
    if (r < 0)
        worker_kill(w);
}

void worker_close_line(Worker *w)
{
    w->life_source = sd_event_source_disable_unref(w->life_source);
    w->life_line = fd_close(w->life_line);
}

void worker_on_absurd(Worker *w)
{
    w->manager->absurd_messages++;
    if (++w->n_absurd == ABSURD_MAX)
        worker_kill(w);
}

static void do_absurd(Worker *w, const WorkerNews *news)
{
    worker_on_absurd(w);
}

static void do_nothing(Worker *w, const WorkerNews *news)
{
}

static void do_name(Worker *w, const WorkerNews *news)
{
    w->pid = news->pid;
    w->mark_key = (uint64_t)news->message->count << 32 | news->message->flags;
    worker_identify_output(w);
}

static void do_admit(Worker *w, const WorkerNews *news)
{
    do_name(w, news);
    worker_cgroup_enter(w);
}

/* One that does not read LEAVE closes what it holds at rest. */
static void do_let_go(Worker *w, const WorkerNews *news)
{
    LinkMessage leave = {.type = LINK_LEAVE, .flags = news->parking ? 0 : LINK_LEAVE_AT_END};

    if (w->life_line >= 0)
        link_send(w->life_line, &leave, NULL, 0);
    worker_close_line(w);
}

static void do_call_off(Worker *w, const WorkerNews *news)
{
    do_name(w, news);
    do_let_go(w, &(WorkerNews){.parking = true});
}

static void do_register(Worker *w, const WorkerNews *news)
{
    Manager *m = w->manager;

    w->generation->moot |= news->message->flags & BOARD_MOOT_OF_GENERATION;
    /* It is the latest in the listeners' lines now: the list keeps that order, and we go behind it.
     */
    worker_move_last(w);
    listeners_rearm(&m->listeners);
    m->scale_wanted = true;
    settle_later(m);
}

static void do_succeed(Worker *w, const WorkerNews *news)
{
    if (news->message)
        w->leaving = news->message->flags;
    w->manager->scale_wanted = true;
    settle_later(w->manager);
}

static void do_answer(Worker *w, const WorkerNews *news)
{
    if (worker_answer(w) < 0)
        worker_on_absurd(w);
}

static void do_renew(Worker *w, const WorkerNews *news)
{
    recover_on_renew(w);
}

static void do_kill(Worker *w, const WorkerNews *news)
{
    worker_kill(w);
}

static void do_end(Worker *w, const WorkerNews *news)
{
    w->ended = true;
    w->end_asked_usec = clock_monotonic_usec();
    link_signal(w->pid, LINK_SIGNAL_END, news->http_status);
    worker_end_soon(w);
}

static void take_last_look(Worker *w, const WorkerNews *news, bool crashed, bool was_registered)
{
    _cleanup_free_ char *folder =
        worker_cgroup_is_wanted(w->generation->config) ? cgroup_folder() : NULL;
    Manager *m = w->manager;
    BoardSlot slot = {0};

    /* What it said last is of no interest any more, and its pid may be another's now. */
    worker_close_line(w);
    w->end_source = sd_event_source_disable_unref(w->end_source);
    if (news->code != 0)
        worker_read_slot(w, clock_monotonic_usec(), &slot);
    w->ran_out = folder && worker_cgroup_ran_out(folder, w->pid);
    if (crashed)
        figures_note_crash(w, &slot);
    else if (w->end_asked_usec > 0)
        figures_note_ended(w, &slot, clock_monotonic_usec());
    worker_obituary(w, news->code, news->status, &slot, crashed);
    /* That of another, ended earlier, may be empty only now. */
    if (folder)
        worker_cgroups_trim(folder);
    recover_on_worker_exit(w, news->code, news->status, crashed, was_registered);
    /* Capacity first, then the connection whose wake-up may have died with the worker. */
    m->scale_wanted = true;
    m->poke_wanted |= was_registered;
    settle_later(m);
}

static void do_bury(Worker *w, const WorkerNews *news)
{
    take_last_look(w, news, false, true);
}

static void do_mourn(Worker *w, const WorkerNews *news)
{
    take_last_look(w, news, !w->ended, true);
}

/* It could not begin: none of the first workers of a generation may. */
static void do_unborn(Worker *w, const WorkerNews *news)
{
    Generation *g = w->generation;

    take_last_look(w, news, g->state != GENERATION_LEAVING, false);
    if (g->state == GENERATION_LEAVING)
        return;
    if (g->state == GENERATION_FORKING && !g->reason[0])
        snprintf(g->reason, sizeof(g->reason), "a worker could not be started: %s",
                 news->code == CLD_EXITED
                     ? (exit_status_to_string(news->status) ?: "unknown status")
                 : news->code == 0 ? "it was never heard of"
                                   : (sigabbrev_np(news->status) ?: "?"));
}

typedef void (*Handler)(Worker *w, const WorkerNews *news);

static const Handler handlers[] = {
    [WORKER_ACTION_ABSURD] = do_absurd,     [WORKER_ACTION_NONE] = do_nothing,
    [WORKER_ACTION_NAME] = do_admit,        [WORKER_ACTION_CALL_OFF] = do_call_off,
    [WORKER_ACTION_REGISTER] = do_register, [WORKER_ACTION_SUCCEED] = do_succeed,
    [WORKER_ACTION_ANSWER] = do_answer,     [WORKER_ACTION_RENEW] = do_renew,
    [WORKER_ACTION_LET_GO] = do_let_go,     [WORKER_ACTION_END] = do_end,
    [WORKER_ACTION_KILL] = do_kill,         [WORKER_ACTION_LOSE] = do_unborn,
    [WORKER_ACTION_BURY] = do_bury,         [WORKER_ACTION_UNBORN] = do_unborn,
    [WORKER_ACTION_MOURN] = do_mourn,
};

_Static_assert(ARRAY_SIZE(handlers) == _WORKER_ACTION_MAX, "every action is done by something");

void worker_event(Worker *w, WorkerEvent event, const WorkerNews *news)
{
    WorkerStep step = worker_step(w->phase, event);

    w->phase = step.next;
    handlers[step.action](w, news);
}

void worker_retire(Worker *w, bool parking)
{
    worker_event(w, WORKER_EVENT_RETIRE, &(WorkerNews){.parking = parking});
}

void worker_expire(Worker *w)
{
    worker_event(w, WORKER_EVENT_EXPIRE, &(WorkerNews){0});
}

void worker_end(Worker *w, int http_status)
{
    worker_event(w, WORKER_EVENT_END, &(WorkerNews){.http_status = http_status});
}

void worker_on_exit(Worker *w, int code, int status)
{
    WorkerEvent event = code != CLD_EXITED         ? WORKER_EVENT_KILLED
                        : status != EXIT_STATUS_OK ? WORKER_EVENT_FAILED
                                                   : WORKER_EVENT_EXITED;

    worker_event(w, event, &(WorkerNews){.code = code, .status = status});
}

void worker_drain(Worker *w)
{
    LinkMessage drain = {.type = LINK_DRAIN};

    /* One that does not read its line will see it with the next message. */
    if (w->life_line >= 0)
        link_send(w->life_line, &drain, NULL, 0);
}
