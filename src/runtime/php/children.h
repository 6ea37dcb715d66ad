#pragma once

/*
 * The programs that a script has started and waits for. No PHP here.
 */

#include "base/macro.h"

/**
 * Kills all children of this process and theirs, as far as /proc tells of them (nothing without
 * one, below another root). Each is stopped before its own children are looked for, so that it
 * starts no more. Those that have left their parent are not found. Async-signal-safe.
 */
void children_kill(void);
