#pragma once

/*
 * What the files of the control socket share.
 */

#include "link/control.h"

typedef struct ControlPeer ControlPeer;

/** Replies, with a copy of fd unless it is negative. A peer that does not read its replies loses
 * them: nobody holds up the manager. */
void control_peer_reply(ControlPeer *peer, int result, const char *text, int fd);

/* ---- control_orders.c: orders about one worker, and about files ---- */

bool control_is_order(uint32_t verb);

/** Carries an order out for a peer who may; false: it is none. */
bool control_order(ControlPeer *peer, const ControlRequest *request);
