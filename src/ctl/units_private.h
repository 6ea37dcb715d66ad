#pragma once

/*
 * The connection to systemd. Between units.c and properties.c only.
 */

#include "base/macro.h"

#include <systemd/sd-bus.h>

#define UNITS_MANAGER "org.freedesktop.systemd1"
#define UNITS_PATH    "/org/freedesktop/systemd1/unit"

#define TIMEOUT_USEC  (5 * USEC_PER_SEC)

struct Units {
    sd_bus *bus;
    sd_bus_message *answer; /* the properties of a unit; NULL: none yet */
    char answer_unit[256];
};
