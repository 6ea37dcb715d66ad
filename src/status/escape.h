#pragma once

/*
 * Texts of unknown origin inside our output: whatever the bytes are, the result is valid UTF-8 and
 * of the format.
 */

#include "base/buffer.h"

/** Appends text as a JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD. 0 or
 * -ENOMEM. */
int escape_json(Buffer *b, const char *text);

/** Appends text for a terminal: one line, control characters and bytes that are not UTF-8 become
 * '?'. 0 or -ENOMEM. */
int escape_text(Buffer *b, const char *text);
