#pragma once

/*
 * The texts that are made from the table of directives. Not part of any daemon.
 */

#include "base/buffer.h"

/** conf.d/www.conf: every directive with its sentence, its fate, and its default or an example. 0
 * or -ENOMEM. */
int generate_pool(Buffer *b);

/** The directives of fpmd.conf(5), in mdoc(7). 0 or -ENOMEM. */
int generate_manual(Buffer *b);
