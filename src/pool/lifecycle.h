#pragma once

/*
 * The lives of a pool and of its workers as tables: state × event → next state and what is to be
 * done. Total functions, no state of their own, no system call; the manager raises the events and
 * performs the actions. A cell that cannot happen is IMPOSSIBLE (of the pool: our own mistake) or
 * ABSURD (of a worker: what it says makes no sense, and is counted); both leave the state alone.
 */

#include "base/macro.h"

/* ---- the pool ---- */

typedef enum ManagerState {
    MANAGER_STARTING, /* the first generation is being prepared */
    MANAGER_WAITING,  /* it could not be started; another try comes by itself */
    MANAGER_READY,
    MANAGER_RELOADING,
    MANAGER_DRAINING, /* serves, but pings say that it will not for long */
    MANAGER_STOPPING, /* what runs finishes */
    MANAGER_GONE,     /* nothing runs any more; the process ends */
    _MANAGER_STATE_MAX,
} ManagerState;

const char *manager_state_to_string(ManagerState state);

typedef enum PoolEvent {
    POOL_EVENT_RELOAD,       /* somebody wants the file to be read, and nothing is being prepared */
    POOL_EVENT_SERVES,       /* the coming generation serves */
    POOL_EVENT_FAILED,       /* what start or reload prepared does not */
    POOL_EVENT_NOT_REPLACED, /* what was prepared for a dead template, or after crashes, does not */
    POOL_EVENT_PUT_OFF,      /* a start that failed is tried again later */
    POOL_EVENT_GIVEN_UP,     /* the start has failed for good */
    POOL_EVENT_CHECK,  /* nothing is being prepared: does what serves need another generation */
    POOL_EVENT_REEXEC, /* another program file shall take over */
    POOL_EVENT_DRAIN,  /* pings shall say 503 */
    POOL_EVENT_QUIET,  /* nobody but pings has come for a while */
    POOL_EVENT_IDLE,   /* nobody has come for idle_exit */
    POOL_EVENT_STOP,   /* SIGTERM, SIGINT, SIGQUIT */
    POOL_EVENT_LIMIT,  /* the time for what runs has passed */
    POOL_EVENT_EMPTY,  /* the last process of the pool has gone */
    _POOL_EVENT_MAX,
} PoolEvent;

const char *pool_event_to_string(PoolEvent event);

typedef enum PoolAction {
    POOL_ACTION_IMPOSSIBLE,
    POOL_ACTION_NONE,
    POOL_ACTION_DENY,          /* tell who asks that it cannot be done in this state */
    POOL_ACTION_LATER,         /* the event comes again by itself when it can be dealt with */
    POOL_ACTION_PREPARE,       /* read the file and start a generation */
    POOL_ACTION_RELOAD,        /* the same, told to systemd as a reload */
    POOL_ACTION_SERVE,         /* the first generation serves: say READY */
    POOL_ACTION_TAKE_OVER,     /* the coming generation takes over, the present one leaves */
    POOL_ACTION_FAIL,          /* decide what follows on a start that failed */
    POOL_ACTION_REFUSE,        /* the reload was refused, say why; what serves goes on */
    POOL_ACTION_COMPLAIN,      /* the template could not be replaced; another try follows */
    POOL_ACTION_MEND,          /* start one from the setup that serves, if it is time for that */
    POOL_ACTION_REEXEC,        /* prepare the other program and execute it */
    POOL_ACTION_DRAIN,         /* tell the workers, watch for the end of requests */
    POOL_ACTION_DRAIN_MORE,    /* one more asks for it */
    POOL_ACTION_STOP,          /* let what runs finish, then end */
    POOL_ACTION_LEAVE,         /* the same with the status that says: nobody needs us */
    POOL_ACTION_LEAVE_DRAINED, /* the same; who asked for the drain is told */
    POOL_ACTION_HURRY,         /* a second signal: in the foreground the requests are ended */
    POOL_ACTION_END_REQUESTS,  /* answer them and end the workers */
    POOL_ACTION_FINISH,        /* end what scripts left behind, then the process */
    POOL_ACTION_EXIT,          /* end the process; what an earlier manager left goes on */
    _POOL_ACTION_MAX,
} PoolAction;

typedef struct PoolStep {
    ManagerState next;
    PoolAction action;
} PoolStep;

PoolStep pool_step(ManagerState state, PoolEvent event);

/* ---- a worker ---- */

typedef enum WorkerPhase {
    WORKER_ORDERED,    /* nothing heard yet, pid unknown */
    WORKER_SETTING_UP, /* HELLO */
    WORKER_READY,      /* registered with the listeners */
    /* From here on it is no capacity: a successor may be ordered. */
    WORKER_EXPIRED,    /* its time is over: it serves until its successor does */
    WORKER_LEAVING,    /* it announced that its present request is the last */
    WORKER_RETIRED,    /* its life line is closed: it finishes its request */
    WORKER_UNWANTED,   /* ordered, but it shall leave as soon as its pid is known */
    WORKER_CALLED_OFF, /* told to leave before it was registered */
    WORKER_ENDING,     /* told to answer and end at once */
    WORKER_DEAD,
    _WORKER_PHASE_MAX,
} WorkerPhase;

const char *worker_phase_to_string(WorkerPhase phase);

typedef enum WorkerEvent {
    WORKER_EVENT_HELLO,
    WORKER_EVENT_READY,
    WORKER_EVENT_LEAVING,
    WORKER_EVENT_QUESTION, /* it asks for the state of the pool */
    WORKER_EVENT_RENEW,
    WORKER_EVENT_EXPIRE, /* we want another in its place, and then it to leave */
    WORKER_EVENT_RETIRE, /* we want it to leave after its request */
    WORKER_EVENT_END,    /* we want it to end at once */
    WORKER_EVENT_CLOSED, /* the other end of its life line is closed */
    WORKER_EVENT_EXITED, /* with status 0 */
    WORKER_EVENT_FAILED, /* exited with another status */
    WORKER_EVENT_KILLED, /* ended by a signal */
    _WORKER_EVENT_MAX,
} WorkerEvent;

const char *worker_event_to_string(WorkerEvent event);

typedef enum WorkerAction {
    WORKER_ACTION_ABSURD,
    WORKER_ACTION_NONE,
    WORKER_ACTION_NAME,     /* its pid is known */
    WORKER_ACTION_CALL_OFF, /* its pid is known: let it go */
    WORKER_ACTION_REGISTER, /* it is the last in the listeners' lines */
    WORKER_ACTION_SUCCEED,  /* another may be ordered in its place */
    WORKER_ACTION_ANSWER,   /* send it the state of the pool */
    WORKER_ACTION_RENEW,    /* its generation should be replaced */
    WORKER_ACTION_LET_GO,   /* close its life line */
    WORKER_ACTION_END,      /* signal, and SIGKILL a second later */
    WORKER_ACTION_KILL,     /* it lives without a life line: end it */
    WORKER_ACTION_LOSE,     /* it was never heard of */
    WORKER_ACTION_BURY,     /* an end as it should be */
    WORKER_ACTION_UNBORN,   /* it died before it could serve */
    WORKER_ACTION_MOURN,    /* it died of something else than its end */
    _WORKER_ACTION_MAX,
} WorkerAction;

typedef struct WorkerStep {
    WorkerPhase next;
    WorkerAction action;
} WorkerStep;

WorkerStep worker_step(WorkerPhase phase, WorkerEvent event);

/** Whether it serves, or will: it counts as one of the workers that the pool wants. */
static inline bool worker_phase_is_capacity(WorkerPhase phase)
{
    return phase <= WORKER_READY;
}
