#pragma once

/*
 * What a pool file asks of the pool's units: the settings of drop-ins for fpmd@POOL.socket,
 * fpmd-status@POOL.socket and fpmd@POOL.service. Nothing here asks systemd or reads a file; what
 * the shipped units have anyway is not asked for, so a pool file that fits them makes no drop-in.
 */

#include "base/buffer.h"
#include "conf/config.h"

/* LimitNOFILE= of the shipped services. */
#define UNIT_FILES_SOFT 16384
#define UNIT_FILES_HARD 524288

typedef enum UnitKind {
    UNIT_SOCKET,
    UNIT_STATUS_SOCKET,
    UNIT_SERVICE,
    _UNIT_KIND_MAX,
} UnitKind;

/* Whose systemd: the services of a user's have no sandbox to widen and can change no owner. */
typedef enum UnitScope {
    UNIT_SCOPE_SYSTEM,
    UNIT_SCOPE_USER,
} UnitScope;

/** "fpmd@www.socket", … A name of at most 255 bytes. */
void unit_name(UnitKind kind, const char *pool, char ret[static 256]);

/* The template of a unit, "fpmd@.socket". */
const char *unit_template(UnitKind kind);

typedef struct UnitSetting {
    UnitKind unit;
    const char *section;   /* "Socket", "Service", "Unit" */
    const char *name;      /* "ListenStream", … */
    char *value;           /* as in a unit file, quoted; "" takes back what a list had before */
    char *plain;           /* one path or address without quotes; NULL where value is that */
    const char *directive; /* of the pool file or php.ini, which asks for it */
} UnitSetting;

typedef struct UnitSettings {
    UnitSetting *items;
    size_t n;
} UnitSettings;

void unit_settings_done(UnitSettings *s);
#define _cleanup_unit_settings_ _cleanup_(unit_settings_done)

/**
 * What cannot be said in a unit file (a host name in listen, a path with a line break) is an error
 * added to issues, and what only needs a look a warning. 0, -EINVAL when there were such errors
 * (*ret has the rest), -ENOMEM (*ret is unchanged).
 */
int unit_settings_make(const PoolConfig *c, UnitScope scope, ConfigIssues *issues,
                       UnitSettings *ret);

/** Whether anything is asked of one unit. */
bool unit_settings_has(const UnitSettings *s, UnitKind kind);

/** The text of the drop-in of one unit; nothing when nothing is asked of it. 0 or -ENOMEM. */
int unit_write_dropin(Buffer *b, const PoolConfig *c, const UnitSettings *s, UnitKind kind);

/**
 * The numeric address of a listening address as systemd writes and shows it: "/run/a.sock",
 * "[::]:9000" for a port alone, "127.0.0.1:9000". 0 and a text to free; -EINVAL for a host name
 * other than localhost, for which there is no address; -ENOMEM.
 */
int unit_listen_address(const ListenAddress *a, char **ret);

/** Where the directive or setting of php.ini was given that a UnitSetting names. */
ConfigOrigin unit_directive_origin(const PoolConfig *c, const char *directive);

/** As config_issues_add_at(), for those. */
void unit_issue(ConfigIssues *issues, ConfigSeverity severity, const PoolConfig *c,
                const char *directive, const char *format, ...) _printf_(5, 6);

/** Appends a path for a setting that is a list of paths, escaped: systemd.syntax(7). It has no
 * control characters. 0 or -ENOMEM. */
int unit_escape_path(Buffer *b, const char *path);

/** Whether path is root or below it. Both are absolute. */
bool path_is_below(const char *path, const char *root);
