#pragma once

/*
 * Units that run with settings of before: what is written counts from the next start on.
 */

#include "ctl/match.h"

/** Whether the unit was started before our drop-in of it was written. 1, 0 or -errno when systemd
 * did not answer. A unit without a drop-in, or that does not run, has none of before. */
int former_settings(const char *unit_dir, const UnitView *unit);
