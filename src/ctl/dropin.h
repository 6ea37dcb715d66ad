#pragma once

/*
 * Our drop-ins of units as files: UNIT.d/50-pool-file.conf below a folder of units.
 */

#include "base/buffer.h"

/** The text of the drop-in; NULL when there is none. 0 or -errno. */
int dropin_read(const char *unit_dir, const char *unit, char **ret_text);

/** Writes the drop-in so that it is there as a whole or not at all, also after a crash. 0 or
 * -errno. */
int dropin_write(const char *unit_dir, const char *unit, const Buffer *text);

/** Removes the drop-in, and its folder when that is empty then. 0 or -errno. */
int dropin_remove(const char *unit_dir, const char *unit);

/** Appends a table row for each setting that two texts of a drop-in do not have alike; NULL: there
 * is none. 0 or -ENOMEM. */
int dropin_write_changes(Buffer *b, const char *pool, const char *unit, const char *was,
                         const char *is);

/** The heads of those rows. 0 or -ENOMEM. */
int dropin_write_head(Buffer *b);
