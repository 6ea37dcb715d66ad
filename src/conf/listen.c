#include "conf/setting.h"
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

ListenAddress *listen_free(ListenAddress *addresses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(addresses[i].text);
        free(addresses[i].path);
        free(addresses[i].host);
    }
    free(addresses);
    return NULL;
}

/* The first 12 bytes of an IPv4 address in IPv6, ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t zero[16];

static bool is_ipv4(const ListenAddress *a)
{
    return memcmp(a->address, mapped, sizeof(mapped)) == 0;
}

/* 0.0.0.0, also as v4-mapped */
static bool is_any_ipv4(const ListenAddress *a)
{
    return is_ipv4(a) && memcmp(a->address + sizeof(mapped), zero, 4) == 0;
}

/* All of IPv6 is bound as all of IPv4 too. */
static bool is_any(const ListenAddress *a)
{
    return !a->host || (a->is_numeric && memcmp(a->address, zero, sizeof(zero)) == 0);
}

bool listen_conflicts(const ListenAddress *a, const ListenAddress *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == LISTEN_UNIX)
        return strcmp(a->path, b->path) == 0;
    if (a->port != b->port)
        return false;
    if (is_any(a) || is_any(b))
        return true;
    if (!a->is_numeric || !b->is_numeric)
        return strcasecmp(a->host, b->host) == 0;
    if (is_ipv4(a) && is_ipv4(b) && (is_any_ipv4(a) || is_any_ipv4(b)))
        return true;
    return memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

void listen_simplify_path(char *path)
{
    char *out = path;

    for (const char *p = path; *p;) {
        size_t n;

        p += strspn(p, "/");
        n = strcspn(p, "/");
        if (n > 0 && !(n == 1 && *p == '.')) {
            *out++ = '/';
            memmove(out, p, n);
            out += n;
        }
        p += n;
    }
    if (out == path)
        *out++ = '/';
    *out = 0;
}

static void find_number(ListenAddress *a)
{
    const char *host = strcasecmp(a->host, "localhost") == 0 ? "127.0.0.1" : a->host;

    if (inet_pton(AF_INET, host, a->address + sizeof(mapped)) == 1) {
        memcpy(a->address, mapped, sizeof(mapped));
        a->is_numeric = true;
    } else
        a->is_numeric = inet_pton(AF_INET6, host, a->address) == 1;
}

static int parse_port(const char *text, uint16_t *ret)
{
    uint64_t port;
    int r = parse_u64(text, 1, UINT16_MAX, &port);

    if (r == 0)
        *ret = (uint16_t)port;
    return r;
}

/* host:port, [host]:port, *:port or a port alone, split at the last colon as PHP-FPM does. */
static int parse_tcp(const char *text, ListenAddress *a)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    int r = parse_port(colon ? colon + 1 : text, &a->port);

    if (r < 0)
        return -EINVAL;
    a->kind = LISTEN_TCP;
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
        if (n == 0)
            return -EINVAL;
    }
    if (memchr(text, '[', n) || memchr(text, ']', n) || memchr(text, '/', n))
        return -EINVAL;
    if (n == 0 || (n == 1 && text[0] == '*'))
        return 0;
    a->host = strndup(text, n);
    if (!a->host)
        return -ENOMEM;
    find_number(a);
    return 0;
}

/* Neither a port nor host:port, so it is a path for PHP-FPM. An address of the network without its
 * port, or with a star or a bracket, was not meant as one. */
static bool is_relative_path(const char *text)
{
    struct in_addr unused;

    return text[strspn(text, "0123456789")] && !strpbrk(text, ":*[]") &&
           inet_pton(AF_INET, text, &unused) != 1;
}

static int parse_address(const char *text, ListenAddress *a)
{
    struct sockaddr_un un;

    a->text = strdup(text);
    if (!a->text)
        return -ENOMEM;
    if (text[0] != '/' && !is_relative_path(text))
        return parse_tcp(text, a);
    if (strlen(text) >= sizeof(un.sun_path))
        return -EINVAL;
    a->kind = LISTEN_UNIX;
    a->path = strdup(text);
    return a->path ? 0 : -ENOMEM;
}

int listen_parse(const char *text, ListenAddress **ret, size_t *ret_n)
{
    _cleanup_free_ char *copy = strdup(text);
    ListenAddress *addresses = NULL;
    size_t n = 0;
    char *state = NULL;
    int r = 0;

    if (!copy)
        return -ENOMEM;
    for (char *word = strtok_r(copy, " \t,", &state); word && r == 0;
         word = strtok_r(NULL, " \t,", &state)) {
        ListenAddress *grown = reallocarray(addresses, n + 1, sizeof(*grown));

        if (!grown) {
            r = -ENOMEM;
            break;
        }
        addresses = grown;
        addresses[n] = (ListenAddress){0};
        r = parse_address(word, &addresses[n++]);
    }
    if (r < 0) {
        listen_free(addresses, n);
        return r;
    }
    *ret = addresses;
    *ret_n = n;
    return 0;
}
