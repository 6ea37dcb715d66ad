#include "conf/setting.h"
#include "base/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The first 12 bytes of an IPv4 address in IPv6, ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static int parse_client(char *word, ClientRange *ret)
{
    ClientRange range = {.n_bits = 128};
    char *slash = strchr(word, '/');
    uint64_t n_bits;
    bool is_v4;

    if (slash)
        *slash = 0;
    is_v4 = inet_pton(AF_INET, word, range.address + sizeof(mapped)) == 1;
    if (is_v4)
        memcpy(range.address, mapped, sizeof(mapped));
    else if (inet_pton(AF_INET6, word, range.address) != 1)
        return -EINVAL;
    if (slash) {
        if (parse_u64(slash + 1, 0, is_v4 ? 32 : 128, &n_bits) < 0)
            return -EINVAL;
        range.n_bits = (unsigned)n_bits + (is_v4 ? 96 : 0);
        /* Nobody means all of IPv4 by ::ffff:10.0.0.0/8. */
        if (!is_v4 && range.n_bits < 96 && memcmp(range.address, mapped, sizeof(mapped)) == 0)
            return -EDOM;
    }
    *ret = range;
    return 0;
}

bool client_masked(const ClientRange *range, char ret[static 52])
{
    bool is_v4 = range->n_bits >= 96 && memcmp(range->address, mapped, sizeof(mapped)) == 0;
    size_t skip = is_v4 ? sizeof(mapped) : 0;
    uint8_t network[16];
    char text[INET6_ADDRSTRLEN];

    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = range->n_bits > i * 8 ? MIN(range->n_bits - i * 8, 8U) : 0;

        network[i] = range->address[i] & (uint8_t)(0xff00 >> kept);
    }
    if (memcmp(network, range->address, sizeof(network)) == 0 ||
        !inet_ntop(is_v4 ? AF_INET : AF_INET6, network + skip, text, sizeof(text)))
        return false;
    snprintf(ret, 52, "%s/%u", text, range->n_bits - (is_v4 ? 96 : 0));
    return true;
}

bool clients_find_mapped(const char *text, char ret_word[static 64], char ret_meant[static 32])
{
    for (const char *p = text + strspn(text, " \t,"); *p; p += strspn(p, " \t,")) {
        size_t n = strcspn(p, " \t,");
        uint8_t address[16];
        char *slash, host[16];
        uint64_t n_bits;

        if (n < 64) {
            memcpy(ret_word, p, n);
            ret_word[n] = 0;
            slash = strchr(ret_word, '/');
            if (slash)
                *slash = 0;
            if (slash && parse_u64(slash + 1, 0, 95, &n_bits) == 0 &&
                inet_pton(AF_INET6, ret_word, address) == 1 &&
                memcmp(address, mapped, sizeof(mapped)) == 0 &&
                inet_ntop(AF_INET, address + sizeof(mapped), host, sizeof(host))) {
                *slash = '/';
                snprintf(ret_meant, 32, "%s/%u", host, (unsigned)MIN(n_bits, (uint64_t)32));
                return true;
            }
        }
        p += n;
    }
    return false;
}

int clients_parse(const char *text, ClientRange **ret, size_t *ret_n)
{
    _cleanup_free_ char *copy = strdup(text);
    _cleanup_free_ ClientRange *ranges = NULL;
    size_t n = 0;
    char *state = NULL;

    if (!copy)
        return -ENOMEM;
    for (char *word = strtok_r(copy, " \t,", &state); word; word = strtok_r(NULL, " \t,", &state)) {
        ClientRange *grown = reallocarray(ranges, n + 1, sizeof(*grown));
        int r;

        if (!grown)
            return -ENOMEM;
        ranges = grown;
        r = parse_client(word, &ranges[n++]);
        if (r < 0)
            return r;
    }
    if (n == 0)
        return -EINVAL;
    *ret = TAKE_PTR(ranges);
    *ret_n = n;
    return 0;
}

bool client_in_range(const ClientRange *range, const uint8_t address[static 16])
{
    unsigned n_bytes = range->n_bits / 8, rest = range->n_bits % 8;

    if (memcmp(range->address, address, n_bytes) != 0)
        return false;
    return rest == 0 || ((range->address[n_bytes] ^ address[n_bytes]) >> (8 - rest)) == 0;
}
