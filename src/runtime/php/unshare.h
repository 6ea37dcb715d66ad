#pragma once

/*
 * Shared memory of this process becomes its own: the same bytes at the same addresses with the same
 * rights, but nothing that is written afterwards is seen by others, and children share pages only
 * until one of the two writes (fork(2)). Pages that were never touched stay untouched.
 */

#include "base/macro.h"

/**
 * Does so with each shared mapping that one of the words points into, and with the neighbours that
 * are parts of the same memory. Words may be anything, pointers or not. Returns the bytes that are
 * private now; -errno: nothing more may be done with that memory, the process has to end.
 */
int64_t unshare_memory(const uintptr_t *words, size_t n);
