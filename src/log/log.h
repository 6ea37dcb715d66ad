#pragma once

/*
 * Journal records: a text, a priority, a message id, fields.
 *
 * Records go to the journal's native socket without ever blocking (libsystemd's sd_journal_send
 * blocks): what does not fit into the socket is kept in a bounded ring (log_open with a ring) or
 * dropped and counted; the count is logged when the journal takes records again. Without a journal
 * (stderr is not the journal's stream, see JOURNAL_STREAM in systemd.exec(5)) records are lines on
 * stderr.
 *
 * One logger per process. Only manager/, runtime/ and the tools log; libraries return errors.
 */

#include "base/macro.h"
#include "log/messages.h"

#include <syslog.h> /* LOG_ERR … LOG_DEBUG */

#define LOG_RECORD_MAX                                                                             \
    (1024 * 1024) /* bytes of one record; longer values are cut and end in "…"                   \
                   */

/* Most records need no more; what does grows on the heap. */
#define LOG_RECORD_FIRST 8192

typedef struct LogOptions {
    const char *identifier; /* SYSLOG_IDENTIFIER=, and the prefix on stderr; borrowed */
    const char *pool;       /* POOL= of every record, NULL: none; borrowed */
    int max_priority;       /* LOG_DEBUG … LOG_ERR: records above it are not sent */
    int journal_fd; /* connected datagram socket to use; -1: find out by JOURNAL_STREAM and connect
                     */
    size_t ring_bytes; /* 0: no ring, drop at once */
    int text_fd;       /* where lines go when there is no journal; 0: stderr; borrowed */
} LogOptions;

/** Opens the logger. 0; a journal that cannot be reached is not an error (stderr is used). */
int log_open(const LogOptions *options);

/** Gives up the ring and the socket (unless it was given). */
void log_close(void);

/** The connected journal socket to hand to a child, or -1 when records go to stderr. Owned by the
 * logger. */
int log_journal_fd(void);

/** Another socket for the journal, for somebody else's log_open(); the fd, which is the caller's,
 * or -errno. When the journal is away, records on it are tried again with each that follows. */
int log_open_journal(void);

/** Changes the borrowed pool name. */
void log_set_pool(const char *pool);
void log_set_max_priority(int priority);

/** Sends what the ring holds. Returns true while something is left (then call again when the fd is
 * writable). */
bool log_flush(void);

/** For the child of a fork: forgets what the ring holds, without counting it; the parent has it
 * too.
 */
void log_forget(void);

/** Records dropped since the logger was opened. */
uint64_t log_dropped(void);

/** The 32 hex digits of a message id, "" for LOG_MESSAGE_NONE. */
const char *log_message_id(LogMessage message);
const char *log_message_subject(LogMessage message);

/* A record under construction. Fields first, then log_record_send() with the text, once: it frees
 * what the record has grown to. */
typedef struct LogRecord {
    int priority;
    LogMessage message;
    size_t size;
    bool wanted; /* its priority is of those that are sent */
    bool cut;
    char *grown; /* of room bytes; NULL: it is in first */
    size_t room;
    char first[LOG_RECORD_FIRST];
} LogRecord;

void log_record_begin(LogRecord *r, int priority, LogMessage message);

/** The same for a record that is sent whatever its priority. */
void log_record_begin_always(LogRecord *r, int priority, LogMessage message);

/** Adds KEY=value. The key is upper case and comes from us; the value may be anything, newlines and
 * control bytes too. */
void log_record_field(LogRecord *r, const char *key, const char *format, ...) _printf_(3, 4);

/** Ends the record with MESSAGE= and sends it. A trailing newline of the text is removed. */
void log_record_send(LogRecord *r, const char *format, ...) _printf_(2, 3);

/** A record without further fields. */
void log_text(int priority, LogMessage message, const char *format, ...) _printf_(3, 4);

#define log_error(...)   log_text(LOG_ERR, LOG_MESSAGE_NONE, __VA_ARGS__)
#define log_warning(...) log_text(LOG_WARNING, LOG_MESSAGE_NONE, __VA_ARGS__)
#define log_notice(...)  log_text(LOG_NOTICE, LOG_MESSAGE_NONE, __VA_ARGS__)
#define log_info(...)    log_text(LOG_INFO, LOG_MESSAGE_NONE, __VA_ARGS__)
#define log_debug(...)   log_text(LOG_DEBUG, LOG_MESSAGE_NONE, __VA_ARGS__)
