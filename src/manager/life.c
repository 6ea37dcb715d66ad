#include "manager/manager.h"

#include "base/exit_status.h"
#include "link/control.h"
#include "log/log.h"

/* The table of pool/lifecycle.h at work: one place that changes the state, and what each action is
 * done by. */

typedef void (*Handler)(Manager *m, const char *reason);

static void do_nothing(Manager *m, const char *reason)
{
}

static void do_prepare(Manager *m, const char *reason)
{
    reload_begin(m);
}

static void do_take_over(Manager *m, const char *reason)
{
    reload_take_over(m);
}

static void do_mend(Manager *m, const char *reason)
{
    recover_template(m);
}

static void do_reexec(Manager *m, const char *reason)
{
    m->reexec_wanted = false;
    reexec_ask(m, false);
}

static void do_stop(Manager *m, const char *reason)
{
    stop_begin(m, EXIT_STATUS_OK);
}

static void do_leave(Manager *m, const char *reason)
{
    stop_begin(m, EXIT_STATUS_IDLE);
}

static void do_leave_drained(Manager *m, const char *reason)
{
    control_reply(m, CONTROL_DRAIN, 0, reason);
    stop_begin(m, EXIT_STATUS_IDLE);
}

static void do_hurry(Manager *m, const char *reason)
{
    /* systemd repeats no signal but SIGKILL; one that somebody sent by hand ends no request. */
    if (m->options.foreground)
        stop_end_requests(m, "a second signal asked to stop at once");
}

static void do_exit(Manager *m, const char *reason)
{
    sd_event_exit(m->event, m->exit_status);
}

static const Handler handlers[] = {
    [POOL_ACTION_NONE] = do_nothing,
    /* Who asks looks at manager_would() first, and tells. */
    [POOL_ACTION_DENY] = do_nothing,
    [POOL_ACTION_LATER] = do_nothing,
    [POOL_ACTION_PREPARE] = do_prepare,
    [POOL_ACTION_RELOAD] = do_prepare,
    [POOL_ACTION_SERVE] = do_take_over,
    [POOL_ACTION_TAKE_OVER] = do_take_over,
    [POOL_ACTION_FAIL] = reload_start_failed,
    [POOL_ACTION_REFUSE] = reload_refused,
    [POOL_ACTION_COMPLAIN] = reload_not_replaced,
    [POOL_ACTION_MEND] = do_mend,
    [POOL_ACTION_REEXEC] = do_reexec,
    [POOL_ACTION_DRAIN] = leaving_drain_begin,
    [POOL_ACTION_DRAIN_MORE] = do_nothing,
    [POOL_ACTION_STOP] = do_stop,
    [POOL_ACTION_LEAVE] = do_leave,
    [POOL_ACTION_LEAVE_DRAINED] = do_leave_drained,
    [POOL_ACTION_HURRY] = do_hurry,
    [POOL_ACTION_END_REQUESTS] = stop_end_requests,
    [POOL_ACTION_FINISH] = stop_finish,
    [POOL_ACTION_EXIT] = do_exit,
};

_Static_assert(ARRAY_SIZE(handlers) == _POOL_ACTION_MAX, "every action is done by something");

PoolAction manager_would(const Manager *m, PoolEvent event)
{
    return pool_step(m->state, event).action;
}

void manager_event_because(Manager *m, PoolEvent event, const char *reason)
{
    PoolStep step = pool_step(m->state, event);

    if (step.action == POOL_ACTION_IMPOSSIBLE) {
        log_error("A pool that is %s cannot meet the event \"%s\", ignoring it: this is a mistake "
                  "in fpmd",
                  manager_state_to_string(m->state), pool_event_to_string(event));
        return;
    }
    m->state = step.next;
    handlers[step.action](m, reason);
}

void manager_event(Manager *m, PoolEvent event)
{
    manager_event_because(m, event, NULL);
}
