#pragma once

/*
 * The call stack of a worker, on its way from the template, which reads it, to the manager and to
 * whoever asked: one sealed memfd (SHRINK, GROW, SEAL) per trace, made by the manager, who fills in
 * what is wanted; the template writes the rest. What it writes is hostile: trace_read() copies,
 * bounds and validates, and follows nothing from it.
 *
 * Lines of the text, the innermost frame first: ADDRESS TAB FUNCTION TAB FILE:LINE, for example
 * "0x7f2bed6132a0\tShop->total()\t/srv/www/shop.php:12". Function: NAME(), CLASS->NAME(),
 * CLASS::NAME(), {closure}(), [INCLUDE_OR_EVAL](), or ???() for what cannot be read. The place is
 * that of the call of the function (as debug_print_backtrace() prints it); it is empty where none
 * is known. Where the language's own code runs, and no built-in function, the first line is
 * [RUNNING]() with the place of the present instruction. No control characters but those two.
 */

#include "base/macro.h"

#include <sys/types.h>

#define TRACE_VERSION   1
#define TRACE_AREA_SIZE (1024 * 1024)
#define TRACE_TEXT_SIZE (TRACE_AREA_SIZE - 4096)
#define TRACE_TEXT_AT   4096

typedef enum TraceMethod {
    TRACE_METHOD_NONE,
    TRACE_METHOD_INTERRUPT, /* by the worker, between two instructions: exact */
    TRACE_METHOD_READ,      /* from outside, while it was blocked */
    _TRACE_METHOD_MAX,
} TraceMethod;

typedef struct TraceArea {
    uint32_t version;
    uint32_t number;       /* of the wish; in LINK_TRACED again */
    int32_t pid;           /* of the worker */
    uint32_t depth;        /* frames at most; 0: as many as fit */
    uint64_t request_usec; /* request_started_usec of the request that is meant; 0: any */
    /* Of the template: */
    int32_t result;    /* 0; -ESRCH: it is gone, or runs no script; -ESTALE: another request by now;
                          -EPERM: this kernel does not let us read; -EIO: what was read made no sense,
                          or it was never at rest; -EBUSY: too many at once; -EOPNOTSUPP: the language
                          cannot tell */
    uint32_t method;   /* TraceMethod */
    uint32_t n_frames; /* lines of the text */
    uint32_t more;     /* frames beyond them */
    uint64_t cost_usec; /* in the worker; METHOD_READ: 0 */
    uint32_t size;      /* bytes of the text */
    uint32_t reserved;
} TraceArea;

/** Makes an area with the first five fields set. The fd or -errno. */
int trace_create(const TraceArea *wish);

/** Maps the area for writing, in the template; checks its seals and version. 0 or -errno; munmap()
 * TRACE_AREA_SIZE bytes. The text begins TRACE_TEXT_AT bytes behind *ret. */
int trace_attach(int fd, TraceArea **ret);

/** Copies and validates, whoever wrote it: *ret_text is NUL-terminated, of printable UTF-8 with TAB
 * and newline, and the caller's to free. 0; -EBADMSG; -errno. */
int trace_read(int fd, TraceArea *ret, char **ret_text);
