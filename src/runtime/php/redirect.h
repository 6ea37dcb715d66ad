#pragma once

/*
 * The calls that one loaded library makes of a function of another, such as libc, led to one of
 * ours: its own relocation of that name is written anew. Defining the function in the program is no
 * way, since PHP loads extensions with RTLD_DEEPBIND (dlopen(3)), which finds libc's first.
 */

#include "base/macro.h"

#include <stdint.h>

/** In the library that contains the address code, for calls of any of names (NULL at the end): all
 * names of one function, of one signature. The number of relocations, 0 where there is none;
 * -errno. The library's pages are as protected as before. For 64 bit (RELA relocations, as elf(5)
 * has them).
 */
int redirect_calls(uintptr_t code, const char *const names[], uintptr_t function);
