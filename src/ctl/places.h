#pragma once

/*
 * The folders that fpmctl works on when no option names others.
 */

#include "ctl/ctl.h"

#define UNIT_DIR "/etc/systemd/system"

/** Fills in what the options left out, from the environment or by whose pools they are. Returns -1,
 * or the exit status having said what is missing. */
int places_fill(Ctl *ctl);
