#pragma once

/*
 * REQUEST_BODY_FILE: a web server that has the body of a request in a file need not send it. The
 * name comes with the request, so it counts only below folders that the pool file names
 * (security.body_file_paths).
 */

#include "base/macro.h"

/**
 * Opens the regular file for reading. Returns the fd; -EPERM when it is not below one of the
 * folders, or a link or ".." is on the way from there; -EINVAL when it is no regular file; -errno.
 */
int body_open(const char *path, const char *const *folders, size_t n);
