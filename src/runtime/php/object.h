#pragma once

/* Programs and libraries as the dynamic linker has loaded them (dl_iterate_phdr(3)). */

#include "base/macro.h"

#include <link.h>
#include <stdint.h>

/** Whether one of its segments contains the address. */
bool object_has_address(const struct dl_phdr_info *object, uintptr_t address);
