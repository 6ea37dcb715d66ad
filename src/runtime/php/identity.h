#pragma once

/*
 * What PHP says about itself. It is built for command lines or for the embed SAPI: where that
 * differs from PHP-FPM in what scripts and phpinfo() see, PHP-FPM's way is made true here.
 */

#include "base/macro.h"

/** Before PHP starts. folder: where php.ini is looked for (/etc/php/8.2/fpm), or NULL: as PHP has
 * it. Borrowed. */
void identity_init(const char *folder);

/** When the SAPI's module starts: before a script may be preloaded, and compiled with the handlers
 * of functions in it. */
void identity_set_constants(void);
void identity_set_functions(void);

/** "PHP 8.2.30", of the PHP that runs. */
const char *identity_version(void);

/** phpinfo() of everything as output of the request that runs. */
void identity_print_info(void);
