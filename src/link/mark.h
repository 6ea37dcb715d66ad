#pragma once

/*
 * Marks in the pipes of a worker's stdout and stderr: from here on lines belong to this request, or
 * to none. A worker writes one before its script does what may write there, and one at the end of
 * such a request; others cost nothing. The manager knows a mark by the key that the worker has
 * chosen and told with its HELLO: what a script passes on from a visitor cannot be one.
 *
 *   NUL "fpmd:" KEY [REQUEST_ID NUL REQUEST_URI] "\n"
 */

#include "base/macro.h"

#define MARK_PREFIX_SIZE 22 /* up to the key, 16 hex digits */
#define MARK_ID_MAX      256
#define MARK_URI_MAX     2048
#define MARK_MAX         (MARK_PREFIX_SIZE + MARK_ID_MAX + MARK_URI_MAX + 2) /* below PIPE_BUF */

void mark_prefix(uint64_t key, char ret[static MARK_PREFIX_SIZE]);

/** Writes a mark, texts cut; id NULL: of no request. Returns its size. */
size_t mark_format(uint64_t key, const char *id, const char *uri, char ret[static MARK_MAX]);

/**
 * Looks for a mark at the end of a line, without its "\n". Its offset or n; then what it says is in
 * *ret_id and *ret_uri, with the sizes beside them: within the line, NULL for no request.
 */
size_t mark_find(const char prefix[static MARK_PREFIX_SIZE], const char *line, size_t n,
                 const char **ret_id, size_t *ret_id_size, const char **ret_uri,
                 size_t *ret_uri_size);

/** Where a mark may begin whose end is still missing; n: nowhere. */
size_t mark_find_begun(const char prefix[static MARK_PREFIX_SIZE], const char *text, size_t n);
