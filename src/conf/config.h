#pragma once

/*
 * What a pool file says, checked. Everything else reads this struct and never the file.
 *
 * Loading makes no system call beyond reading the file: whether the user exists, a path is there or
 * a listening address can be bound is checked by conf/verify.h. Strings belong to the PoolConfig.
 */

#include "base/macro.h"

#include <sys/types.h>

typedef enum PoolMode {
    POOL_MODE_STATIC,
    POOL_MODE_DYNAMIC,
    POOL_MODE_ONDEMAND,
    _POOL_MODE_MAX,
} PoolMode;

const char *pool_mode_to_string(PoolMode mode);

typedef enum IniKind {
    INI_VALUE,       /* php_value: scripts may change it */
    INI_FLAG,        /* php_flag */
    INI_ADMIN_VALUE, /* php_admin_value: locked */
    INI_ADMIN_FLAG,  /* php_admin_flag */
    _INI_KIND_MAX,
} IniKind;

/** "php_value", … */
const char *ini_kind_to_string(IniKind kind);

/* One php_value[key] = text. The text of values is the raw one of the file, in PHP's own ini syntax
 * (E_ALL & ~E_NOTICE), of flags "1" or "0". */
typedef struct IniSetting {
    IniKind kind;
    char *key;
    char *text;
    const char *file; /* belongs to the PoolConfig */
    unsigned line;
} IniSetting;

typedef struct EnvSetting {
    char *name;
    char *value;
} EnvSetting;

typedef enum ListenKind {
    LISTEN_UNIX, /* path */
    LISTEN_TCP,  /* host (NULL: all, dual stack) and port */
} ListenKind;

typedef struct ListenAddress {
    ListenKind kind;
    char *text; /* as written */
    char *path;
    char *host;
    uint16_t port;
} ListenAddress;

/* Where something was said. */
typedef struct ConfigOrigin {
    const char *file; /* belongs to the PoolConfig; NULL: nowhere, the default is in force */
    unsigned line;
} ConfigOrigin;

#define RLIMIT_KEEP      UINT64_MAX /* leave the limit alone */
#define RLIMIT_UNLIMITED (UINT64_MAX - 1)

typedef struct PoolConfig {
    char *name; /* instance name = pool name */
    char *path; /* the file; NULL for a configuration made in memory */

    char *user;  /* name or number; NULL: the manager's own (user mode, or User= of the unit) */
    char *group; /* name or number; NULL: the user's primary group */
    char *chdir;
    char *runtime; /* program in libexecdir/fpmd */

    ListenAddress *listen; /* only for --foreground without LISTEN_FDS; may be empty */
    size_t n_listen;
    int listen_backlog; /* -1: the kernel's maximum */
    char *listen_owner;
    char *listen_group;
    unsigned listen_mode;

    PoolMode pm;
    unsigned pm_max_children;
    unsigned pm_start_servers;
    unsigned pm_min_spare_servers;
    unsigned pm_max_spare_servers;
    unsigned pm_max_spawn_rate;
    uint64_t pm_process_idle_timeout_usec;
    uint64_t pm_max_requests; /* 0: never */

    uint64_t process_control_timeout_usec; /* 0: no limit of our own for a drain, only the unit's */
    uint64_t rlimit_files;                 /* RLIMIT_KEEP, or the limit */
    uint64_t rlimit_core;                  /* RLIMIT_KEEP, RLIMIT_UNLIMITED, or bytes */

    bool clear_env;
    EnvSetting *env;
    size_t n_env;
    char *php_ini;          /* NULL: the runtime's choice */
    char *php_ini_scan_dir; /* NULL: the runtime's choice */
    /* In order of application, admin after plain. A key is there once in each class, the first of
     * the file, but for "extension" and "zend_extension": each of those is to be loaded. Texts of
     * repeated disable_functions and disable_classes are joined. */
    IniSetting *ini;
    size_t n_ini;
    char **limit_extensions; /* security.limit_extensions; n = 0: all allowed */
    size_t n_limit_extensions;

    bool catch_workers_output; /* stdout and stderr of workers to the journal */
    int log_level;             /* syslog priority: records above it are not sent */

    ConfigOrigin *origins; /* one per directive of conf/directives.h */
    char **files;          /* the names that origins and settings point to */
    size_t n_files;
} PoolConfig;

/** A configuration with the defaults of every directive; pm and pm.max_children, which have none,
 * are static and 0. NULL: no memory. */
PoolConfig *pool_config_new(const char *name);

PoolConfig *pool_config_free(PoolConfig *c);
DEFINE_CLEANUP(PoolConfig, pool_config_free)

/** Where the directive was given last; a line of 0 when it was not. */
ConfigOrigin pool_config_origin(const PoolConfig *c, const char *directive);

typedef enum ConfigSeverity {
    CONFIG_WARNING,
    CONFIG_ERROR,
} ConfigSeverity;

/* One thing found wrong. Complete sentence parts: "file:line: directive: what is wrong, what is
 * expected". */
typedef struct ConfigIssue {
    ConfigSeverity severity;
    char *file;
    unsigned line;   /* 0: concerns the whole file */
    char *directive; /* NULL: none */
    char *text;
} ConfigIssue;

typedef struct ConfigIssues {
    ConfigIssue *items; /* at most 1000; what comes after is only counted */
    size_t n;
    size_t n_errors;
} ConfigIssues;

void config_issues_done(ConfigIssues *issues);

/** Adds an issue. Running out of memory still counts the error. */
void config_issues_add(ConfigIssues *issues, ConfigSeverity severity, const char *file,
                       unsigned line, const char *directive, const char *format, ...)
    _printf_(6, 7);

/** As config_issues_add(), at the place where the directive was given. */
void config_issues_add_at(ConfigIssues *issues, ConfigSeverity severity, const PoolConfig *c,
                          const char *directive, const char *format, ...) _printf_(5, 6);

/** "file:line: directive: text" of one issue; the caller frees; NULL: no memory. */
char *config_issue_to_string(const ConfigIssue *issue);

/**
 * Reads the file and makes the configuration of the pool called name (its section [name];
 * directives before any section are global). All problems of the file are added to issues, not just
 * the first. Environment variables in ${NAME} come from this process.
 *
 * Returns 0 and *ret_config; -EINVAL when issues got errors; another -errno when the file could not
 * be read, which is added to issues too.
 */
int config_load(const char *path, const char *name, ConfigIssues *issues, PoolConfig **ret_config);

/**
 * As config_load(), but with errors in the file (-EINVAL) *ret_config is set too where the pool's
 * section was found: what is in force besides them, for the checks of conf/verify.h and nothing
 * else.
 */
int config_load_to_check(const char *path, const char *name, ConfigIssues *issues,
                         PoolConfig **ret_config);

/** As config_load(), from memory: text of n bytes; path is only for messages. Reads no file: an
 * include is an error. */
int config_parse(const char *text, size_t n, const char *path, const char *name,
                 ConfigIssues *issues, PoolConfig **ret_config);

/** 0, or -EINVAL for a name that cannot be an instance: allowed are [A-Za-z0-9_.], not starting
 * with a dot, 1…64 bytes. */
int config_check_pool_name(const char *name);
