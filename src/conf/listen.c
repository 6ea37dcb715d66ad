#include "conf/setting.h"
#include "base/parse.h"

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

static int parse_address(const char *text, ListenAddress *a)
{
    struct sockaddr_un un;

    a->text = strdup(text);
    if (!a->text)
        return -ENOMEM;
    if (text[0] != '/')
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
        for (size_t i = 0; r == 0 && i + 1 < n; i++)
            if (strcmp(addresses[i].text, word) == 0)
                r = -EINVAL;
    }
    if (r < 0) {
        listen_free(addresses, n);
        return r;
    }
    *ret = addresses;
    *ret_n = n;
    return 0;
}
