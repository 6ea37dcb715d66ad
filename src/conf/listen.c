#include "conf/setting.h"
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
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

bool listen_is_same(const ListenAddress *a, const ListenAddress *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == LISTEN_UNIX)
        return strcmp(a->path, b->path) == 0;
    return a->port == b->port && strcmp(a->host ? a->host : "", b->host ? b->host : "") == 0;
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
    return a->host ? 0 : -ENOMEM;
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
