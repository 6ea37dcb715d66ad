#pragma once

/*
 * Texts to numbers, strictly: the whole string must be the value, no sign where none is meant, no
 * overflow. Every function returns 0, -EINVAL (not of the form) or -ERANGE (of the form, outside
 * the range).
 */

#include "base/macro.h"

/** Decimal digits only; min and max are inclusive. */
int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/** Digits with an optional suffix s (default), m, h, d, or ms, us; result in microseconds. No
 * blanks, no fractions. */
int parse_usec(const char *text, uint64_t *ret_usec);

/** Digits with an optional suffix K, M, G (powers of 1024, either case); result in bytes. */
int parse_size(const char *text, uint64_t *ret_bytes);

/** An octal file mode of up to four digits, at most 07777. */
int parse_mode(const char *text, unsigned *ret_mode);

/** 1 yes true on / 0 no none false off or empty, any case. */
int parse_bool(const char *text, bool *ret);
