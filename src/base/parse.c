#include "base/parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Reads leading digits; returns how many, 0 for none, or -ERANGE. */
static int parse_digits(const char *text, uint64_t *ret)
{
    uint64_t value = 0;
    int n = 0;

    for (; text[n] >= '0' && text[n] <= '9'; n++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[n] - '0'), &value))
            return -ERANGE;
    *ret = value;
    return n;
}

typedef struct Suffix {
    const char *name;
    uint64_t factor;
} Suffix;

static int parse_with_suffix(const char *text, const Suffix *suffixes, size_t n_suffixes,
                             uint64_t *ret)
{
    uint64_t value = 0;
    int digits = parse_digits(text, &value);

    if (digits < 0)
        return digits;
    if (digits == 0)
        return -EINVAL;
    for (size_t i = 0; i < n_suffixes; i++)
        if (strcasecmp(text + digits, suffixes[i].name) == 0) {
            if (__builtin_mul_overflow(value, suffixes[i].factor, &value))
                return -ERANGE;
            *ret = value;
            return 0;
        }
    return -EINVAL;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    int digits = parse_digits(text, &value);

    if (digits < 0)
        return digits;
    if (digits == 0 || text[digits])
        return -EINVAL;
    if (value < min || value > max)
        return -ERANGE;
    *ret = value;
    return 0;
}

int parse_usec(const char *text, uint64_t *ret_usec)
{
    static const Suffix suffixes[] = {
        {"", USEC_PER_SEC},
        {"s", USEC_PER_SEC},
        {"m", 60 * USEC_PER_SEC},
        {"h", 3600 * USEC_PER_SEC},
        {"d", 86400 * USEC_PER_SEC},
        {"ms", USEC_PER_MSEC},
        {"us", 1},
    };

    return parse_with_suffix(text, suffixes, ARRAY_SIZE(suffixes), ret_usec);
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
    static const Suffix suffixes[] = {
        {"", 1}, {"K", UINT64_C(1) << 10}, {"M", UINT64_C(1) << 20}, {"G", UINT64_C(1) << 30}};

    return parse_with_suffix(text, suffixes, ARRAY_SIZE(suffixes), ret_bytes);
}

int parse_mode(const char *text, unsigned *ret_mode)
{
    unsigned mode = 0;
    size_t n = strlen(text);

    if (n == 0)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '7')
            return -EINVAL;
        mode = mode * 8 + (unsigned)(text[i] - '0');
        if (mode > 07777)
            return -ERANGE;
    }
    *ret_mode = mode;
    return 0;
}

int parse_bool(const char *text, bool *ret)
{
    static const char *const yes[] = {"1", "yes", "true", "on"};
    static const char *const no[] = {"", "0", "no", "none", "false", "off"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (strcasecmp(text, yes[i]) == 0) {
            *ret = true;
            return 0;
        }
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (strcasecmp(text, no[i]) == 0) {
            *ret = false;
            return 0;
        }
    return -EINVAL;
}
