#include "manager/control_private.h"

#include "base/clock.h"
#include "log/log.h"
#include "manager/logfile.h"
#include "manager/manager.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Whoever asked may be gone by now; data: the number that he got. */
static void on_trace(Manager *m, int result, const TraceArea *area, const char *text, int fd,
                     void *data)
{
    for (ControlPeer *peer = m->peers; peer; peer = peer->next) {
        if (peer->waits_for != CONTROL_TRACE || peer->trace_number != (uintptr_t)data)
            continue;
        peer->waits_for = 0;
        control_peer_reply(peer, result, result < 0 ? trace_failure(result) : "",
                           result < 0 ? -1 : fd);
        return;
    }
}

static Worker *peer_find_worker(ControlPeer *peer, uint64_t pid)
{
    Worker *w = pid > 0 && pid <= INT_MAX ? worker_find(peer->manager, (pid_t)pid) : NULL;

    if (!w)
        control_peer_reply(peer, -ESRCH, "no worker of this pool has that process id", -1);
    return w;
}

static void peer_trace(ControlPeer *peer, const ControlRequest *request)
{
    static uintptr_t last_number;
    Worker *w = peer_find_worker(peer, request->argument);
    int r;

    if (!w)
        return;
    r = trace_order(w, 0, 0, on_trace, (void *)++last_number);
    if (r < 0) {
        control_peer_reply(peer, r, trace_failure(r), -1);
        return;
    }
    peer->trace_number = last_number;
    peer->waits_for = CONTROL_TRACE;
}

static void peer_end(ControlPeer *peer, const ControlRequest *request)
{
    Worker *w = peer_find_worker(peer, request->argument);
    LogRecord r;
    BoardSlot slot;
    bool is_busy;

    if (!w)
        return;
    worker_read_slot(w, clock_monotonic_usec(), &slot);
    is_busy = slot.state == WORKER_STATE_RUNNING || slot.state == WORKER_STATE_FINISHING;
    log_record_begin(&r, LOG_NOTICE, LOG_MESSAGE_WORKER_ENDED_BY_ORDER);
    log_record_field(&r, "WORKER_PID", "%d", (int)w->pid);
    log_record_field(&r, "GENERATION", "%u", w->generation->number);
    if (is_busy) {
        log_record_field(&r, "SCRIPT", "%s", slot.script);
        log_record_field(&r, "REQUEST_METHOD", "%s", slot.method);
        log_record_field(&r, "REQUEST_URI", "%s", slot.uri);
        if (slot.request_id[0])
            log_record_field(&r, "REQUEST_ID", "%s", slot.request_id);
    }
    log_record_send(&r, "Worker %d is ended by order of an administrator%s%s%s", (int)w->pid,
                    is_busy ? " while it runs " : "", is_busy ? slot.script : "",
                    is_busy ? "; the client gets 503 if its answer has not begun" : "");
    worker_end(w, 503);
    control_peer_reply(peer, 0, "", -1);
}

static void peer_reopen(ControlPeer *peer, const ControlRequest *request)
{
    int r = logfiles_reopen(peer->manager);

    control_peer_reply(peer, r, r < 0 ? "a file cannot be opened, see the journal of the pool" : "",
                       -1);
}

/* What is answered at once or by its callback, in any state of the pool. */
static const struct {
    ControlVerb verb;
    void (*act)(ControlPeer *peer, const ControlRequest *request);
} orders[] = {
    {CONTROL_TRACE, peer_trace},
    {CONTROL_END, peer_end},
    {CONTROL_REOPEN, peer_reopen},
};

bool control_is_order(uint32_t verb)
{
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        if (orders[i].verb == verb)
            return true;
    return false;
}

bool control_order(ControlPeer *peer, const ControlRequest *request)
{
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        if (orders[i].verb == request->verb) {
            orders[i].act(peer, request);
            return true;
        }
    return false;
}
