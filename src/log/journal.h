#pragma once

/*
 * The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): fields as bytes, and
 * datagrams that never block.
 */

#include "base/macro.h"

#include <stdarg.h>

/** Returns a connected socket when stderr is the journal's stream (JOURNAL_STREAM), else -ENOTCONN;
 * another -errno when the journal cannot be reached. */
int journal_connect(void);

/** Another socket for the journal, also while that cannot be reached. The fd or -errno. */
int journal_open(void);

/** Connects the socket again after the journal's socket was made anew. 0 or -errno. */
int journal_reconnect(int fd);

/** Sends one record; one that is larger than the socket takes goes as a sealed file. 0, -EAGAIN
 * when the queue is full, or another -errno. */
int journal_send(int fd, const void *record, size_t n);

/* Where a field's value lies within a record. */
typedef struct JournalValue {
    size_t offset, size;
    size_t whole; /* bytes before it was cut */
    bool cut;     /* it was longer */
} JournalValue;

/**
 * Appends a field to the record of *size bytes, which may grow to room bytes. A value without room
 * is cut between characters and ends in "…"; newlines at its end are left out. 0, or -ENOBUFS when
 * not even the key has room.
 */
int journal_append(char *record, size_t *size, size_t room, const char *key, JournalValue *ret,
                   const char *format, va_list ap) __attribute__((format(printf, 6, 0)));
