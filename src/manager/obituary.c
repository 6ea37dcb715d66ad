#include "manager/manager.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "log/log.h"
#include "syscall/numbers.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Frames of a backtrace that the text of the record repeats. */
#define TRACE_LINES 3

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

/* Why it left, when it said so before. */
static const char *leaving_reason(unsigned leaving)
{
    static const char *const reasons[] = {
        [LINK_LEAVING_REQUESTS] = ", having served pm.max_requests",
        [LINK_LEAVING_MEMORY] = ", since it had more memory than pm.max_memory",
        [LINK_LEAVING_LANGUAGE] = ", since its language could not go on",
        [LINK_LEAVING_FILES] = ", since it had no descriptor left",
        [LINK_LEAVING_LISTENER] = ", since a script had closed a socket of the pool",
    };

    return leaving < ARRAY_SIZE(reasons) && reasons[leaving] ? reasons[leaving] : "";
}

static void describe_exit(LogRecord *r, const Worker *w, int status, char *how, size_t size)
{
    const char *step = status != 0 ? exit_status_to_string(status) : NULL;

    if (status == EXIT_STATUS_ENDED)
        snprintf(how, size, "was ended in its request%s",
                 w->stop_asked_usec > 0 ? ", which ran for too long and could not be stopped" : "");
    else
        snprintf(how, size, "exited with status %d%s%s%s%s", status, step ? " (" : "",
                 step ? step : "", step ? ")" : "", leaving_reason(w->leaving));
    log_record_field(r, "EXIT_STATUS", "%d", status);
    log_record_field(r, "EXIT_NAME", "%s", step ? step : "");
}

static void describe_signal(LogRecord *r, int number, bool dumped, char *how, size_t size)
{
    snprintf(how, size, "was killed by signal %d (SIG%s)%s", number, signal_name(number),
             dumped ? ", core dumped" : "");
    log_record_field(r, "SIGNAL", "%d", number);
    log_record_field(r, "SIGNAL_NAME", "SIG%s", signal_name(number));
}

/* The kernel has ended it, with all that it had started. */
static void describe_full(LogRecord *r, const Worker *w, char *how, size_t size)
{
    uint64_t bytes = w->generation->config->pm_worker_memory_max_bytes;

    snprintf(how, size, "was ended since its memory was full (pm.worker_memory_max, %llu bytes)",
             (unsigned long long)bytes);
    log_record_field(r, "MEMORY_MAX", "%llu", (unsigned long long)bytes);
}

/* The name is in src/syscall/, for the machine that we run on. */
static void describe_call(LogRecord *r, uint32_t number, char *how, size_t size)
{
    const char *name = syscall_to_name(number);
    char text[32];

    snprintf(text, sizeof(text), "number %u", number);
    snprintf(how, size, "was ended for the forbidden system call %s", name ? name : text);
    log_record_field(r, "SYSCALL", "%u", number);
    if (name)
        log_record_field(r, "SYSCALL_NAME", "%s", name);
}

void worker_describe_request(LogRecord *r, const BoardSlot *slot)
{
    if (slot->script[0])
        log_record_field(r, "SCRIPT", "%s", slot->script);
    if (slot->uri[0]) {
        log_record_field(r, "REQUEST_METHOD", "%s", slot->method);
        log_record_field(r, "REQUEST_URI", "%s", slot->uri);
    }
    if (slot->query[0])
        log_record_field(r, "QUERY", "%s", slot->query);
    if (slot->request_id[0])
        log_record_field(r, "REQUEST_ID", "%s", slot->request_id);
}

/* The first frames in one line: whoever reads only the message shall see where it was. */
static void first_frames(const char *trace, char *ret, size_t size)
{
    size_t used = 0;

    *ret = 0;
    for (int i = 0; i < TRACE_LINES && *trace; i++) {
        size_t n = strcspn(trace, "\n");
        int k = snprintf(ret + used, size - used, "%s%.*s", i == 0 ? "; " : ", ", (int)n, trace);

        if (k < 0 || (size_t)k >= size - used) {
            ret[used] = 0;
            return;
        }
        used += (size_t)k;
        trace += n + (trace[n] == '\n');
    }
}

void worker_obituary(Worker *w, int code, int status, const BoardSlot *slot, bool crashed)
{
    uint64_t age_usec = clock_monotonic_usec() - w->started_usec;
    bool busy = slot->state == WORKER_STATE_RUNNING || slot->state == WORKER_STATE_FINISHING ||
                slot->state == WORKER_STATE_READING;
    /* What was ended on purpose is no crash, but a request did not get its answer. */
    bool matters = crashed || (code == CLD_EXITED && status == EXIT_STATUS_ENDED);
    /* Its own word, but it is dead of that signal anyway. */
    bool filtered = code != CLD_EXITED && status == SIGSYS && slot->fatal_call > 0;
    char how[128], trace[BOARD_TRACE_SIZE], frames[512];
    LogRecord r;

    w->manager->workers_crashed += crashed;
    if (code == 0) {
        unborn_obituary(w);
        return;
    }
    log_record_begin(&r, matters ? LOG_WARNING : LOG_DEBUG,
                     filtered ? LOG_MESSAGE_WORKER_FILTERED : LOG_MESSAGE_WORKER_EXITED);
    log_record_field(&r, "WORKER_PID", "%d", (int)w->pid);
    log_record_field(&r, "WORKER_SLOT", "%u", w->slot_number);
    log_record_field(&r, "GENERATION", "%u", w->generation->number);
    log_record_field(&r, "AGE_USEC", "%llu", (unsigned long long)age_usec);
    log_record_field(&r, "REQUESTS", "%llu", (unsigned long long)slot->requests);
    if (code == CLD_EXITED)
        describe_exit(&r, w, status, how, sizeof(how));
    else
        describe_signal(&r, status, code == CLD_DUMPED, how, sizeof(how));
    if (w->ran_out && code != CLD_EXITED && status == SIGKILL)
        describe_full(&r, w, how, sizeof(how));
    if (filtered)
        describe_call(&r, slot->fatal_call - 1, how, sizeof(how));
    worker_describe_request(&r, slot);
    board_read_trace(w->slot, trace);
    if (trace[0])
        log_record_field(&r, "PHP_BACKTRACE", "%s", trace);
    first_frames(trace, frames, sizeof(frames));
    log_record_send(&r, "Worker %d %s after %llu.%03llu s and %llu requests; %s%s%s", (int)w->pid,
                    how, (unsigned long long)(age_usec / USEC_PER_SEC),
                    (unsigned long long)(age_usec % USEC_PER_SEC / USEC_PER_MSEC),
                    (unsigned long long)slot->requests,
                    !slot->script[0] ? "it had run no script"
                    : busy           ? "it was running "
                                     : "its last script was ",
                    slot->script, frames);
}
