#pragma once

/*
 * Whether a property of a loaded unit is what a setting of a drop-in would make of it.
 */

#include "ctl/units.h"
#include "unit/wants.h"

typedef struct UnitView {
    Units *units;
    const char *name; /* of the unit */
} UnitView;

/** 1 yes, 0 no, or -errno. What has no row in its table is never so: a setting that nobody compares
 * would be taken to be there. ListenStream= is compared as a whole, see match_listen(). */
int match_setting(const UnitView *unit, const UnitSetting *s);

/** Whether the unit listens at these addresses and no others; *ret_has: its own, to be freed. As
 * match_setting(). */
int match_listen(const UnitView *unit, const ListenAddress *addresses, size_t n, char **ret_has);

/** Whether text has the word, with blanks or line breaks around it. */
bool match_word(const char *text, const char *word);

/** A property as units_read() has it; NULL and *ret_error when that failed. */
char *match_read(const UnitView *unit, const char *property, int *ret_error);
