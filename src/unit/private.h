#pragma once

/*
 * Between the files of unit/: making lists of settings. Inside of unit/ only.
 */

#include "unit/wants.h"

/** Takes plain over as the value, escaped: systemd.syntax(7). special: what is to be escaped with a
 * backslash besides quotes and backslashes. 0, -ENOMEM (plain is freed in any case). */
int settings_add(UnitSettings *s, UnitKind unit, const char *section, const char *name,
                 const char *directive, const char *format, ...) _printf_(6, 7);

/** As settings_add(), of a text that is a single word of a unit file. special: as of unit_escape().
 */
int settings_add_word(UnitSettings *s, UnitKind unit, const char *section, const char *name,
                      const char *directive, const char *prefix, const char *word,
                      const char *special);

/** Appends a word for a unit file: '%' is doubled, and a backslash put before characters of
 * special. 0 or -ENOMEM. */
int unit_escape(Buffer *b, const char *word, const char *special);

/* Lists of paths: blanks divide, quotes and backslashes have their meaning. */
#define SPECIAL_PATHS " \"'\\"
/* BindPaths= has source:destination besides. */
#define SPECIAL_BINDS SPECIAL_PATHS ":"

/** Whether a text can stand in a unit file at all: it has no control characters. */
bool unit_can_say(const char *text);

int socket_settings_make(const PoolConfig *c, UnitScope scope, ConfigIssues *issues,
                         UnitSettings *s);
int service_settings_make(const PoolConfig *c, UnitScope scope, ConfigIssues *issues,
                          UnitSettings *s);

/** What the unit has to allow for sandbox.syscalls and sandbox.report. 0 or -ENOMEM. */
int call_settings_make(const PoolConfig *c, UnitSettings *s);

/* A path that the pool file names and what for. */
typedef struct PathWant {
    char *path; /* absolute, without "." and ".." and double slashes */
    bool write;
    const char *directive;
} PathWant;

typedef struct PathWants {
    PathWant *items;
    size_t n;
} PathWants;

void path_wants_done(PathWants *wants);

/** The paths in the order of their names; none that another one covers. 0, or -ENOMEM. */
int path_wants_make(const PoolConfig *c, ConfigIssues *issues, PathWants *ret);
