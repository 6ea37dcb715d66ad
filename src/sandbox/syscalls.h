#pragma once

/*
 * What the filters deny, as data. Private to sandbox/.
 */

#include "sandbox/sandbox.h"

/* A call that is denied whatever its arguments are. Names that this architecture or libseccomp does
 * not know are left out. */
typedef struct DeniedCall {
    const char *name;
    SeccompProfile from; /* SECCOMP_TEMPLATE: both profiles; SECCOMP_WORKER: that one only */
    int error;
} DeniedCall;

extern const DeniedCall denied_calls[];
extern const size_t n_denied_calls;

/* A call that is denied when (argument & mask) == value; masks have 32 bits, since the kernel
 * looks at no more of these arguments and would not see what differs above. */
typedef struct DeniedArgument {
    const char *name;
    SeccompProfile from;
    unsigned argument;
    uint32_t mask, value;
} DeniedArgument;

extern const DeniedArgument denied_arguments[];
extern const size_t n_denied_arguments;

/* Calls that may not name the template as their first argument. */
extern const char *const template_calls[];
extern const size_t n_template_calls;

/* All that the porter may call; everything else is denied with EPERM. */
extern const char *const porter_calls[];
extern const size_t n_porter_calls;

/* And these, when (argument & mask) == value; the masks have 64 bits. */
typedef struct AllowedArgument {
    const char *name;
    unsigned argument;
    uint64_t mask, value;
} AllowedArgument;

extern const AllowedArgument porter_arguments[];
extern const size_t n_porter_arguments;
