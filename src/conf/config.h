#pragma once

/*
 * What a pool file says, checked. Everything else reads this struct and never the file.
 *
 * Loading makes no system call beyond reading the file: whether the user exists, a path is there or
 * a listening address can be bound is checked by conf/verify.h. Strings belong to the PoolConfig.
 */

#include "base/macro.h"

#include <limits.h>
#include <string.h>
#include <sys/types.h>

typedef enum PoolMode {
    POOL_MODE_STATIC,
    POOL_MODE_DYNAMIC,
    POOL_MODE_ONDEMAND,
    _POOL_MODE_MAX,
} PoolMode;

const char *pool_mode_to_string(PoolMode mode);

/* Which list of allowed system calls is in force (src/syscall/). */
typedef enum SandboxSeccomp {
    SANDBOX_SECCOMP_STRICT,
    SANDBOX_SECCOMP_DEFAULT,
    SANDBOX_SECCOMP_OFF, /* no filter */
    _SANDBOX_SECCOMP_MAX,
} SandboxSeccomp;

/** "strict", "default", "off". */
const char *sandbox_seccomp_to_string(SandboxSeccomp profile);

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
 * (E_ALL & ~E_NOTICE), of flags "1" or "0", and that of
 * disable_functions and disable_classes names with commas between. */
typedef struct IniSetting {
    IniKind kind;
    char *key;
    char *text;
    const char *file; /* belongs to the PoolConfig */
    unsigned line;
    unsigned layer; /* 0: of the pool file and what it includes, then of each drop-in */
} IniSetting;

typedef struct EnvSetting {
    char *name;
    char *value;
    const char *file; /* belongs to the PoolConfig */
    unsigned line;
    unsigned layer; /* as that of IniSetting */
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
    bool is_numeric;     /* host is a number without an interface, or localhost: address is set */
    uint8_t address[16]; /* of IPv4: v4-mapped; no host: all zero */
} ListenAddress;

/* Clients from which TCP connections are taken: an address and how many of its leading bits count.
 * IPv4 is kept as v4-mapped IPv6, so that both spellings of a peer compare equal. */
typedef struct ClientRange {
    uint8_t address[16];
    unsigned n_bits; /* of 128 */
} ClientRange;

/** Whether an IPv6 address (IPv4: as v4-mapped) lies in the range. */
bool client_in_range(const ClientRange *range, const uint8_t address[static 16]);

typedef struct WordList {
    char **items;
    size_t n;
} WordList;

/* Where something was said. */
typedef struct ConfigOrigin {
    const char *file; /* belongs to the PoolConfig; NULL: nowhere, the default is in force */
    unsigned line;
} ConfigOrigin;

#define RLIMIT_KEEP      UINT64_MAX /* leave the limit alone */
#define RLIMIT_UNLIMITED (UINT64_MAX - 1)

#define PRIORITY_KEEP    INT_MAX /* leave the scheduling priority alone */

/* What the manager reads of it after a start has to be in a table of manager/state_fields.c as
 * well: a program that takes over has no file. */
typedef struct PoolConfig {
    char *name; /* instance name = pool name */
    char *path; /* the file; NULL for a configuration made in memory */

    char *user;  /* name or number; NULL: the manager's own (user mode, or User= of the unit) */
    char *group; /* name or number; NULL: the user's primary group */
    WordList supplementary_groups; /* besides those of the user database */
    char *prefix;                  /* before relative paths; completed already in what is below */
    char *chroot;                  /* NULL: none */
    char *chdir;                   /* below chroot where there is one */
    char *runtime;                 /* program in libexecdir/fpmd */

    ListenAddress *listen; /* only for --foreground without LISTEN_FDS; may be empty */
    size_t n_listen;
    int listen_backlog; /* -1: the kernel's maximum */
    char *listen_owner;
    char *listen_group;
    unsigned listen_mode;
    WordList listen_acl_users, listen_acl_groups;
    ClientRange *allowed_clients; /* NULL: all */
    size_t n_allowed_clients;

    PoolMode pm;
    unsigned pm_max_children;
    unsigned pm_start_servers;
    unsigned pm_min_spare_servers;
    unsigned pm_max_spare_servers;
    unsigned pm_max_spawn_rate;
    uint64_t pm_process_idle_timeout_usec;
    uint64_t pm_max_requests;       /* 0: never */
    uint64_t pm_max_memory_bytes;   /* resident; 0: no limit */
    uint64_t pm_max_lifetime_usec;  /* 0: no limit */
    uint64_t pm_start_timeout_usec; /* of a template, until its first workers serve */
    uint64_t idle_exit_usec;        /* 0: never; the default depends on pm */

    unsigned emergency_restart_threshold;     /* 0: never */
    uint64_t emergency_restart_interval_usec; /* 0: no limit of time */
    uint64_t request_terminate_timeout_usec;  /* 0: never */
    bool request_terminate_timeout_track_finished;
    uint64_t request_terminate_grace_usec; /* between asking and ending */
    uint64_t request_read_timeout_usec;    /* without a byte from the client; 0: never */
    uint64_t queue_timeout_usec;           /* 0: never */
    uint64_t process_control_timeout_usec; /* 0: no limit of our own for a drain, only the unit's */
    uint64_t rlimit_files;                 /* RLIMIT_KEEP, or the limit */
    uint64_t rlimit_core;                  /* RLIMIT_KEEP, RLIMIT_UNLIMITED, or bytes */
    int process_priority;                  /* -19…20, or PRIORITY_KEEP */
    bool process_dumpable; /* no: workers leave no core dump, whatever rlimit_core says */
    WordList unit_read_write_paths, unit_read_only_paths; /* what the service unit has to show */

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
    bool allow_php_value;     /* whether PHP_VALUE and PHP_ADMIN_VALUE of a request count */
    WordList body_file_paths; /* folders from which REQUEST_BODY_FILE may be taken */

    SandboxSeccomp sandbox_seccomp;
    WordList sandbox_syscalls;      /* "+@group", "-name", …, in their order */
    bool sandbox_exec;              /* scripts may start programs and fork */
    bool sandbox_report;            /* denied calls are recorded */
    bool sandbox_landlock_optional; /* without it in the kernel the four lists are passed over */
    /* What Landlock leaves; n = 0: not restricted. Paths of the pool (below chroot), each may have
     * "-" before it: it may be missing. The only word "none": nothing. */
    WordList sandbox_read, sandbox_write, sandbox_exec_paths;
    WordList sandbox_tcp_connect;  /* ports; the same */
    bool sandbox_abstract_sockets; /* workers may connect to those of others */
    bool sandbox_opcache_private;
    bool sandbox_retire_on_crash;
    uint64_t pm_worker_memory_max_bytes; /* of its cgroup, 0: none */
    unsigned pm_worker_tasks_max;        /* 0: none */
    uint64_t max_params_bytes;           /* of one request: names and values */
    unsigned max_params;                 /* their number */
    uint64_t first_byte_timeout_usec;    /* of a connection that has carried nothing; 0: never */

    char *status_path;            /* URI, NULL: none */
    ListenAddress *status_listen; /* sockets on which only status_path and ping_path are answered */
    size_t n_status_listen;
    char *ping_path; /* URI, NULL: none */
    char *ping_response;

    char *access_log;              /* path, or "journal"; NULL: none */
    char *access_format;           /* of access/format.h */
    WordList access_suppress;      /* URIs */
    char *slowlog;                 /* path of a file in PHP-FPM's form; NULL: the journal alone */
    uint64_t slowlog_timeout_usec; /* 0: never */
    unsigned slowlog_trace_depth;  /* frames at most */

    bool catch_workers_output; /* stdout and stderr of workers to the journal */
    int log_level;             /* syslog priority: records above it are not sent */

    ConfigOrigin section;  /* its first header; a line of 0: there is none */
    ConfigOrigin *origins; /* one per directive of conf/directives.h */
    char **texts; /* one per directive: the value as given, quotes and variables resolved; NULL: not
                     given, or an array */
    char **files; /* the names that origins and settings point to */
    size_t n_files;
    struct Gathered *gathered; /* of conf/gathered.h; NULL: the file has no arrays */
} PoolConfig;

/** A configuration with the defaults of every directive; pm and pm.max_children, which have none,
 * are static and 0. NULL: no memory. */
PoolConfig *pool_config_new(const char *name);

PoolConfig *pool_config_free(PoolConfig *c);
DEFINE_CLEANUP(PoolConfig, pool_config_free)

/** Where the directive was given last; a line of 0 when it was not. */
ConfigOrigin pool_config_origin(const PoolConfig *c, const char *directive);

/** The text, behind "FILE:LINE: " when it begins with a directive that was given ("sandbox.read:
 * …", "sandbox.read needs …"). What does not fit into size is cut off. */
void pool_config_place(const PoolConfig *c, const char *text, char *ret, size_t size);

/** Whether a list of the sandbox is the word none. */
static inline bool config_list_is_none(const WordList *list)
{
    return list->n == 1 && strcmp(list->items[0], "none") == 0;
}

/** Whether requests become records of the journal instead of lines of a file. */
static inline bool config_access_log_is_journal(const PoolConfig *c)
{
    return c->access_log && strcmp(c->access_log, "journal") == 0;
}

/** The value of a directive that was given, as a text; NULL when it was not. */
const char *pool_config_text(const PoolConfig *c, const char *directive);

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

/** As config_issues_add(), at the place where the directive was given; at the pool's section when
 * it was not. */
void config_issues_add_at(ConfigIssues *issues, ConfigSeverity severity, const PoolConfig *c,
                          const char *directive, const char *format, ...) _printf_(5, 6);

/** Whether a comes before b: by file, the one called first before all others, and line. Below 0, 0
 * or above 0 as of strcmp(3). */
int config_issue_compare(const ConfigIssue *a, const ConfigIssue *b, const char *first);

/** Sorts so; issues of the same line stay as they are. first may be NULL. */
void config_issues_sort(ConfigIssues *issues, const char *first);

/** "file:line: directive: text" of one issue; the caller frees; NULL: no memory. */
char *config_issue_to_string(const ConfigIssue *issue);

/**
 * Finds and reads the file of a pool: NAME.conf in the first of the folders (with ':' between, the
 * most important first) that has it, then the drop-ins NAME.conf.d/STEM.conf of all folders in the
 * order of their names; of those with the same name the one in the most important folder counts. A
 * drop-in begins in the section of the pool, and replaces what was said before it. A link to
 * /dev/null takes away the file or drop-in of less important folders.
 *
 * Returns and issues as config_load_to_check(); -ENOENT, with an error in issues, when there is no
 * such file.
 */
int config_load_pool(const char *folders, const char *name, ConfigIssues *issues,
                     PoolConfig **ret_config);

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

/** 0, or -EINVAL for a name that cannot be an instance: allowed are [A-Za-z0-9_.-], not starting
 * with the last two, 1…64 bytes. */
int config_check_pool_name(const char *name);
