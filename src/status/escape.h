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

/** Appends text as the inside of a JSON string, without its quotes, in ASCII; '/' is escaped, so
 * that it may stand in a page. What is no UTF-8 becomes U+FFFD. 0 or -ENOMEM. */
int escape_json_ascii(Buffer *b, const char *text);

/** Appends text as the content of an element of HTML or XML. What may not be shown or is no UTF-8
 * becomes U+FFFD. 0 or -ENOMEM. */
int escape_markup(Buffer *b, const char *text);

/** Appends text for the HELP of a metric (OpenMetrics 1.0, section 5). What is no UTF-8 becomes
 * U+FFFD. 0 or -ENOMEM. */
int escape_metrics(Buffer *b, const char *text);
