#pragma once

/*
 * One line of the text of frames.h, put together before it is known whether there is room for it.
 */

#include "runtime/php/frames.h"

#define NAME_MAX_BYTES 512  /* of a class or function; longer ones are cut */
#define FILE_MAX_BYTES 4096 /* PATH_MAX */

typedef struct FrameLine {
    char text[2 * NAME_MAX_BYTES + FILE_MAX_BYTES + 64];
    size_t n;
} FrameLine;

/** Begins with the address and a TAB. */
void line_begin(FrameLine *l, uint64_t address);

void line_put(FrameLine *l, const char *text);
void line_put_number(FrameLine *l, uint64_t number, unsigned base);

/** A zend_string of the other memory, at most max bytes. Up to a NUL byte, as PHP prints it: the
 * rest of an anonymous class's name is for PHP only. False: it cannot be read. */
bool line_put_string(FrameLine *l, const FrameMemory *memory, uint64_t address, size_t max);
