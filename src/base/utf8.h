#pragma once

/*
 * UTF-8 of strangers, one character at a time.
 */

#include "base/macro.h"

/**
 * Decodes the character at p, of which n bytes may be read. Returns its length in bytes, or 0 when
 * the bytes are no well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF).
 */
static inline size_t utf8_decode(const char *p, size_t n, uint32_t *ret_code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = n > 0 ? (uint8_t)p[0] : 0xff;
    size_t length = first < 0x80             ? 1
                    : (first & 0xe0) == 0xc0 ? 2
                    : (first & 0xf0) == 0xe0 ? 3
                    : (first & 0xf8) == 0xf0 ? 4
                                             : 0;
    uint32_t code;

    if (length == 0 || length > n)
        return 0;
    code = length == 1 ? first : first & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if (((uint8_t)p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | ((uint8_t)p[i] & 0x3f);
    }
    if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return length;
}

/**
 * Whether a character may be shown as it is: no control characters (C0, DEL, C1), nothing that
 * breaks lines or turns the direction of writing, no noncharacters that XML 1.0 forbids.
 */
static inline bool utf8_is_printable(uint32_t code)
{
    return code >= 0x20 && !(code >= 0x7f && code <= 0x9f) && !(code >= 0x2028 && code <= 0x202e) &&
           !(code >= 0x2066 && code <= 0x2069) && code != 0x061c && code != 0x200e &&
           code != 0x200f && code != 0xfeff && code != 0xfffe && code != 0xffff;
}

/** The largest size <= n that does not cut a character of the well-formed text p, which goes on
 * behind n. */
static inline size_t utf8_cut(const char *p, size_t n)
{
    size_t start = n;

    while (start > 0 && n - start < 3 && ((uint8_t)p[start] & 0xc0) == 0x80)
        start--;
    /* Not a character that begins there and reaches over n: the bytes are no UTF-8, cut anywhere.
     */
    return (uint8_t)p[start] >= 0xc0 ? start : n;
}
