#pragma once

/*
 * The spec that a runtime program receives: a sealed memfd as fd 3, texts "key=value" each ended by
 * a NUL byte, the first one "fpmd-spec=1". Keys may repeat; unknown keys are ignored.
 * docs/runtime-protocol.md has the list.
 *
 * The runtime's other descriptors follow as fd 4, 5, …; the key "fd" names them in that order:
 * link, handover, park, journal or log (may be absent), access and report (may be absent), listen
 * (any number).
 * The porter has a spec too, with slot, repark, status (any number) and history (may be absent)
 * besides, where handover and park are the other ends.
 */

#include "base/buffer.h"
#include "conf/config.h"
#include "conf/verify.h"

#define SPEC_FD        3
#define SPEC_MAX_BYTES (4 * 1024 * 1024)

typedef struct RuntimeSpec {
    char *text; /* the whole memfd; everything below points into it */
    const char *pool;
    const char *runtime;
    unsigned generation;
    uint64_t max_requests;
    uint64_t max_memory_bytes;       /* resident, 0: no limit */
    uint64_t terminate_timeout_usec; /* of a request, 0: never */
    bool terminate_track_finished;   /* it goes on after the end of the answer */
    uint64_t read_timeout_usec;      /* without a byte of an incomplete request, 0: never */
    const char *chdir;               /* NULL: none */
    const char *php_ini;             /* NULL: the runtime's choice */
    const char *php_ini_scan_dir;
    const char **limit_extensions;
    size_t n_limit_extensions;
    const char *status_path, *ping_path; /* URIs, NULL: none */
    const char *ping_response;
    const char *access_format;    /* of access/format.h; NULL: requests leave no records */
    bool access_journal;          /* they are records of the journal, else lines of access_fd */
    const char **access_suppress; /* URIs that leave none */
    size_t n_access_suppress;
    bool allow_php_value;         /* PHP_VALUE and PHP_ADMIN_VALUE of requests count */
    const char **body_file_paths; /* folders from which REQUEST_BODY_FILE may be taken */
    size_t n_body_file_paths;
    ClientRange *allowed_clients; /* of TCP connections; n = 0: all */
    size_t n_allowed_clients;
    unsigned seccomp;      /* SandboxSeccomp */
    const char **syscalls; /* "+@group", "-name", … */
    size_t n_syscalls;
    bool exec; /* workers may start programs */
    bool landlock_optional;
    /* As in PoolConfig: n = 0: not restricted, the only word "none": nothing. */
    const char **read_paths, **write_paths, **exec_paths, **tcp_ports;
    size_t n_read_paths, n_write_paths, n_exec_paths, n_tcp_ports;
    const char *chroot; /* where those paths begin before the root is changed; NULL: none */
    bool abstract_sockets;
    bool opcache_private;
    uint64_t max_params_bytes;
    uint64_t max_params;
    uint64_t first_byte_timeout_usec; /* 0: never */
    const char **env;                 /* "NAME=value", the whole environment of workers */
    size_t n_env;
    IniKind *ini_kinds;
    const char **ini_keys, **ini_texts;
    size_t n_ini;
    int log_level;
    /* descriptors by name */
    int link_fd;
    int handover_fd;
    int park_fd;    /* -1: none, connections cannot be given away */
    int repark_fd;  /* porter only: to give connections to the next porter */
    int slot_fd;    /* porter only */
    int journal_fd; /* -1: log lines to log_fd */
    int log_fd;     /* -1: none, log to stderr */
    int access_fd;  /* the file of access.log, -1: none */
    int report_fd;  /* the listener of denied calls goes there; -1: they are not reported */
    int history_fd; /* porter only: of status/history.h, for writing, -1: none */
    int *listen_fds;
    size_t n_listen_fds;
    int *status_fds; /* porter only: listeners for status_path and ping_path */
    size_t n_status_fds;
    unsigned moot; /* bits of BoardMoot that the manager already knows */
} RuntimeSpec;

/**
 * Writes the spec of a pool's generation. fd_names (NULL ends) are the names of fd 4, 5, …; env is
 * the final environment. 0 or -ENOMEM.
 */
int spec_write(Buffer *b, const PoolConfig *c, unsigned generation, unsigned moot,
               const char *const *fd_names, const char *const *env);

/**
 * Its two parts: what belongs to a generation and comes first, and what only depends on the pool
 * file and stays the same when a template is replaced. 0 or -ENOMEM.
 */
int spec_write_generation(Buffer *b, unsigned generation, unsigned moot,
                          const char *const *fd_names);
int spec_write_setup(Buffer *b, const PoolConfig *c, const char *const *env);

/** Reads and checks the spec. 0; -EBADMSG with *ret_error (static text); -errno. */
int spec_read(int fd, RuntimeSpec *ret, const char **ret_error);

/** The same for who serves nobody: descriptors may be missing. */
int spec_read_settings(int fd, RuntimeSpec *ret, const char **ret_error);

void spec_done(RuntimeSpec *spec);
