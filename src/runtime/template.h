#pragma once

/*
 * The template: the started language, from which workers are forked on the manager's order. It
 * never touches a connection and ends when the manager's end of the link closes.
 */

#include "runtime/engine.h"

/** Serves the link until it closes; notes in the spec what of the sandbox this kernel cannot do.
 * Returns the exit status of the process. */
int template_run(RuntimeSpec *spec, const Engine *engine);
