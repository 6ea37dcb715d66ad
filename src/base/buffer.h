#pragma once

/*
 * A byte buffer that grows. Zero-initialised is a valid empty buffer.
 */

#include "base/macro.h"

typedef struct Buffer {
    char *data;
    size_t size; /* bytes in use */
    size_t room; /* bytes allocated */
} Buffer;

void buffer_done(Buffer *b);
#define _cleanup_buffer_ _cleanup_(buffer_done)

/** Makes room for n more bytes. 0 or -ENOMEM. */
int buffer_reserve(Buffer *b, size_t n);

/** Appends bytes. 0 or -ENOMEM. */
int buffer_append(Buffer *b, const void *data, size_t n);

/** Appends a formatted text, without its NUL. 0 or -ENOMEM. */
int buffer_printf(Buffer *b, const char *format, ...) _printf_(2, 3);

/** Ends the content with a NUL that does not count, and hands the text over; the buffer is empty
 * then. NULL: no memory. */
char *buffer_steal(Buffer *b);
