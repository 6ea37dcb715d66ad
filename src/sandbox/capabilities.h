#pragma once

/*
 * The capability sets of this process by raw calls: no allocation, so that they work between fork
 * and exec. A set is a mask of 1 << CAP_*.
 */

#include "base/macro.h"

#include <linux/capability.h>

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

typedef struct CapabilitySets {
    uint64_t effective, permitted, inheritable;
} CapabilitySets;

/** 0 or -errno. */
int capabilities_get(CapabilitySets *ret);
int capabilities_set(const CapabilitySets *sets);

/** The highest capability that this kernel has. */
int capability_last(void);

/** The bounding and the ambient set. */
uint64_t capabilities_bounding(void);
uint64_t capabilities_ambient(void);

/** Removes every capability from the bounding set. Needs SETPCAP unless it is empty. 0 or -errno.
 */
int capabilities_drop_bounding(void);

/** Makes the ambient set exactly mask, which must be permitted and inheritable. 0 or -errno. */
int capabilities_set_ambient(uint64_t mask);
