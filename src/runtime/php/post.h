#pragma once

#include "runtime/php/php.h"

/** Puts our reading of large bodies in place of PHP's; after start-up. */
void post_init(void);

/** Whether the web server says that it has the body in a file (REQUEST_BODY_FILE). It is opened
 * then: body_fd stays negative, with a warning, where it may not be. */
bool post_is_in_file(PhpRequest *r);
