#include "link/spec.h"

#include "base/fd.h"
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

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

static const struct {
    const char *name;
    size_t field;
} single_fds[] = {
    {"link", offsetof(RuntimeSpec, link_fd)},     {"handover", offsetof(RuntimeSpec, handover_fd)},
    {"park", offsetof(RuntimeSpec, park_fd)},     {"repark", offsetof(RuntimeSpec, repark_fd)},
    {"slot", offsetof(RuntimeSpec, slot_fd)},     {"journal", offsetof(RuntimeSpec, journal_fd)},
    {"log", offsetof(RuntimeSpec, log_fd)},       {"access", offsetof(RuntimeSpec, access_fd)},
    {"report", offsetof(RuntimeSpec, report_fd)}, {"history", offsetof(RuntimeSpec, history_fd)},
};

static int add_listener(int **list, size_t *n, int number)
{
    int r = grow(list, *n, sizeof(int));

    if (r == 0)
        (*list)[(*n)++] = number;
    return r;
}

static int add_fd(RuntimeSpec *s, int number, const char *name)
{
    if (fcntl(number, F_GETFD) < 0)
        return -EBADMSG;
    for (size_t i = 0; i < ARRAY_SIZE(single_fds); i++)
        if (strcmp(name, single_fds[i].name) == 0)
            *(int *)(void *)((char *)s + single_fds[i].field) = number;
    if (strcmp(name, "listen") == 0)
        return add_listener(&s->listen_fds, &s->n_listen_fds, number);
    if (strcmp(name, "status") == 0)
        return add_listener(&s->status_fds, &s->n_status_fds, number);
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

typedef enum KeyKind {
    KEY_TEXT,
    KEY_TEXTS, /* a list and its length */
    KEY_FLAG,
    KEY_NUMBER,
    KEY_SMALL, /* number of type int or unsigned */
} KeyKind;

#define FIELD(member) offsetof(RuntimeSpec, member)

static const struct {
    const char *key;
    KeyKind kind;
    size_t field, n_field;
    uint64_t max;
} keys[] = {
    {"pool", KEY_TEXT, FIELD(pool)},
    {"runtime", KEY_TEXT, FIELD(runtime)},
    {"generation", KEY_SMALL, FIELD(generation), .max = UINT_MAX},
    {"moot", KEY_SMALL, FIELD(moot), .max = UINT_MAX},
    {"log-level", KEY_SMALL, FIELD(log_level), .max = 7},
    {"max-requests", KEY_NUMBER, FIELD(max_requests), .max = UINT64_MAX},
    {"max-memory", KEY_NUMBER, FIELD(max_memory_bytes), .max = UINT64_MAX},
    {"terminate-timeout", KEY_NUMBER, FIELD(terminate_timeout_usec), .max = UINT64_MAX},
    {"terminate-track-finished", KEY_FLAG, FIELD(terminate_track_finished)},
    {"read-timeout", KEY_NUMBER, FIELD(read_timeout_usec), .max = UINT64_MAX},
    {"chdir", KEY_TEXT, FIELD(chdir)},
    {"php-ini", KEY_TEXT, FIELD(php_ini)},
    {"php-ini-scan-dir", KEY_TEXT, FIELD(php_ini_scan_dir)},
    {"limit-extension", KEY_TEXTS, FIELD(limit_extensions), FIELD(n_limit_extensions)},
    {"status-path", KEY_TEXT, FIELD(status_path)},
    {"ping-path", KEY_TEXT, FIELD(ping_path)},
    {"ping-response", KEY_TEXT, FIELD(ping_response)},
    {"access-format", KEY_TEXT, FIELD(access_format)},
    {"access-journal", KEY_FLAG, FIELD(access_journal)},
    {"access-suppress", KEY_TEXTS, FIELD(access_suppress), FIELD(n_access_suppress)},
    {"allow-php-value", KEY_FLAG, FIELD(allow_php_value)},
    {"body-file-path", KEY_TEXTS, FIELD(body_file_paths), FIELD(n_body_file_paths)},
    {"seccomp", KEY_SMALL, FIELD(seccomp), .max = _SANDBOX_SECCOMP_MAX - 1},
    {"syscall", KEY_TEXTS, FIELD(syscalls), FIELD(n_syscalls)},
    {"exec", KEY_FLAG, FIELD(exec)},
    {"landlock-optional", KEY_FLAG, FIELD(landlock_optional)},
    {"read-path", KEY_TEXTS, FIELD(read_paths), FIELD(n_read_paths)},
    {"write-path", KEY_TEXTS, FIELD(write_paths), FIELD(n_write_paths)},
    {"exec-path", KEY_TEXTS, FIELD(exec_paths), FIELD(n_exec_paths)},
    {"tcp-port", KEY_TEXTS, FIELD(tcp_ports), FIELD(n_tcp_ports)},
    {"chroot", KEY_TEXT, FIELD(chroot)},
    {"abstract-sockets", KEY_FLAG, FIELD(abstract_sockets)},
    {"opcache-private", KEY_FLAG, FIELD(opcache_private)},
    {"max-params-size", KEY_NUMBER, FIELD(max_params_bytes), .max = UINT32_MAX},
    {"max-params", KEY_NUMBER, FIELD(max_params), .max = UINT32_MAX},
    {"first-byte-timeout", KEY_NUMBER, FIELD(first_byte_timeout_usec), .max = UINT64_MAX},
    {"env", KEY_TEXTS, FIELD(env), FIELD(n_env)},
};

static int take_field(RuntimeSpec *s, size_t i, const char *value)
{
    void *field = (char *)s + keys[i].field;
    uint64_t number;
    int r;

    switch (keys[i].kind) {
    case KEY_TEXT:
        *(const char **)field = value;
        return 0;
    case KEY_TEXTS:
        return add_text(field, (void *)((char *)s + keys[i].n_field), value);
    case KEY_FLAG:
        *(bool *)field = strcmp(value, "0") != 0;
        return 0;
    case KEY_NUMBER:
        return read_number(value, keys[i].max, field);
    case KEY_SMALL:
        break;
    }
    r = read_number(value, keys[i].max, &number);
    if (r == 0)
        *(unsigned *)field = (unsigned)number;
    return r;
}

static int take_key(RuntimeSpec *s, char *key, char *value, int *next_fd)
{
    for (IniKind kind = 0; kind < _INI_KIND_MAX; kind++)
        if (strcmp(key, ini_kind_to_string(kind)) == 0)
            return add_ini(s, kind, value);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (strcmp(key, keys[i].key) == 0)
            return take_field(s, i, value);
    if (strcmp(key, "allowed-client") == 0)
        return add_client(s, value);
    if (strcmp(key, "fd") == 0)
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
    if (!s->pool) {
        *ret_error = "pool is missing";
        return -EBADMSG;
    }
    return 0;
}

int spec_read_settings(int fd, RuntimeSpec *ret, const char **ret_error)
{
    RuntimeSpec s = {.link_fd = -1,
                     .handover_fd = -1,
                     .park_fd = -1,
                     .repark_fd = -1,
                     .slot_fd = -1,
                     .journal_fd = -1,
                     .log_fd = -1,
                     .access_fd = -1,
                     .report_fd = -1,
                     .history_fd = -1,
                     .seccomp = SANDBOX_SECCOMP_DEFAULT,
                     .exec = true,
                     .max_params_bytes = 1024 * 1024,
                     .max_params = 4096,
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

int spec_read(int fd, RuntimeSpec *ret, const char **ret_error)
{
    RuntimeSpec s;
    int r = spec_read_settings(fd, &s, ret_error);

    if (r < 0)
        return r;
    if (s.link_fd < 0 || s.handover_fd < 0 || s.n_listen_fds == 0) {
        *ret_error = "link, handover or listen is missing";
        spec_done(&s);
        return -EBADMSG;
    }
    *ret = s;
    return 0;
}

void spec_done(RuntimeSpec *s)
{
    free(s->text);
    free(s->limit_extensions);
    free(s->access_suppress);
    free(s->env);
    free(s->ini_kinds);
    free(s->ini_keys);
    free(s->ini_texts);
    free(s->listen_fds);
    free(s->status_fds);
    free(s->body_file_paths);
    free(s->syscalls);
    free(s->read_paths);
    free(s->write_paths);
    free(s->exec_paths);
    free(s->tcp_ports);
    free(s->allowed_clients);
    *s = (RuntimeSpec){.link_fd = -1,
                       .handover_fd = -1,
                       .park_fd = -1,
                       .repark_fd = -1,
                       .slot_fd = -1,
                       .journal_fd = -1,
                       .log_fd = -1,
                       .access_fd = -1,
                       .report_fd = -1,
                       .history_fd = -1};
}
