#pragma once

/*
 * What filters look at besides the names of calls (src/syscall/), as data: which arguments are
 * refused, and what the template needs that its workers do not get.
 */

#include "base/macro.h"

#define ARGUMENT_COMPARES_MAX 3

/* When a rule holds. */
typedef enum ArgumentWhen {
    ARGUMENT_ALWAYS,
    ARGUMENT_NO_EXEC,    /* sandbox.exec = no */
    ARGUMENT_TCP_PORTS,  /* sandbox.tcp_connect names ports: ways round Landlock's rules */
    ARGUMENT_UNSCOPED,   /* the kernel's Landlock does not keep signals in (before ABI 6) */
    ARGUMENT_TRUNCATING, /* Landlock has paths to keep from being written to, and does not know
                            truncate(2) (before ABI 3) */
    _ARGUMENT_WHEN_MAX,
} ArgumentWhen;

/* EQUAL looks at the low 32 bits, since the kernel looks at no more of these arguments and would
 * not see what differs above. NOT and ABOVE look at all 64, so that a value which differs only
 * above is refused. */
typedef enum ArgumentCompare {
    ARGUMENT_EQUAL, /* (argument & mask) == value */
    ARGUMENT_NOT,
    ARGUMENT_ABOVE,
} ArgumentCompare;

/* A call that is refused with EPERM when all comparisons hold; n = 0: always. */
typedef struct ArgumentRule {
    const char *call;
    ArgumentWhen when;
    bool worker;  /* only in the stage of workers, since the template needs it, or since innocent
                     programs try it too often to be told of */
    bool pretend; /* instead of EPERM it says success, and does nothing */
    const char *unless; /* not when this call is allowed; NULL: no such exception */
    const char *reason;
    size_t n;
    struct {
        unsigned argument;
        ArgumentCompare compare;
        uint32_t value, mask;
    } compares[ARGUMENT_COMPARES_MAX];
} ArgumentRule;

extern const ArgumentRule argument_rules[];
extern const size_t n_argument_rules;

/** What is refused of a call with these arguments, whether or not the rule is in force; NULL:
 * nothing. */
const char *argument_find_reason(const char *call, const uint64_t arguments[static 6]);

/* Calls that the template may make and its workers only if they are allowed to them. */
extern const char *const template_calls[];
extern const size_t n_template_calls;

/* Calls that workers may not make with the template or the manager as their first argument. */
extern const char *const aimed_calls[];
extern const size_t n_aimed_calls;

/* All that the porter may call; everything else is denied with EPERM. */
extern const char *const porter_calls[];
extern const size_t n_porter_calls;

/* And these, when (argument & mask) == value; the masks have 64 bits. */
typedef struct AllowedArgument {
    const char *call;
    unsigned argument;
    uint64_t mask, value;
} AllowedArgument;

extern const AllowedArgument porter_arguments[];
extern const size_t n_porter_arguments;
