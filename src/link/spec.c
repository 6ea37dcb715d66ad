#include "link/spec.h"

#include "base/fd.h"
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

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
    PUT(put_number(b, "allow-php-value", c->allow_php_value));
    for (size_t i = 0; i < c->body_file_paths.n; i++)
        PUT(put(b, "body-file-path", c->body_file_paths.items[i]));
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

/* Room for one more element of a growing array; doubles at powers of two. */
static int grow(void *array, size_t n, size_t element)
{
    void **p = array;
    void *grown;

    if ((n & (n - 1)) != 0)
        return 0;
    grown = reallocarray(*p, n ? n * 2 : 1, element);
    if (!grown)
        return -ENOMEM;
    *p = grown;
    return 0;
}

static int add_text(const char ***list, size_t *n, const char *value)
{
    int r = grow(list, *n, sizeof(char *));

    if (r < 0)
        return r;
    (*list)[(*n)++] = value;
    return 0;
}

static int add_ini(RuntimeSpec *s, IniKind kind, char *setting)
{
    char *value = strchr(setting, '=');
    int r;

    if (!value)
        return -EBADMSG;
    *value++ = 0;
    r = grow(&s->ini_kinds, s->n_ini, sizeof(IniKind));
    if (r == 0)
        r = grow(&s->ini_keys, s->n_ini, sizeof(char *));
    if (r == 0)
        r = grow(&s->ini_texts, s->n_ini, sizeof(char *));
    if (r < 0)
        return r;
    s->ini_kinds[s->n_ini] = kind;
    s->ini_keys[s->n_ini] = setting;
    s->ini_texts[s->n_ini++] = value;
    return 0;
}

static int add_fd(RuntimeSpec *s, int number, const char *name)
{
    int r;

    if (fcntl(number, F_GETFD) < 0)
        return -EBADMSG;
    if (strcmp(name, "link") == 0)
        s->link_fd = number;
    else if (strcmp(name, "handover") == 0)
        s->handover_fd = number;
    else if (strcmp(name, "park") == 0)
        s->park_fd = number;
    else if (strcmp(name, "repark") == 0)
        s->repark_fd = number;
    else if (strcmp(name, "slot") == 0)
        s->slot_fd = number;
    else if (strcmp(name, "journal") == 0)
        s->journal_fd = number;
    else if (strcmp(name, "log") == 0)
        s->log_fd = number;
    else if (strcmp(name, "listen") == 0) {
        r = grow(&s->listen_fds, s->n_listen_fds, sizeof(int));
        if (r < 0)
            return r;
        s->listen_fds[s->n_listen_fds++] = number;
    } else if (strcmp(name, "status") == 0) {
        r = grow(&s->status_fds, s->n_status_fds, sizeof(int));
        if (r < 0)
            return r;
        s->status_fds[s->n_status_fds++] = number;
    }
    /* A descriptor of an unknown name is of a later version: kept open, not used. */
    return 0;
}

static int read_number(const char *text, uint64_t max, uint64_t *ret)
{
    return parse_u64(text, 0, max, ret) < 0 ? -EBADMSG : 0;
}

static int add_client(RuntimeSpec *s, char *text)
{
    char *slash = strchr(text, '/');
    ClientRange range;
    uint64_t n_bits;
    int r;

    if (!slash)
        return -EBADMSG;
    *slash = 0;
    if (inet_pton(AF_INET6, text, range.address) != 1 || read_number(slash + 1, 128, &n_bits) < 0)
        return -EBADMSG;
    range.n_bits = (unsigned)n_bits;
    r = grow(&s->allowed_clients, s->n_allowed_clients, sizeof(ClientRange));
    if (r < 0)
        return r;
    s->allowed_clients[s->n_allowed_clients++] = range;
    return 0;
}

static int take_key(RuntimeSpec *s, char *key, char *value, int *next_fd)
{
    uint64_t number;
    int r;

    for (IniKind kind = 0; kind < _INI_KIND_MAX; kind++)
        if (strcmp(key, ini_kind_to_string(kind)) == 0)
            return add_ini(s, kind, value);
    if (strcmp(key, "pool") == 0)
        s->pool = value;
    else if (strcmp(key, "runtime") == 0)
        s->runtime = value;
    else if (strcmp(key, "generation") == 0) {
        r = read_number(value, UINT_MAX, &number);
        if (r < 0)
            return r;
        s->generation = (unsigned)number;
    } else if (strcmp(key, "moot") == 0) {
        r = read_number(value, UINT_MAX, &number);
        if (r < 0)
            return r;
        s->moot = (unsigned)number;
    } else if (strcmp(key, "log-level") == 0) {
        r = read_number(value, 7, &number);
        if (r < 0)
            return r;
        s->log_level = (int)number;
    } else if (strcmp(key, "max-requests") == 0)
        return read_number(value, UINT64_MAX, &s->max_requests);
    else if (strcmp(key, "max-memory") == 0)
        return read_number(value, UINT64_MAX, &s->max_memory_bytes);
    else if (strcmp(key, "terminate-timeout") == 0)
        return read_number(value, UINT64_MAX, &s->terminate_timeout_usec);
    else if (strcmp(key, "terminate-track-finished") == 0)
        s->terminate_track_finished = strcmp(value, "0") != 0;
    else if (strcmp(key, "read-timeout") == 0)
        return read_number(value, UINT64_MAX, &s->read_timeout_usec);
    else if (strcmp(key, "chdir") == 0)
        s->chdir = value;
    else if (strcmp(key, "php-ini") == 0)
        s->php_ini = value;
    else if (strcmp(key, "php-ini-scan-dir") == 0)
        s->php_ini_scan_dir = value;
    else if (strcmp(key, "limit-extension") == 0)
        return add_text(&s->limit_extensions, &s->n_limit_extensions, value);
    else if (strcmp(key, "status-path") == 0)
        s->status_path = value;
    else if (strcmp(key, "ping-path") == 0)
        s->ping_path = value;
    else if (strcmp(key, "ping-response") == 0)
        s->ping_response = value;
    else if (strcmp(key, "allow-php-value") == 0)
        s->allow_php_value = strcmp(value, "0") != 0;
    else if (strcmp(key, "body-file-path") == 0)
        return add_text(&s->body_file_paths, &s->n_body_file_paths, value);
    else if (strcmp(key, "allowed-client") == 0)
        return add_client(s, value);
    else if (strcmp(key, "env") == 0)
        return add_text(&s->env, &s->n_env, value);
    else if (strcmp(key, "fd") == 0)
        return add_fd(s, (*next_fd)++, value);
    return 0;
}

static int spec_parse(RuntimeSpec *s, size_t size, const char **ret_error)
{
    int next_fd = SPEC_FD + 1;

    if (size == 0 || s->text[size - 1] != 0 || strcmp(s->text, "fpmd-spec=1") != 0) {
        *ret_error = "not a spec of version 1";
        return -EBADMSG;
    }
    for (char *p = s->text, *end = s->text + size; p < end;) {
        char *next = p + strlen(p) + 1;
        char *value = strchr(p, '=');
        int r;

        if (!value) {
            *ret_error = "an entry without '='";
            return -EBADMSG;
        }
        *value++ = 0;
        r = take_key(s, p, value, &next_fd);
        if (r < 0) {
            *ret_error = r == -EBADMSG ? "an entry with a bad value" : "out of memory";
            return r;
        }
        p = next;
    }
    if (!s->pool || s->link_fd < 0 || s->handover_fd < 0 || s->n_listen_fds == 0) {
        *ret_error = "pool, link, handover or listen is missing";
        return -EBADMSG;
    }
    return 0;
}

int spec_read(int fd, RuntimeSpec *ret, const char **ret_error)
{
    RuntimeSpec s = {.link_fd = -1,
                     .handover_fd = -1,
                     .park_fd = -1,
                     .repark_fd = -1,
                     .slot_fd = -1,
                     .journal_fd = -1,
                     .log_fd = -1,
                     .log_level = 6 /* LOG_INFO */};
    size_t size;
    int r;

    *ret_error = NULL;
    r = fd_read_all(fd, SPEC_MAX_BYTES, &s.text, &size);
    if (r < 0) {
        *ret_error = "the spec cannot be read from fd 3";
        return r;
    }
    r = spec_parse(&s, size, ret_error);
    if (r < 0) {
        spec_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}

void spec_done(RuntimeSpec *s)
{
    free(s->text);
    free(s->limit_extensions);
    free(s->env);
    free(s->ini_kinds);
    free(s->ini_keys);
    free(s->ini_texts);
    free(s->listen_fds);
    free(s->status_fds);
    free(s->body_file_paths);
    free(s->allowed_clients);
    *s = (RuntimeSpec){.link_fd = -1,
                       .handover_fd = -1,
                       .park_fd = -1,
                       .repark_fd = -1,
                       .slot_fd = -1,
                       .journal_fd = -1,
                       .log_fd = -1};
}
