#pragma once

/*
 * From a path to the file it means, by steps that other users of the machine cannot bend: a path
 * of the pool file is resolved with the rights of the pool's user at every start, and a worker that
 * was taken over must not be able to make it mean more the next time.
 */

#include "base/macro.h"

/**
 * Opens the absolute path below the folder root (O_PATH; close-on-exec); absolute links and ".."
 * stay in it. A link that this user owns, or that stands in a folder where this user could replace
 * it, is not followed, unless we are root. Returns the fd or -errno: -EKEYREJECTED: such a link,
 * which is then in ret_link; -ELOOP.
 */
int resolve_path(int root, const char *path, char *ret_link, size_t size);
