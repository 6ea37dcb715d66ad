#pragma once

/*
 * The memory of another process of the same user: process_vm_readv(2), process_vm_writev(2). No
 * address that is found there is ever one of ours.
 */

#include "base/macro.h"

#include <sys/types.h>

/** Copies n bytes. 0; -ESRCH; -EPERM; -EFAULT: not all of them are there. */
int remote_copy(pid_t pid, const volatile void *address, void *to, size_t n);

/** Writes n bytes. As remote_copy(). */
int remote_store(pid_t pid, volatile void *address, const void *from, size_t n);

/* A window on it: whole pages, so that neighbours cost no system call, and a few at once where
 * somebody goes down a stack. Everything in it is as old as the first look at its page. */
typedef struct Remote Remote;

/** NULL: no memory. */
Remote *remote_new(pid_t pid);
Remote *remote_free(Remote *r);
DEFINE_CLEANUP(Remote, remote_free)

/** Looks anew from here on. */
void remote_forget(Remote *r);

/** Copies n bytes from an address of the other process. False: they are not there. */
bool remote_read(Remote *r, uint64_t address, void *to, size_t n);

/** System calls so far. */
unsigned remote_calls(const Remote *r);
