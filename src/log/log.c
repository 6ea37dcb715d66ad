#include "log/log.h"

#include "base/clock.h"
#include "base/fd.h"
#include "log/journal.h"
#include "log/ring.h"
#include "log/stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* Fields leave this much of a record to its text. */
#define MESSAGE_RESERVE 4096

/* Between two records about dropped ones. */
#define TELL_DISTANCE_USEC (1 * USEC_PER_SEC)

/* What a field has beside key and value, in bytes. */
#define FRAME_MAX 16

_Static_assert(MESSAGE_RESERVE < LOG_RECORD_FIRST, "fields have room too");

static struct {
    const char *identifier, *pool;
    int max_priority;
    int fd;        /* -1: stderr */
    bool fd_given; /* fd belongs to the caller of log_open() */
    Ring ring;
    uint64_t dropped, dropped_told, tell_after_usec;
} logger = {
    .identifier = "fpmd",
    .max_priority = LOG_DEBUG,
    .fd = -1,
};

static const struct {
    const char *id, *subject;
} messages[] = {[LOG_MESSAGE_NONE] = {"", ""},
#define X(name, message_id, text) [LOG_MESSAGE_##name] = {message_id, text},
                LOG_MESSAGES(X)
#undef X
};

const char *log_message_id(LogMessage message)
{
    return (unsigned)message < ARRAY_SIZE(messages) ? messages[message].id : "";
}

const char *log_message_subject(LogMessage message)
{
    return (unsigned)message < ARRAY_SIZE(messages) ? messages[message].subject : "";
}

static int tell_dropped(void);

int log_open(const LogOptions *options)
{
    Ring ring = {0};
    int fd = options->journal_fd, r;

    r = ring_init(&ring, options->ring_bytes);
    if (r < 0)
        return r;
    log_close();
    if (fd < 0) {
        fd = journal_connect();
        if (fd < 0)
            fd = -1;
    }
    logger.identifier = options->identifier;
    logger.pool = options->pool;
    logger.max_priority = options->max_priority;
    stderr_set_fd(options->text_fd > 0 ? options->text_fd : STDERR_FILENO);
    logger.fd = fd;
    logger.fd_given = options->journal_fd >= 0;
    logger.ring = ring;
    logger.dropped = logger.dropped_told = 0;
    return 0;
}

void log_close(void)
{
    logger.tell_after_usec = 0;
    tell_dropped();
    if (!logger.fd_given)
        fd_close(logger.fd);
    logger.fd = -1;
    logger.fd_given = false;
    ring_done(&logger.ring);
}

int log_journal_fd(void)
{
    return logger.fd;
}

int log_open_journal(void)
{
    if (logger.fd < 0)
        return -ENOTCONN;
    /* Never one that we use ourselves: whoever holds it could connect it elsewhere. */
    return journal_open();
}

void log_set_pool(const char *pool)
{
    logger.pool = pool;
}

void log_set_max_priority(int priority)
{
    logger.max_priority = priority;
}

uint64_t log_dropped(void)
{
    return logger.dropped;
}

void log_forget(void)
{
    ring_clear(&logger.ring);
    logger.dropped = logger.dropped_told = 0;
}

/* -EAGAIN: the journal takes nothing now. */
static int send_now(const void *record, size_t n)
{
    int r = journal_send(logger.fd, record, n);

    /* The journal's socket was made anew, or was not there. systemd keeps it over restarts of
     * journald, so this is rare. */
    if (r == -ECONNREFUSED || r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE)
        r = journal_reconnect(logger.fd) < 0 ? r : journal_send(logger.fd, record, n);
    return r;
}

/* ---- records ---- */

static bool is_wanted(int priority)
{
    return priority <= logger.max_priority;
}

static char *record_data(LogRecord *r)
{
    return r->grown ? r->grown : r->first;
}

/* Makes room for n more bytes as far as a record may grow and memory lasts. */
static void make_room(LogRecord *r, size_t n)
{
    size_t room = MAX(2 * r->room, r->size + n);
    char *grown;

    room = MIN(room, (size_t)LOG_RECORD_MAX);
    if (room <= r->room)
        return;
    grown = realloc(r->grown, room);
    if (!grown)
        return;
    if (!r->grown)
        memcpy(grown, r->first, r->size);
    r->grown = grown;
    r->room = room;
}

/* reserve: what has to stay free behind the value. */
static void append(LogRecord *r, size_t reserve, JournalValue *ret, const char *key,
                   const char *format, va_list ap) __attribute__((format(printf, 5, 0)));
static void append(LogRecord *r, size_t reserve, JournalValue *ret, const char *key,
                   const char *format, va_list ap)
{
    const size_t begin = r->size;
    va_list again;
    int result;

    va_copy(again, ap);
    result = journal_append(record_data(r), &r->size, r->room - reserve, key, ret, format, ap);
    if ((result < 0 || ret->cut) && r->room < LOG_RECORD_MAX) {
        r->size = begin;
        make_room(r, reserve + strlen(key) + FRAME_MAX + (result < 0 ? 0 : ret->whole));
        result =
            journal_append(record_data(r), &r->size, r->room - reserve, key, ret, format, again);
    }
    va_end(again);
    if (result < 0 || ret->cut)
        r->cut = true;
}

static void begin(LogRecord *r, int priority, LogMessage message, bool wanted)
{
    r->priority = priority;
    r->message = message;
    r->size = 0;
    r->cut = false;
    r->grown = NULL;
    r->room = sizeof(r->first);
    r->wanted = wanted;
    if (!wanted)
        return;
    log_record_field(r, "PRIORITY", "%d", priority);
    log_record_field(r, "SYSLOG_IDENTIFIER", "%s", logger.identifier);
    if (logger.pool)
        log_record_field(r, "POOL", "%s", logger.pool);
    if (message != LOG_MESSAGE_NONE)
        log_record_field(r, "MESSAGE_ID", "%s", log_message_id(message));
}

void log_record_begin(LogRecord *r, int priority, LogMessage message)
{
    begin(r, priority, message, is_wanted(priority));
}

void log_record_begin_always(LogRecord *r, int priority, LogMessage message)
{
    begin(r, priority, message, true);
}

void log_record_field(LogRecord *r, const char *key, const char *format, ...)
{
    JournalValue value;
    va_list ap;

    if (!r->wanted)
        return;
    va_start(ap, format);
    append(r, MESSAGE_RESERVE, &value, key, format, ap);
    va_end(ap);
}

/* Sends a record whose text is the given value; -EAGAIN: cannot be sent now. */
static int deliver(LogRecord *r, const JournalValue *text)
{
    if (logger.fd >= 0)
        return send_now(record_data(r), r->size);
    return stderr_write(logger.identifier, logger.pool, record_data(r) + text->offset, text->size);
}

static int deliver_text(int priority, LogMessage message, const char *format, ...) _printf_(3, 4);
static int deliver_text(int priority, LogMessage message, const char *format, ...)
{
    JournalValue text = {0};
    LogRecord r;
    va_list ap;

    log_record_begin(&r, priority, message);
    va_start(ap, format);
    append(&r, 0, &text, "MESSAGE", format, ap);
    va_end(ap);
    return deliver(&r, &text);
}

/* All that was kept has been sent: now the number of those that were not kept. */
static int tell_dropped(void)
{
    uint64_t n = logger.dropped - logger.dropped_told;
    uint64_t now_usec;
    int r = 0;

    if (n == 0)
        return 0;
    /* Else the counts would take the place of the records that the journal could take. */
    now_usec = clock_monotonic_usec();
    if (now_usec < logger.tell_after_usec)
        return 0;
    if (is_wanted(LOG_WARNING))
        r = deliver_text(LOG_WARNING, LOG_MESSAGE_RECORDS_DROPPED,
                         "%llu records were dropped, the log did not take them in time",
                         (unsigned long long)n);
    if (r == 0) {
        logger.dropped_told += n;
        logger.tell_after_usec = now_usec + TELL_DISTANCE_USEC;
    }
    return r;
}

bool log_flush(void)
{
    size_t n;

    if (logger.fd < 0)
        return false;
    for (const void *record; (record = ring_first(&logger.ring, &n)); ring_pop(&logger.ring)) {
        int r = send_now(record, n);

        if (r == -EAGAIN)
            return true;
        if (r < 0)
            logger.dropped++;
    }
    return tell_dropped() == -EAGAIN;
}

/* In order: first what waits, then this one; if it cannot be sent it waits too, or is dropped. */
static void submit(LogRecord *r, const JournalValue *text)
{
    int result;

    if (logger.fd < 0) {
        tell_dropped();
        result = deliver(r, text);
    } else {
        result = log_flush() ? -EAGAIN : deliver(r, text);
        if (result == -EAGAIN)
            result = ring_push(&logger.ring, record_data(r), r->size);
    }
    if (result < 0)
        logger.dropped++;
}

static void send_text(LogRecord *r, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void send_text(LogRecord *r, const char *format, va_list ap)
{
    JournalValue text = {0};
    int saved = errno;

    if (!r->wanted)
        return;
    append(r, 0, &text, "MESSAGE", format, ap);
    submit(r, &text);
    free(TAKE_PTR(r->grown));
    errno = saved;
}

void log_record_send(LogRecord *r, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    send_text(r, format, ap);
    va_end(ap);
}

void log_text(int priority, LogMessage message, const char *format, ...)
{
    LogRecord r;
    va_list ap;
    int saved = errno;

    log_record_begin(&r, priority, message);
    errno = saved; /* for %m */
    va_start(ap, format);
    send_text(&r, format, ap);
    va_end(ap);
}
