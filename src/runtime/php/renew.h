#pragma once

/*
 * OPcache begins anew when a script says opcache_reset(), or when its memory is full or wasted. It
 * would do so in place, while nobody uses it, and until then compiles every script for every
 * request; who uses it for too long it kills. Here the manager is told instead (LINK_RENEW), and
 * replaces the generation, which has a cache of its own. With a cache for each worker
 * (runtime/php/cache.h) only opcache_reset() is told, since it means all of them.
 */

#include "base/macro.h"

/** After PHP has started. */
void renew_init(void);

/** At the end of a script, before PHP's shutdown of the request: looks, at most once a second,
 * whether OPcache waits for a restart. */
void renew_look(void);
