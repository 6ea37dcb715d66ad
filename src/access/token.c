#include "access/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Whether a code takes something in braces. */
typedef enum Argument {
    ARGUMENT_NONE,
    ARGUMENT_UNIT, /* one of the table of units */
    ARGUMENT_NAME, /* mandatory */
    ARGUMENT_TIME, /* of strftime(3) */
} Argument;

static const struct {
    char code;
    Argument argument;
    TokenUnit unit; /* without an argument */
} codes[] = {
    {'%', ARGUMENT_NONE, UNIT_NONE},    {'C', ARGUMENT_UNIT, UNIT_TOTAL},
    {'d', ARGUMENT_UNIT, UNIT_SECONDS}, {'e', ARGUMENT_NAME, UNIT_NONE},
    {'f', ARGUMENT_NONE, UNIT_NONE},    {'l', ARGUMENT_NONE, UNIT_NONE},
    {'m', ARGUMENT_NONE, UNIT_NONE},    {'M', ARGUMENT_UNIT, UNIT_BYTES},
    {'n', ARGUMENT_NONE, UNIT_NONE},    {'o', ARGUMENT_NAME, UNIT_NONE},
    {'p', ARGUMENT_NONE, UNIT_NONE},    {'P', ARGUMENT_NONE, UNIT_NONE},
    {'q', ARGUMENT_NONE, UNIT_NONE},    {'Q', ARGUMENT_NONE, UNIT_NONE},
    {'r', ARGUMENT_NONE, UNIT_NONE},    {'R', ARGUMENT_NONE, UNIT_NONE},
    {'s', ARGUMENT_NONE, UNIT_NONE},    {'t', ARGUMENT_TIME, UNIT_NONE},
    {'T', ARGUMENT_TIME, UNIT_NONE},    {'u', ARGUMENT_NONE, UNIT_NONE},
};

/* PHP-FPM knows both spellings of the thousandth. */
static const struct {
    char code;
    const char *name;
    TokenUnit unit;
} units[] = {
    {'C', "total", UNIT_TOTAL},
    {'C', "user", UNIT_USER},
    {'C', "system", UNIT_SYSTEM},
    {'d', "seconds", UNIT_SECONDS},
    {'d', "milliseconds", UNIT_MILLISECONDS},
    {'d', "miliseconds", UNIT_MILLISECONDS},
    {'d', "milli", UNIT_MILLISECONDS},
    {'d', "mili", UNIT_MILLISECONDS},
    {'d', "microseconds", UNIT_MICROSECONDS},
    {'d', "micro", UNIT_MICROSECONDS},
    {'M', "bytes", UNIT_BYTES},
    {'M', "kilobytes", UNIT_KILOBYTES},
    {'M', "kilo", UNIT_KILOBYTES},
    {'M', "megabytes", UNIT_MEGABYTES},
    {'M', "mega", UNIT_MEGABYTES},
};

static int add(AccessFormat *f, char code, TokenUnit unit, const char *text, size_t n)
{
    Token *grown = reallocarray(f->tokens, f->n + 1, sizeof(*grown));
    char *copy = text ? strndup(text, n) : NULL;

    if (grown)
        f->tokens = grown;
    if (!grown || (text && !copy)) {
        free(copy);
        return -ENOMEM;
    }
    f->tokens[f->n++] = (Token){code, unit, copy};
    return 0;
}

static int find_unit(char code, const char *argument, size_t n, TokenUnit *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (units[i].code == code && strlen(units[i].name) == n &&
            strncmp(units[i].name, argument, n) == 0) {
            *ret = units[i].unit;
            return 0;
        }
    return -EINVAL;
}

/* Adds the token of a code; argument NULL: there was none. */
static int add_code(AccessFormat *f, char code, const char *argument, size_t n, char *error,
                    size_t error_size)
{
    size_t i = 0;
    TokenUnit unit;

    while (i < ARRAY_SIZE(codes) && codes[i].code != code)
        i++;
    if (i == ARRAY_SIZE(codes)) {
        if (code)
            snprintf(error, error_size, "there is no %%%c, expected one of CdeflmMnopPqQrRstTu%%",
                     code);
        else
            snprintf(error, error_size, "ends in the midst of a '%%', expected a letter behind it");
        return -EINVAL;
    }
    unit = codes[i].unit;
    if (argument && codes[i].argument == ARGUMENT_NONE) {
        snprintf(error, error_size, "%%%c takes nothing in braces, expected %%%c", code, code);
        return -EINVAL;
    }
    if (codes[i].argument == ARGUMENT_NAME && n == 0) {
        snprintf(error, error_size, "%%%c needs a name, expected %%{NAME}%c", code, code);
        return -EINVAL;
    }
    if (argument && codes[i].argument == ARGUMENT_UNIT && find_unit(code, argument, n, &unit) < 0) {
        snprintf(error, error_size, "%%%c has no unit '%.*s'", code, (int)MIN(n, (size_t)40),
                 argument);
        return -EINVAL;
    }
    if (code == '%')
        return add(f, 0, UNIT_NONE, "%", 1);
    return add(f, code, unit, argument, n);
}

int tokens_parse(AccessFormat *f, const char *text, char *error, size_t error_size)
{
    while (*text) {
        size_t n = strcspn(text, "%"), n_argument = 0;
        const char *argument = NULL;
        int r = n > 0 ? add(f, 0, UNIT_NONE, text, n) : 0;

        text += n;
        if (r < 0 || !*text)
            return r;
        text++;
        if (*text == '{') {
            argument = text + 1;
            n_argument = strcspn(argument, "}");
            if (!argument[n_argument]) {
                snprintf(error, error_size, "'}' is missing, expected %%{ARGUMENT}LETTER");
                return -EINVAL;
            }
            text = argument + n_argument + 1;
        }
        r = add_code(f, *text, argument, n_argument, error, error_size);
        if (r < 0)
            return r;
        text++;
    }
    return 0;
}
