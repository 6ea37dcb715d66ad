#pragma once

/*
 * The spec that a runtime program receives: a sealed memfd as fd 3, texts "key=value" each ended by
 * a NUL byte, the first one "fpmd-spec=1". Keys may repeat; unknown keys are ignored.
 * docs/runtime-protocol.md has the list.
 *
 * The runtime's other descriptors follow as fd 4, 5, …; the key "fd" names them in that order:
 * link, handover, journal or log (may be absent), listen (any number), status (any number).
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
    const char *chdir;   /* NULL: none */
    const char *php_ini; /* NULL: the runtime's choice */
    const char *php_ini_scan_dir;
    const char **limit_extensions;
    size_t n_limit_extensions;
    const char *status_path, *ping_path; /* URIs, NULL: none */
    const char *ping_response;
    bool allow_php_value;         /* PHP_VALUE and PHP_ADMIN_VALUE of requests count */
    const char **body_file_paths; /* folders from which REQUEST_BODY_FILE may be taken */
    size_t n_body_file_paths;
    ClientRange *allowed_clients; /* of TCP connections; n = 0: all */
    size_t n_allowed_clients;
    const char **env; /* "NAME=value", the whole environment of workers */
    size_t n_env;
    IniKind *ini_kinds;
    const char **ini_keys, **ini_texts;
    size_t n_ini;
    int log_level;
    /* descriptors by name */
    int link_fd;
    int handover_fd;
    int journal_fd; /* -1: log lines to log_fd */
    int log_fd;     /* -1: none, log to stderr */
    int *listen_fds;
    size_t n_listen_fds;
    int *status_fds; /* listeners for status_path and ping_path only */
    size_t n_status_fds;
    unsigned moot; /* bits of BoardMoot that the manager already knows */
} RuntimeSpec;

/**
 * Writes the spec of a pool's generation. fd_names (NULL ends) are the names of fd 4, 5, …; env is
 * the final environment. 0 or -ENOMEM.
 */
int spec_write(Buffer *b, const PoolConfig *c, unsigned generation, unsigned moot,
               const char *const *fd_names, const char *const *env);

/** Reads and checks the spec. 0; -EBADMSG with *ret_error (static text); -errno. */
int spec_read(int fd, RuntimeSpec *ret, const char **ret_error);

void spec_done(RuntimeSpec *spec);
