#pragma once

/* PHP as an Engine: the SAPI on libphp. */

#include "runtime/engine.h"

extern const Engine php_engine;
