#pragma once

/*
 * The loop of a worker: listeners, hand-over socket, life line and held connections in one epoll.
 *
 * The listeners are registered EPOLLEXCLUSIVE: one waiting worker is woken per connection, the
 * earliest registered first, so that hot workers stay hot. A connection that is not ready for work
 * (kept alive, or a head half sent) is held and costs nothing but its memory.
 */

#include "board/slot.h"
#include "runtime/engine.h"

/**
 * Serves until the life line closes, max_requests is reached or a signal asks to leave. for_status:
 * not the listeners of the pool but those of pm.status_listen. 0, or -errno when set-up failed.
 */
int serve(const RuntimeSpec *spec, const Engine *engine, BoardSlot *slot, int life_line,
          bool for_status);
