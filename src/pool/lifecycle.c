#include "pool/lifecycle.h"

/* ---- the pool ---- */

static const char *const state_names[] = {
    [MANAGER_STARTING] = "starting", [MANAGER_WAITING] = "waiting",
    [MANAGER_READY] = "ready",       [MANAGER_RELOADING] = "reloading",
    [MANAGER_DRAINING] = "draining", [MANAGER_STOPPING] = "stopping",
    [MANAGER_GONE] = "gone",
};

static const char *const pool_event_names[] = {
    [POOL_EVENT_RELOAD] = "reload",   [POOL_EVENT_SERVES] = "serves",
    [POOL_EVENT_FAILED] = "failed",   [POOL_EVENT_NOT_REPLACED] = "not replaced",
    [POOL_EVENT_PUT_OFF] = "put off", [POOL_EVENT_GIVEN_UP] = "given up",
    [POOL_EVENT_CHECK] = "check",     [POOL_EVENT_REEXEC] = "reexec",
    [POOL_EVENT_DRAIN] = "drain",     [POOL_EVENT_QUIET] = "quiet",
    [POOL_EVENT_IDLE] = "idle",       [POOL_EVENT_STOP] = "stop",
    [POOL_EVENT_LIMIT] = "limit",     [POOL_EVENT_EMPTY] = "empty",
};

_Static_assert(ARRAY_SIZE(state_names) == _MANAGER_STATE_MAX, "every state has a name");
_Static_assert(ARRAY_SIZE(pool_event_names) == _POOL_EVENT_MAX, "every event has a name");

const char *manager_state_to_string(ManagerState state)
{
    return (unsigned)state < _MANAGER_STATE_MAX ? state_names[state] : NULL;
}

const char *pool_event_to_string(PoolEvent event)
{
    return (unsigned)event < _POOL_EVENT_MAX ? pool_event_names[event] : NULL;
}

/* A cell that is not written is IMPOSSIBLE. */
#define TO(state, what) ((PoolStep){MANAGER_##state, POOL_ACTION_##what})

static const PoolStep pool_table[_MANAGER_STATE_MAX][_POOL_EVENT_MAX] =
    {
        [MANAGER_STARTING] =
            {
                [POOL_EVENT_RELOAD] = TO(STARTING, PREPARE),
                [POOL_EVENT_SERVES] = TO(READY, SERVE),
                [POOL_EVENT_FAILED] = TO(STARTING, FAIL),
                [POOL_EVENT_PUT_OFF] = TO(WAITING, NONE),
                [POOL_EVENT_GIVEN_UP] = TO(GONE, EXIT),
                [POOL_EVENT_REEXEC] = TO(STARTING, DENY),
                [POOL_EVENT_DRAIN] = TO(STARTING, DENY),
                [POOL_EVENT_STOP] = TO(STOPPING, STOP),
            },
        [MANAGER_WAITING] =
            {
                [POOL_EVENT_RELOAD] = TO(STARTING, PREPARE),
                [POOL_EVENT_GIVEN_UP] = TO(GONE, EXIT),
                [POOL_EVENT_REEXEC] = TO(WAITING, DENY),
                [POOL_EVENT_DRAIN] = TO(WAITING, DENY),
                [POOL_EVENT_STOP] = TO(STOPPING, STOP),
            },
        [MANAGER_READY] =
            {
                [POOL_EVENT_RELOAD] = TO(RELOADING, RELOAD),
                [POOL_EVENT_SERVES] = TO(READY, TAKE_OVER),
                [POOL_EVENT_NOT_REPLACED] = TO(READY, COMPLAIN),
                [POOL_EVENT_CHECK] = TO(READY, MEND),
                [POOL_EVENT_REEXEC] = TO(READY, REEXEC),
                [POOL_EVENT_DRAIN] = TO(DRAINING, DRAIN),
                [POOL_EVENT_IDLE] = TO(STOPPING, LEAVE),
                [POOL_EVENT_STOP] = TO(STOPPING, STOP),
            },
        [MANAGER_RELOADING] =
            {
                [POOL_EVENT_RELOAD] = TO(RELOADING, LATER),
                [POOL_EVENT_SERVES] = TO(READY, TAKE_OVER),
                [POOL_EVENT_FAILED] = TO(READY, REFUSE),
                /* What comes has a template; if it fails, the event comes again. */
                [POOL_EVENT_CHECK] = TO(RELOADING, LATER),
                [POOL_EVENT_REEXEC] = TO(RELOADING, LATER),
                [POOL_EVENT_DRAIN] = TO(DRAINING, DRAIN),
                [POOL_EVENT_STOP] = TO(STOPPING, STOP),
            },
        [MANAGER_DRAINING] =
            {
                [POOL_EVENT_RELOAD] = TO(DRAINING, RELOAD),
                [POOL_EVENT_SERVES] = TO(DRAINING, TAKE_OVER),
                [POOL_EVENT_FAILED] = TO(DRAINING, REFUSE),
                [POOL_EVENT_NOT_REPLACED] = TO(DRAINING, COMPLAIN),
                [POOL_EVENT_CHECK] = TO(DRAINING, MEND),
                [POOL_EVENT_REEXEC] = TO(DRAINING, DENY),
                [POOL_EVENT_DRAIN] = TO(DRAINING, DRAIN_MORE),
                [POOL_EVENT_QUIET] = TO(STOPPING, LEAVE_DRAINED),
                [POOL_EVENT_STOP] = TO(STOPPING, STOP),
            },
        [MANAGER_STOPPING] =
            {
                [POOL_EVENT_RELOAD] = TO(STOPPING, DENY),
                [POOL_EVENT_CHECK] = TO(STOPPING, NONE),
                [POOL_EVENT_REEXEC] = TO(STOPPING, DENY),
                [POOL_EVENT_DRAIN] = TO(STOPPING, DENY),
                [POOL_EVENT_STOP] = TO(STOPPING, HURRY),
                [POOL_EVENT_LIMIT] = TO(STOPPING, END_REQUESTS),
                [POOL_EVENT_EMPTY] = TO(GONE, FINISH),
            },
        /* The loop has been told to end; what is still waiting in it is of no interest. */
        [MANAGER_GONE] =
            {
                [POOL_EVENT_RELOAD] = TO(GONE, DENY),
                [POOL_EVENT_CHECK] = TO(GONE, NONE),
                [POOL_EVENT_REEXEC] = TO(GONE, DENY),
                [POOL_EVENT_DRAIN] = TO(GONE, DENY),
                [POOL_EVENT_STOP] = TO(GONE, NONE),
                [POOL_EVENT_LIMIT] = TO(GONE, NONE),
                [POOL_EVENT_GIVEN_UP] = TO(GONE, NONE),
            },
};
#undef TO

PoolStep pool_step(ManagerState state, PoolEvent event)
{
    PoolStep step = {state, POOL_ACTION_IMPOSSIBLE};

    if ((unsigned)state < _MANAGER_STATE_MAX && (unsigned)event < _POOL_EVENT_MAX &&
        pool_table[state][event].action != POOL_ACTION_IMPOSSIBLE)
        step = pool_table[state][event];
    return step;
}

/* ---- a worker ---- */

static const char *const phase_names[] = {
    [WORKER_ORDERED] = "ordered",   [WORKER_SETTING_UP] = "setting up",
    [WORKER_READY] = "ready",       [WORKER_EXPIRED] = "expired",
    [WORKER_LEAVING] = "leaving",   [WORKER_RETIRED] = "retired",
    [WORKER_UNWANTED] = "unwanted", [WORKER_CALLED_OFF] = "called off",
    [WORKER_ENDING] = "ending",     [WORKER_DEAD] = "dead",
};

static const char *const worker_event_names[] = {
    [WORKER_EVENT_HELLO] = "hello",     [WORKER_EVENT_READY] = "ready",
    [WORKER_EVENT_LEAVING] = "leaving", [WORKER_EVENT_QUESTION] = "question",
    [WORKER_EVENT_RENEW] = "renew",     [WORKER_EVENT_EXPIRE] = "expire",
    [WORKER_EVENT_RETIRE] = "retire",   [WORKER_EVENT_END] = "end",
    [WORKER_EVENT_CLOSED] = "closed",   [WORKER_EVENT_EXITED] = "exited",
    [WORKER_EVENT_FAILED] = "failed",   [WORKER_EVENT_KILLED] = "killed",
};

_Static_assert(ARRAY_SIZE(phase_names) == _WORKER_PHASE_MAX, "every phase has a name");
_Static_assert(ARRAY_SIZE(worker_event_names) == _WORKER_EVENT_MAX, "every event has a name");

const char *worker_phase_to_string(WorkerPhase phase)
{
    return (unsigned)phase < _WORKER_PHASE_MAX ? phase_names[phase] : NULL;
}

const char *worker_event_to_string(WorkerEvent event)
{
    return (unsigned)event < _WORKER_EVENT_MAX ? worker_event_names[event] : NULL;
}

/* A cell that is not written is ABSURD. */
#define TO(phase, what) ((WorkerStep){WORKER_##phase, WORKER_ACTION_##what})

static const WorkerStep worker_table[_WORKER_PHASE_MAX][_WORKER_EVENT_MAX] =
    {
        [WORKER_ORDERED] =
            {
                [WORKER_EVENT_HELLO] = TO(SETTING_UP, NAME),
                /* It keeps its line until its HELLO: without a pid nobody would know whose death to
                 * look for. */
                [WORKER_EVENT_RETIRE] = TO(UNWANTED, NONE),
                [WORKER_EVENT_END] = TO(UNWANTED, NONE),
                [WORKER_EVENT_CLOSED] = TO(DEAD, LOSE),
            },
        [WORKER_SETTING_UP] =
            {
                [WORKER_EVENT_READY] = TO(READY, REGISTER),
                [WORKER_EVENT_RETIRE] = TO(CALLED_OFF, LET_GO),
                [WORKER_EVENT_END] = TO(ENDING, END),
                [WORKER_EVENT_CLOSED] = TO(SETTING_UP, KILL),
                [WORKER_EVENT_EXITED] = TO(DEAD, BURY),
                [WORKER_EVENT_FAILED] = TO(DEAD, UNBORN),
                [WORKER_EVENT_KILLED] = TO(DEAD, UNBORN),
            },
        [WORKER_READY] =
            {
                [WORKER_EVENT_LEAVING] = TO(LEAVING, SUCCEED),
                [WORKER_EVENT_QUESTION] = TO(READY, ANSWER),
                [WORKER_EVENT_RENEW] = TO(READY, RENEW),
                [WORKER_EVENT_EXPIRE] = TO(EXPIRED, SUCCEED),
                [WORKER_EVENT_RETIRE] = TO(RETIRED, LET_GO),
                [WORKER_EVENT_END] = TO(ENDING, END),
                [WORKER_EVENT_CLOSED] = TO(READY, KILL),
                [WORKER_EVENT_EXITED] = TO(DEAD, BURY),
                [WORKER_EVENT_FAILED] = TO(DEAD, MOURN),
                [WORKER_EVENT_KILLED] = TO(DEAD, MOURN),
            },
        [WORKER_EXPIRED] =
            {
                [WORKER_EVENT_LEAVING] = TO(LEAVING, NONE),
                [WORKER_EVENT_QUESTION] = TO(EXPIRED, ANSWER),
                [WORKER_EVENT_RENEW] = TO(EXPIRED, RENEW),
                [WORKER_EVENT_EXPIRE] = TO(EXPIRED, NONE),
                [WORKER_EVENT_RETIRE] = TO(RETIRED, LET_GO),
                [WORKER_EVENT_END] = TO(ENDING, END),
                [WORKER_EVENT_CLOSED] = TO(EXPIRED, KILL),
                [WORKER_EVENT_EXITED] = TO(DEAD, BURY),
                [WORKER_EVENT_FAILED] = TO(DEAD, MOURN),
                [WORKER_EVENT_KILLED] = TO(DEAD, MOURN),
            },
        [WORKER_LEAVING] =
            {
                [WORKER_EVENT_QUESTION] = TO(LEAVING, ANSWER),
                [WORKER_EVENT_RENEW] = TO(LEAVING, RENEW),
                [WORKER_EVENT_EXPIRE] = TO(LEAVING, NONE),
                [WORKER_EVENT_RETIRE] = TO(RETIRED, LET_GO),
                [WORKER_EVENT_END] = TO(ENDING, END),
                [WORKER_EVENT_CLOSED] = TO(LEAVING, KILL),
                [WORKER_EVENT_EXITED] = TO(DEAD, BURY),
                [WORKER_EVENT_FAILED] = TO(DEAD, MOURN),
                [WORKER_EVENT_KILLED] = TO(DEAD, MOURN),
            },
        /* Its line is closed: nothing is heard of it but its end. */
        [WORKER_RETIRED] =
            {
                [WORKER_EVENT_RETIRE] = TO(RETIRED, NONE),
                [WORKER_EVENT_END] = TO(ENDING, END),
                [WORKER_EVENT_EXITED] = TO(DEAD, BURY),
                [WORKER_EVENT_FAILED] = TO(DEAD, MOURN),
                [WORKER_EVENT_KILLED] = TO(DEAD, MOURN),
            },
        [WORKER_UNWANTED] =
            {
                [WORKER_EVENT_HELLO] = TO(CALLED_OFF, CALL_OFF),
                [WORKER_EVENT_RETIRE] = TO(UNWANTED, NONE),
                [WORKER_EVENT_END] = TO(UNWANTED, NONE),
                [WORKER_EVENT_CLOSED] = TO(DEAD, LOSE),
            },
        /* While it is being set up it may fail at anything, since its line is closed. */
        [WORKER_CALLED_OFF] =
            {
                [WORKER_EVENT_RETIRE] = TO(CALLED_OFF, NONE),
                [WORKER_EVENT_END] = TO(ENDING, END),
                [WORKER_EVENT_EXITED] = TO(DEAD, BURY),
                [WORKER_EVENT_FAILED] = TO(DEAD, BURY),
                [WORKER_EVENT_KILLED] = TO(DEAD, MOURN),
            },
        /* What it said before the signal reached it may still wait in its line. */
        [WORKER_ENDING] =
            {
                [WORKER_EVENT_READY] = TO(ENDING, NONE),
                [WORKER_EVENT_LEAVING] = TO(ENDING, NONE),
                [WORKER_EVENT_QUESTION] = TO(ENDING, NONE),
                [WORKER_EVENT_RENEW] = TO(ENDING, RENEW),
                [WORKER_EVENT_RETIRE] = TO(ENDING, LET_GO),
                [WORKER_EVENT_END] = TO(ENDING, NONE),
                [WORKER_EVENT_CLOSED] = TO(ENDING, NONE),
                [WORKER_EVENT_EXITED] = TO(DEAD, BURY),
                [WORKER_EVENT_FAILED] = TO(DEAD, BURY),
                [WORKER_EVENT_KILLED] = TO(DEAD, BURY),
            },
        /* To be freed; told to leave with the others of its generation meanwhile. */
        [WORKER_DEAD] =
            {
                [WORKER_EVENT_RETIRE] = TO(DEAD, NONE),
                [WORKER_EVENT_END] = TO(DEAD, NONE),
                [WORKER_EVENT_EXITED] = TO(DEAD, NONE),
                [WORKER_EVENT_FAILED] = TO(DEAD, NONE),
                [WORKER_EVENT_KILLED] = TO(DEAD, NONE),
            },
};
#undef TO

WorkerStep worker_step(WorkerPhase phase, WorkerEvent event)
{
    WorkerStep step = {phase, WORKER_ACTION_ABSURD};

    if ((unsigned)phase < _WORKER_PHASE_MAX && (unsigned)event < _WORKER_EVENT_MAX &&
        worker_table[phase][event].action != WORKER_ACTION_ABSURD)
        step = worker_table[phase][event];
    return step;
}
