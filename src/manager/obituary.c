#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "log/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char *signal_name(int number)
{
    const char *name = sigabbrev_np(number);

    return name ? name : "?";
}

/* No HELLO came, so there is neither a pid nor a status. */
static void unborn_obituary(const Worker *w)
{
    LogRecord r;

    log_record_begin(&r, LOG_WARNING, LOG_MESSAGE_WORKER_EXITED);
    log_record_field(&r, "GENERATION", "%u", w->generation->number);
    log_record_field(&r, "WORKER_SLOT", "%u", w->slot_number);
    log_record_send(
        &r, "A worker of generation %u could not be forked, or ended before it was heard of",
        w->generation->number);
}

void worker_obituary(Worker *w, int code, int status, const BoardSlot *slot, bool crashed)
{
    Manager *m = w->manager;
    uint64_t age_usec = clock_monotonic_usec() - w->started_usec;
    bool busy = slot->state == WORKER_STATE_RUNNING || slot->state == WORKER_STATE_FINISHING ||
                slot->state == WORKER_STATE_READING;
    const char *step = code == CLD_EXITED && status != 0 ? exit_status_to_string(status) : NULL;
    char how[96];
    LogRecord r;

    m->workers_crashed += crashed;
    if (code == 0) {
        unborn_obituary(w);
        return;
    }
    log_record_begin(&r, crashed ? LOG_WARNING : LOG_DEBUG, LOG_MESSAGE_WORKER_EXITED);
    log_record_field(&r, "WORKER_PID", "%d", (int)w->pid);
    log_record_field(&r, "WORKER_SLOT", "%u", w->slot_number);
    log_record_field(&r, "GENERATION", "%u", w->generation->number);
    log_record_field(&r, "AGE_USEC", "%llu", (unsigned long long)age_usec);
    log_record_field(&r, "REQUESTS", "%llu", (unsigned long long)slot->requests);
    if (code == CLD_EXITED) {
        snprintf(how, sizeof(how), "exited with status %d%s%s%s", status, step ? " (" : "",
                 step ? step : "", step ? ")" : "");
        log_record_field(&r, "EXIT_STATUS", "%d", status);
        log_record_field(&r, "EXIT_NAME", "%s", step ? step : "");
    } else {
        snprintf(how, sizeof(how), "was killed by signal %d (SIG%s)%s", status, signal_name(status),
                 code == CLD_DUMPED ? ", core dumped" : "");
        log_record_field(&r, "SIGNAL", "%d", status);
        log_record_field(&r, "SIGNAL_NAME", "SIG%s", signal_name(status));
    }
    if (slot->script[0])
        log_record_field(&r, "SCRIPT", "%s", slot->script);
    if (slot->uri[0]) {
        log_record_field(&r, "REQUEST_METHOD", "%s", slot->method);
        log_record_field(&r, "REQUEST_URI", "%s", slot->uri);
    }
    log_record_send(&r, "Worker %d %s after %llu.%03llu s and %llu requests; %s%s", (int)w->pid,
                    how, (unsigned long long)(age_usec / USEC_PER_SEC),
                    (unsigned long long)(age_usec % USEC_PER_SEC / USEC_PER_MSEC),
                    (unsigned long long)slot->requests,
                    !slot->script[0] ? "it had run no script"
                    : busy           ? "it was running "
                                     : "its last script was ",
                    slot->script);
}
