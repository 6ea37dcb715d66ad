#pragma once

/*
 * What an administrator asks PHP outside of any request: phpinfo(), extensions, version, as
 * "php-fpm -i", "-m" and "-v" tell it.
 */

#include "runtime/engine.h"

/** PHP has started. Writes to stdout; an exit status. */
int tell(EngineTopic topic);
