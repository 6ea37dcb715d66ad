#pragma once

/*
 * Records as lines on stderr, for people and containers.
 */

#include "base/macro.h"

/** Where the lines go instead of fd 2; borrowed. */
void stderr_set_fd(int fd);

/**
 * Writes "identifier[pool]: text". Control characters and bytes that are no UTF-8 are escaped
 * ("\n", "\x1b"), so that no text can pass for another line. Does not block on a pipe or socket
 * that nobody reads: -EAGAIN then, and the line is lost or cut.
 */
int stderr_write(const char *identifier, const char *pool, const char *text, size_t n);
