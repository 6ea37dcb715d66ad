#pragma once

/* PHP as an Engine: the SAPI. */

#include "runtime/engine.h"

extern const Engine php_engine;
