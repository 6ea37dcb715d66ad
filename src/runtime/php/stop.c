#include "runtime/php/stop.h"

#include "base/clock.h"
#include "base/exit_status.h"
#include "link/message.h"
#include "runtime/canned.h"
#include "runtime/php/children.h"
#include "runtime/php/crash.h"
#include "runtime/php/record.h"
#include "runtime/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <zend_atomic.h>

#define STATUS_TIMEOUT     504
#define STATUS_UNAVAILABLE 503 /* also for a signal that somebody sent by hand */

static struct {
    const RuntimeSpec *spec;
    BoardSlot *slot;
    void (*interrupt)(zend_execute_data *frame); /* the function that was there before */
    volatile sig_atomic_t wanted;
} self;

/* ---- in the handlers ---- */

static bool is_busy(void)
{
    return self.slot->state == WORKER_STATE_RUNNING || self.slot->state == WORKER_STATE_FINISHING;
}

/* Whether the time of the present request is over. The manager looked a moment ago: what it saw may
 * have been an earlier one. */
static bool is_overdue(void)
{
    uint64_t limit_usec = self.spec->terminate_timeout_usec, started_usec;

    if (limit_usec == 0 || !is_busy())
        return false;
    if (self.slot->state == WORKER_STATE_FINISHING && !self.spec->terminate_track_finished)
        return false;
    started_usec = self.slot->request_started_usec;
    return clock_monotonic_usec() >= started_usec + limit_usec;
}

static void on_stop(int number, siginfo_t *info, void *context)
{
    int error = errno;
    const PhpRequest *r = php_request();

    if (crash_is_own_process() && r && !r->stopped && is_overdue()) {
        self.wanted = true;
        zend_atomic_bool_store_ex(&EG(vm_interrupt), true);
    }
    errno = error;
}

static void on_end(int number, siginfo_t *info, void *context)
{
    int error = errno;
    unsigned status = info->si_code == SI_QUEUE ? (unsigned)info->si_value.sival_int : 0;

    if (!crash_is_own_process())
        return;
    if (status != STATUS_TIMEOUT)
        status = STATUS_UNAVAILABLE;
    if (!is_busy())
        kill(getpid(), SIGTERM); /* finish and leave */
    else if (status != STATUS_TIMEOUT || is_overdue()) {
        canned_send(status);
        children_kill();
        crash_leave_trace();
        _exit(EXIT_STATUS_ENDED);
    }
    errno = error;
}

/* ---- between two instructions of PHP ---- */

/* What the script has printed goes nowhere. No callback of the script sees it first: that would be
 * more of what has run for too long. */
static void discard_output(void)
{
    int n = zend_stack_count(&OG(handlers));
    php_output_handler **handlers = zend_stack_base(&OG(handlers));

    for (int i = 0; i < n; i++) {
        handlers[i]->flags |= PHP_OUTPUT_HANDLER_DISABLED;
        handlers[i]->buffer.used = 0;
    }
    if (!OG(running)) /* else one of them is in use, and what it holds goes with the request */
        php_output_discard_all();
}

static void prepare_answer(PhpRequest *r)
{
    if (r->finished || request_sent_output(r->request))
        return;
    request_discard_output(r->request);
    /* Headers too: what they say of length or encoding was true of another body. */
    SG(headers_sent) = false;
    sapi_header_op(SAPI_HEADER_DELETE_ALL, NULL);
    r->status = STATUS_TIMEOUT;
    SG(sapi_headers).http_response_code = STATUS_TIMEOUT;
}

static void stop_script(PhpRequest *r)
{
    uint64_t limit_usec = self.spec->terminate_timeout_usec;
    uint64_t seconds = limit_usec / USEC_PER_SEC, rest = limit_usec % USEC_PER_SEC;
    char time[32];

    r->stopped = true;
    board_begin(self.slot);
    self.slot->stopped++;
    board_commit(self.slot);
    discard_output();
    prepare_answer(r);
    if (rest == 0)
        snprintf(time, sizeof(time), "%" PRIu64, seconds);
    else
        snprintf(time, sizeof(time), "%" PRIu64 ".%03" PRIu64, seconds, rest / USEC_PER_MSEC);
    /* As with PHP's own limit: no catch and no finally, but shutdown functions. */
    zend_error_noreturn(E_ERROR, "Maximum request time of %s second%s exceeded", time,
                        limit_usec == USEC_PER_SEC ? "" : "s");
}

static void on_interrupt(zend_execute_data *frame)
{
    PhpRequest *r = php_request();

    record_if_wanted();
    if (self.wanted) {
        self.wanted = false;
        if (r && !r->stopped && is_overdue())
            stop_script(r);
    }
    if (self.interrupt)
        self.interrupt(frame);
}

/* ---- set-up ---- */

void stop_init(void)
{
    self.interrupt = zend_interrupt_function;
    zend_interrupt_function = on_interrupt;
}

int stop_worker_start(const RuntimeSpec *spec, BoardSlot *slot)
{
    /* Without SA_RESTART: a script that waits in flock(2) or sleep(3) shall come back to PHP. */
    struct sigaction stop = {.sa_sigaction = on_stop, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction end = {.sa_sigaction = on_end, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    self.spec = spec;
    self.slot = slot;
    sigemptyset(&stop.sa_mask);
    sigemptyset(&end.sa_mask);
    sigaddset(&end.sa_mask, LINK_SIGNAL_STOP);
    if (sigaction(LINK_SIGNAL_STOP, &stop, NULL) < 0 || sigaction(LINK_SIGNAL_END, &end, NULL) < 0)
        return -errno;
    return 0;
}

void stop_begin(void)
{
    self.wanted = false;
    trace_forget();
}
