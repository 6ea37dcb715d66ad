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
 * Serves until the manager says LEAVE or its life line ends, until max_requests or max_memory is
 * reached, or until a signal asks to leave; nothing that has arrived is lost then, see
 * runtime/leave.c. flags: LinkForkFlag. 0, or -errno when set-up failed.
 */
int serve(const RuntimeSpec *spec, const Engine *engine, BoardSlot *slot, int life_line,
          unsigned flags);
