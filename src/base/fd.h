#pragma once

/*
 * File descriptors: owning, passing, reading whole files. fds start at -1.
 */

#include "base/macro.h"

#include <sys/types.h>

/** Closes fd unless negative, keeps errno, returns -1 so that "fd = fd_close(fd)" resets the owner.
 */
int fd_close(int fd);

static inline void fd_closep(int *fd)
{
    *fd = fd_close(*fd);
}
#define _cleanup_fd_ _cleanup_(fd_closep)

/** Sets or clears O_NONBLOCK. It belongs to the open file description: all holders see it. 0 or
 * -errno. */
int fd_set_nonblock(int fd, bool on);

/** Sets or clears FD_CLOEXEC. 0 or -errno. */
int fd_set_cloexec(int fd, bool on);

/** Closes every descriptor >= first (close_range(2), Linux 5.9). 0 or -errno. */
int fd_close_from(int first);

/**
 * Reads a whole file into a NUL-terminated buffer that the caller frees. -EFBIG beyond max_bytes.
 * ret_size (may be NULL) counts bytes without the NUL.
 */
int fd_read_file(const char *path, size_t max_bytes, char **ret_text, size_t *ret_size);

/** Reads fd from offset 0 to its end (a memfd or a regular file), as fd_read_file(). */
int fd_read_all(int fd, size_t max_bytes, char **ret_text, size_t *ret_size);

/**
 * Makes an anonymous file with the given content, sealed against every change (F_SEAL_WRITE,
 * SHRINK, GROW, SEAL). Returns the fd (close-on-exec) or -errno.
 */
int fd_make_sealed(const char *name, const void *data, size_t n);

/** Whether fd is a memfd of exactly size bytes with all of these seals (F_SEAL_…, fcntl(2)), so
 * that its pages stay while they are mapped. 0, -EBADMSG or -errno. */
int fd_check_sealed(int fd, int seals, size_t size);

/**
 * Puts the n descriptors fds[] at first, first+1, … in this order, without close-on-exec, whatever
 * their numbers were, and closes every other descriptor >= first. For the child between fork and
 * exec. 0 or -errno.
 */
int fd_arrange(int *fds, size_t n, int first);
