#pragma once

/*
 * The call stack of a worker that is blocked, out of its memory: for runtime/trace.h. In the
 * template, which has PHP at the same addresses.
 */

#include "board/trace.h"

/** See Engine.trace_flag. */
void *peek_flag(void);

/** See Engine.trace_peek. */
int peek(pid_t pid, TraceArea *area, char *text);
