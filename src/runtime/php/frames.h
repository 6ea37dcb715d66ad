#pragma once

/*
 * The call stack of PHP as lines of text (board/trace.h), out of memory that is reached by a
 * function only: the worker's own, or another process's. Whatever that memory holds, every pointer
 * is asked for by that function, every length is bounded, and rings end.
 *
 * The frames are those of debug_print_backtrace(), with the same places; includes and eval() are
 * [INCLUDE_OR_EVAL](). Before them comes what that function cannot show: the internal function that
 * runs now, or, where PHP code runs, the line [RUNNING]() with the place of the present
 * instruction. What cannot be read is ???().
 */

#include "base/macro.h"

typedef struct FrameMemory {
    /** Copies n bytes from address. False: they cannot be read. */
    bool (*read)(void *context, uint64_t address, void *to, size_t n);

    /** Whether it has taken long enough: what is written is enough then. Asked now and then. */
    bool (*is_over)(void *context);

    void *context;
} FrameMemory;

/* Where to begin, values of the process whose memory it is. */
typedef struct FrameRoots {
    uint64_t current;          /* EG(current_execute_data) */
    uint64_t before_exception; /* EG(opline_before_exception) */
    uint64_t generator_class;  /* zend_ce_generator */
} FrameRoots;

typedef struct FrameText {
    char *text;
    size_t size; /* of the room; no NUL is written */
    size_t used;
    uint32_t n_frames; /* lines */
    uint32_t more;     /* frames beyond them; at least so many when it took too long */
} FrameText;

/** Writes at most depth lines (0: as many as fit). 0; -ESRCH: no script runs; -EIO: not even the
 * first frame could be read. */
int frames_write(const FrameMemory *memory, const FrameRoots *roots, uint32_t depth,
                 FrameText *text);
