#pragma once

/*
 * Where PHP is, as text, at any moment: from a signal handler, with memory that may be damaged. No
 * allocation, no lock, no stdio; what cannot be read is said to be unreadable.
 */

#include "base/macro.h"

/**
 * Writes one line per function, the innermost first, with the place where it stands:
 * "#0 Shop->total() /srv/www/shop.php:12". Cut after whole lines, NUL-terminated; "" when no
 * function runs.
 */
void backtrace_write(char *text, size_t size);

/** From the handler of a memory fault: does not return when it was backtrace_write() that met it.
 */
void backtrace_on_fault(void);
