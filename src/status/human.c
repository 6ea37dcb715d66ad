#include "status/human.h"

#include <inttypes.h>
#include <stdio.h>

void human_count(uint64_t n, char ret[static HUMAN_SIZE])
{
    char digits[HUMAN_SIZE];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, n);
    char *p = ret;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = 0;
}

/* With as many decimals as make three digits. */
static void write_digits(double value, const char *unit, char ret[static HUMAN_SIZE])
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

    snprintf(ret, HUMAN_SIZE, "%.*f%s", decimals, value, unit);
}

void human_bytes(uint64_t n, char ret[static HUMAN_SIZE])
{
    static const char *const units[] = {" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    double value = (double)n / 1024;
    size_t i = 0;

    if (n < 1024) {
        snprintf(ret, HUMAN_SIZE, "%" PRIu64 " B", n);
        return;
    }
    for (; value >= 999.5 && i + 1 < ARRAY_SIZE(units); i++)
        value /= 1024;
    write_digits(value, units[i], ret);
}

void human_span(uint64_t usec, char ret[static HUMAN_SIZE])
{
    static const struct {
        const char *name;
        uint64_t seconds, next;
        const char *next_name;
    } units[] = {{"d", 86400, 3600, "h"}, {"h", 3600, 60, "m"}, {"m", 60, 1, "s"}};
    uint64_t seconds = usec / USEC_PER_SEC;

    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (seconds >= units[i].seconds) {
            snprintf(ret, HUMAN_SIZE, "%" PRIu64 "%s %" PRIu64 "%s", seconds / units[i].seconds,
                     units[i].name, seconds % units[i].seconds / units[i].next, units[i].next_name);
            return;
        }
    if (usec == 0)
        snprintf(ret, HUMAN_SIZE, "0 s");
    else if (usec < USEC_PER_SEC)
        write_digits((double)usec / 1000, " ms", ret);
    else
        write_digits((double)usec / 1e6, " s", ret);
}

void human_milli(uint64_t thousandths, char ret[static HUMAN_SIZE])
{
    if (thousandths >= 1000000)
        human_count(thousandths / 1000 + (thousandths % 1000 >= 500), ret);
    else if (thousandths == 0)
        snprintf(ret, HUMAN_SIZE, "0");
    else
        write_digits((double)thousandths / 1000, "", ret);
}

void human_percent(uint64_t part, uint64_t whole, char ret[static HUMAN_SIZE])
{
    double value = whole > 0 ? 100.0 * (double)part / (double)whole : 0;

    if (part == 0 || whole == 0)
        snprintf(ret, HUMAN_SIZE, "0 %%");
    else if (value < 0.01)
        snprintf(ret, HUMAN_SIZE, "< 0.01 %%");
    else
        write_digits(value, " %", ret);
}
