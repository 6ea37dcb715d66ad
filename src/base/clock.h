#pragma once

/*
 * Clocks, in microseconds. Only loops and programs read them; what decides gets "now" as an
 * argument.
 */

#include "base/macro.h"

#include <time.h>

static inline uint64_t clock_usec(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

static inline uint64_t clock_monotonic_usec(void)
{
    return clock_usec(CLOCK_MONOTONIC);
}

static inline uint64_t clock_realtime_usec(void)
{
    return clock_usec(CLOCK_REALTIME);
}
