#pragma once

/*
 * Names and numbers of system calls, of x86_64 and of the machines with Linux's generic table
 * (aarch64 and all newer ones).
 */

#include "base/macro.h"

typedef struct SyscallNumber {
    const char *name;
    int x86_64, generic; /* -1: that machine does not have the call */
} SyscallNumber;

/* By name. */
extern const SyscallNumber syscall_numbers[];
extern const size_t n_syscall_numbers;

/** Its row in syscall_numbers, -ENOENT: no such call is known. */
int syscall_find(const char *name);

/** The number on this machine, -ENOENT: it has no such call or none is known. */
int syscall_to_number(const char *name);

/** The name of a number of this machine, NULL: none is known. */
const char *syscall_to_name(unsigned number);
