#pragma once

/*
 * Landlock allows files, not names: what sandbox.read, sandbox.write and sandbox.exec_paths allow
 * was there when the generation began. A file of the lists (or of what every pool needs, as
 * /etc/resolv.conf) that another is moved in the place of, a link that is made to lead elsewhere,
 * or a path that appears later counts for a new generation only. So the folders of such names are
 * watched, and a change brings one. Folders keep what they allow whatever comes and goes in them.
 *
 * Folders in which the user of the pool can replace names are not watched: a worker that was taken
 * over could move a file there that it may not read, and have a generation that may at once. What
 * is there when an administrator reloads is the administrator's word.
 */

#include "manager/manager.h"

typedef struct Replaced Replaced;

/** Watches the names that matter to the current generation, unless it does already. What cannot be
 * watched is passed over. */
void replaced_look(Manager *m);

Replaced *replaced_free(Replaced *r);
