#pragma once

/*
 * Another program file takes over. Part of manager/manager.h.
 */

#include "manager/manager.h"

/* ---- reexec.c, state.c: another program file takes over ---- */

/** Executes the program file anew, if that one says that it can take over. With reload_after the
 * new one reloads then; without it, peers of CONTROL_REEXEC get the outcome. */
void reexec_ask(Manager *m, bool reload_after);

/** The next step, as far as it can be done now; from settle. It may execute the other program. */
void reexec_step(Manager *m);

/** Whether the program file is not the one that runs. */
bool reexec_is_due(const Manager *m);

/** Whether pid was the one that checks the state; goes on with the outcome. */
bool reexec_on_exit(Manager *m, pid_t pid, int code, int status);
void reexec_done(Manager *m);

/** In the new program, as a child of the old one: whether the state in fd can be taken over. An
 * exit status. */
int reexec_check(int fd);

/** In the new program: the manager as it was, which goes on with manager_run(). 0 or -errno
 * (logged). */
int manager_restore(const ManagerOptions *options, const Privileges *privileges, int fd,
                    Manager **ret);
