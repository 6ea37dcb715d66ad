#pragma once

/*
 * Call stacks of workers, as a manager gives them (board/trace.h).
 */

#include "base/buffer.h"
#include "board/trace.h"
#include "ctl/ctl.h"

typedef struct Stack {
    TraceArea area;
    char *text; /* lines of board/trace.h */
} Stack;

void stack_done(Stack *stack);
#define _cleanup_stack_ _cleanup_(stack_done)

/** Asks over a connection of ask_connect() for the stack of the worker with that pid. 0, or -errno
 * having said why. */
int stack_ask(const Ctl *ctl, const char *pool, int fd, uint64_t pid, Stack *ret);

/** Appends the frames for people, a line each. 0 or -ENOMEM. */
int stack_write_text(Buffer *b, const Stack *stack);

/** Appends an object. 0 or -ENOMEM. */
int stack_write_json(Buffer *b, const char *pool, const Stack *stack);
