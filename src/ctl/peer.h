#pragma once

/*
 * Who is at the other end of a control socket. With User= of the service its folder belongs to the
 * pool's user, so that a script can put a socket of its own there.
 */

#include "ctl/ctl.h"

/** Whether the manager of the pool listens there; asks systemd. False having said why not. */
bool peer_is_manager(const Ctl *ctl, const char *pool, int fd);

/** The same without systemd. main_pid: of the service; 0: it does not run; -1: nobody could tell.
 * dir_owner: of the folder of the socket. */
bool peer_may_be_manager(pid_t pid, uid_t uid, pid_t main_pid, uid_t dir_owner);

/** Whether systemd runs it: the peer is the main process of the pool's service. */
bool peer_is_of_unit(const Ctl *ctl, const char *pool, int fd);
