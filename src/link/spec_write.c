#include "link/spec.h"

#include <arpa/inet.h>

static int put(Buffer *b, const char *key, const char *value)
{
    int r;

    if (!value)
        return 0;
    r = buffer_printf(b, "%s=%s", key, value);
    return r < 0 ? r : buffer_append(b, "", 1);
}

static int put_number(Buffer *b, const char *key, uint64_t value)
{
    int r = buffer_printf(b, "%s=%llu", key, (unsigned long long)value);

    return r < 0 ? r : buffer_append(b, "", 1);
}

static int put_client(Buffer *b, const ClientRange *range)
{
    char text[INET6_ADDRSTRLEN];
    int r;

    inet_ntop(AF_INET6, range->address, text, sizeof(text));
    r = buffer_printf(b, "allowed-client=%s/%u", text, range->n_bits);
    return r < 0 ? r : buffer_append(b, "", 1);
}

#define PUT(call)                                                                                  \
    do {                                                                                           \
        r = (call);                                                                                \
        if (r < 0)                                                                                 \
            return r;                                                                              \
    } while (0)

int spec_write_generation(Buffer *b, unsigned generation, unsigned moot,
                          const char *const *fd_names)
{
    int r;

    PUT(put(b, "fpmd-spec", "1"));
    PUT(put_number(b, "generation", generation));
    PUT(put_number(b, "moot", moot));
    for (; *fd_names; fd_names++)
        PUT(put(b, "fd", *fd_names));
    return 0;
}

static int put_words(Buffer *b, const char *key, const WordList *list)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < list->n; i++)
        r = put(b, key, list->items[i]);
    return r;
}

static int put_sandbox(Buffer *b, const PoolConfig *c)
{
    int r;

    PUT(put_number(b, "seccomp", c->sandbox_seccomp));
    PUT(put_words(b, "syscall", &c->sandbox_syscalls));
    PUT(put_number(b, "exec", c->sandbox_exec));
    PUT(put_number(b, "landlock-optional", c->sandbox_landlock_optional));
    PUT(put_words(b, "read-path", &c->sandbox_read));
    PUT(put_words(b, "write-path", &c->sandbox_write));
    PUT(put_words(b, "exec-path", &c->sandbox_exec_paths));
    PUT(put_words(b, "tcp-port", &c->sandbox_tcp_connect));
    PUT(put(b, "chroot", c->chroot));
    PUT(put_number(b, "abstract-sockets", c->sandbox_abstract_sockets));
    PUT(put_number(b, "opcache-private", c->sandbox_opcache_private));
    PUT(put_number(b, "max-params-size", c->max_params_bytes));
    PUT(put_number(b, "max-params", c->max_params));
    PUT(put_number(b, "first-byte-timeout", c->first_byte_timeout_usec));
    return 0;
}

int spec_write_setup(Buffer *b, const PoolConfig *c, const char *const *env)
{
    int r;

    PUT(put(b, "pool", c->name));
    PUT(put(b, "runtime", c->runtime));
    PUT(put_number(b, "log-level", (uint64_t)c->log_level));
    PUT(put_number(b, "max-requests", c->pm_max_requests));
    PUT(put_number(b, "max-memory", c->pm_max_memory_bytes));
    PUT(put_number(b, "terminate-timeout", c->request_terminate_timeout_usec));
    PUT(put_number(b, "terminate-track-finished", c->request_terminate_timeout_track_finished));
    PUT(put_number(b, "read-timeout", c->request_read_timeout_usec));
    PUT(put(b, "chdir", c->chdir));
    PUT(put(b, "php-ini", c->php_ini));
    PUT(put(b, "php-ini-scan-dir", c->php_ini_scan_dir));
    for (size_t i = 0; i < c->n_limit_extensions; i++)
        PUT(put(b, "limit-extension", c->limit_extensions[i]));
    PUT(put(b, "status-path", c->status_path));
    PUT(put(b, "ping-path", c->ping_path));
    PUT(put(b, "ping-response", c->ping_response));
    if (c->access_log) {
        PUT(put(b, "access-format", c->access_format));
        PUT(put_number(b, "access-journal", config_access_log_is_journal(c)));
        for (size_t i = 0; i < c->access_suppress.n; i++)
            PUT(put(b, "access-suppress", c->access_suppress.items[i]));
    }
    PUT(put_number(b, "allow-php-value", c->allow_php_value));
    for (size_t i = 0; i < c->body_file_paths.n; i++)
        PUT(put(b, "body-file-path", c->body_file_paths.items[i]));
    PUT(put_sandbox(b, c));
    for (size_t i = 0; i < c->n_allowed_clients; i++)
        PUT(put_client(b, &c->allowed_clients[i]));
    for (; *env; env++)
        PUT(put(b, "env", *env));
    for (size_t i = 0; i < c->n_ini; i++) {
        PUT(buffer_printf(b, "%s=%s=%s", ini_kind_to_string(c->ini[i].kind), c->ini[i].key,
                          c->ini[i].text));
        PUT(buffer_append(b, "", 1));
    }
    return 0;
}
#undef PUT

int spec_write(Buffer *b, const PoolConfig *c, unsigned generation, unsigned moot,
               const char *const *fd_names, const char *const *env)
{
    int r = spec_write_generation(b, generation, moot, fd_names);

    return r < 0 ? r : spec_write_setup(b, c, env);
}
