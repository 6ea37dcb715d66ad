#pragma once

/*
 * The layer of Landlock that a generation lives in: what the pool file says of files, ports and
 * abstract sockets (sandbox/landlock.h). The template enters it before its language starts, so that
 * extensions and preloaded scripts are inside too; workers add one of their own each.
 */

#include "link/spec.h"
#include "runtime/engine.h"
#include "sandbox/landlock.h"

/** 0, or -errno and ret->text says what is wrong. */
int layer_enter(const RuntimeSpec *spec, const Engine *engine, LandlockOutcome *ret);
