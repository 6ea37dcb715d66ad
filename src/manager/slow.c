#include "manager/slow.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "log/log.h"
#include "manager/logfile.h"
#include "manager/manager.h"
#include "manager/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MESSAGE_FRAMES 5

/* What is known of a request when it is found to be slow: when its stack is there it may be over,
 * and its worker gone. */
typedef struct Slow {
    PoolSetup *setup;
    unsigned generation, slot_number;
    pid_t pid;
    uint64_t ran_usec;
    BoardSlot slot;
} Slow;

static Slow *slow_free(Slow *s)
{
    pool_setup_unref(s->setup);
    free(s);
    return NULL;
}
DEFINE_CLEANUP(Slow, slow_free)

/* ---- the record ---- */

static void add_fields(const Slow *s, LogRecord *r)
{
    const BoardSlot *slot = &s->slot;

    log_record_field(r, "WORKER_PID", "%d", (int)s->pid);
    log_record_field(r, "WORKER_SLOT", "%u", s->slot_number);
    log_record_field(r, "GENERATION", "%u", s->generation);
    log_record_field(r, "SCRIPT", "%s", slot->script);
    log_record_field(r, "REQUEST_METHOD", "%s", slot->method);
    log_record_field(r, "REQUEST_URI", "%s", slot->uri);
    if (slot->query[0])
        log_record_field(r, "QUERY", "%s", slot->query);
    if (slot->request_id[0])
        log_record_field(r, "REQUEST_ID", "%s", slot->request_id);
    log_record_field(r, "DURATION_USEC", "%" PRIu64, s->ran_usec);
}

/* What PHP code itself does now: not a frame, but the place of the present instruction. */
static bool is_running(const TraceLine *line)
{
    static const char word[] = "[RUNNING]()";

    return line->n_name == (int)strlen(word) && memcmp(line->name, word, strlen(word)) == 0;
}

/* "sleep() /srv/www/slow.php:3" */
static int add_frame(Buffer *b, const TraceLine *line)
{
    return buffer_printf(b, "%.*s%s%.*s", line->n_name, line->name, line->n_place > 0 ? " " : "",
                         line->n_place, line->place ?: "");
}

/* For the text of the record: ": in sleep() /srv/www/slow.php:3, called by f() …". */
static int add_first(Buffer *b, const TraceLine *line, const char **word)
{
    int r;

    if (is_running(line) && line->place) {
        *word = ", in ";
        return buffer_printf(b, ": at %.*s", line->n_place, line->place);
    }
    r = buffer_printf(b, "%s", *word);
    *word = ", called by ";
    return r < 0 ? r : add_frame(b, line);
}

/* "#0 sleep() /srv/www/slow.php:3" for each frame; in first the innermost ones in one line. */
static int number_frames(const char *text, unsigned more, Buffer *frames, Buffer *first)
{
    const char *word = ": in ";
    TraceLine line;
    int r = 0;

    for (unsigned i = 0; *text && r == 0; i++) {
        size_t n = strcspn(text, "\n");

        trace_line(text, n, &line);
        r = buffer_printf(frames, "#%u ", i);
        if (r == 0)
            r = add_frame(frames, &line);
        if (r == 0)
            r = buffer_append(frames, "\n", 1);
        if (r == 0 && i < MESSAGE_FRAMES)
            r = add_first(first, &line, &word);
        text += n + (text[n] == '\n');
    }
    if (r == 0 && more > 0)
        r = buffer_printf(frames, "and %u more\n", more);
    return r;
}

static void log_slow(const Slow *s, int result, const TraceArea *area, const char *text)
{
    uint64_t limit_usec = s->setup->config->slowlog_timeout_usec;
    const char *script = s->slot.script[0] ? s->slot.script : "a request without a script";
    _cleanup_buffer_ Buffer frames = {0}, first = {0};
    LogRecord r;

    if (result == 0 && number_frames(text, area->more, &frames, &first) < 0)
        result = -ENOMEM;
    if (result < 0) {
        first.size = 0;
        buffer_printf(&first, " (no call stack: %s)", trace_failure(result));
    }
    log_record_begin(&r, LOG_WARNING, LOG_MESSAGE_SLOW_REQUEST);
    add_fields(s, &r);
    if (result == 0) {
        log_record_field(&r, "PHP_BACKTRACE", "%.*s", (int)frames.size, frames.data ?: "");
        log_record_field(&r, "TRACE_METHOD", "%s",
                         area->method == TRACE_METHOD_INTERRUPT ? "interrupt" : "read");
        log_record_field(&r, "TRACE_COST_USEC", "%" PRIu64, area->cost_usec);
    } else
        log_record_field(&r, "TRACE_ERROR", "%s", strerror(-result));
    log_record_send(&r,
                    "Worker %d: %s has run for %" PRIu64 ".%03" PRIu64
                    " s (request_slowlog_timeout is %" PRIu64 ".%03" PRIu64 " s)%.*s",
                    (int)s->pid, script, s->ran_usec / USEC_PER_SEC,
                    s->ran_usec % USEC_PER_SEC / USEC_PER_MSEC, limit_usec / USEC_PER_SEC,
                    limit_usec % USEC_PER_SEC / USEC_PER_MSEC, (int)first.size, first.data ?: "");
}

/* ---- the file, in the form of PHP-FPM ---- */

/* "[0x00007f2bed6132a0] sleep() /srv/www/slow.php:3"; the address is that of the frame. PHP-FPM
 * shows functions without their classes, which ours have. */
static int write_frames(Buffer *b, const char *text)
{
    TraceLine line;
    int r = 0;

    for (size_t n; *text && r == 0; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        trace_line(text, n, &line);
        r = buffer_printf(b, "[0x%016" PRIx64 "] ", line.address);
        if (r == 0)
            r = add_frame(b, &line);
        if (r == 0)
            r = buffer_append(b, "\n", 1);
    }
    return r;
}

static void write_entry(Manager *m, const Slow *s, int result, const char *text)
{
    _cleanup_buffer_ Buffer b = {0};
    char date[64] = "";
    time_t now = time(NULL);
    struct tm tm;
    int r;

    if (!s->setup->config->slowlog)
        return;
    if (localtime_r(&now, &tm))
        strftime(date, sizeof(date), "%d-%b-%Y %H:%M:%S", &tm);
    r = buffer_printf(&b, "\n[%s]  [pool %s] pid %d\nscript_filename = %s\n", date, m->options.pool,
                      (int)s->pid, s->slot.script);
    if (r == 0)
        r = result == 0 ? write_frames(&b, text) : buffer_printf(&b, "+++ dump failed\n");
    if (r == 0)
        logfiles_write_slow(m, s->setup, b.data, b.size);
}

static void on_trace(Manager *m, int result, const TraceArea *area, const char *text, int fd,
                     void *data)
{
    _cleanup_(slow_freep) Slow *s = data;

    log_slow(s, result, area, text);
    write_entry(m, s, result, text);
}

/* ---- the look ---- */

static void record(Worker *w, const BoardSlot *slot, uint64_t started_usec, uint64_t ran_usec)
{
    const PoolConfig *c = w->generation->config;
    Slow *s = calloc(1, sizeof(*s));
    int r;

    w->manager->slow_requests++;
    w->slow_request_usec = started_usec;
    if (!s)
        return;
    *s = (Slow){
        .setup = pool_setup_ref(w->generation->setup),
        .generation = w->generation->number,
        .slot_number = w->slot_number,
        .pid = w->pid,
        .ran_usec = ran_usec,
        .slot = *slot,
    };
    r = trace_order(w, c->slowlog_trace_depth, slot->request_started_usec, on_trace, s);
    if (r < 0)
        on_trace(w->manager, r, NULL, NULL, -1, s);
}

uint64_t slow_look(Worker *w, const BoardSlot *slot, uint64_t now_usec)
{
    uint64_t timeout_usec = w->generation->config->slowlog_timeout_usec, started_usec;

    if (timeout_usec == 0)
        return USEC_INFINITY;
    /* What follows the answer keeps nobody waiting. The next request cannot have begun before the
     * one that was slow had run for so long: a worker that says so wants many records. */
    started_usec = MAX(slot->request_started_usec, w->started_usec);
    if (slot->state != WORKER_STATE_RUNNING ||
        (w->slow_request_usec > 0 && started_usec < w->slow_request_usec + timeout_usec))
        return now_usec + timeout_usec;
    if (now_usec - started_usec < timeout_usec)
        return started_usec + timeout_usec;
    record(w, slot, started_usec, now_usec - started_usec);
    return now_usec + timeout_usec;
}
