#include "conf/value.h"
#include "base/buffer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* PHP's ini scanner takes these for operators when they are not quoted, so a text with one of them
 * never meant itself. */
#define OPERATORS "=|&^~!()"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *trim(char *text)
{
    size_t n = strlen(text);

    while (n > 0 && is_blank(text[n - 1]))
        text[--n] = 0;
    while (is_blank(*text))
        text++;
    return text;
}

/* The ${NAME} at s. Returns its length, -EINVAL (not closed) or -ENOMEM. */
static ssize_t expand_variable(Slice s, Buffer *out, const char **ret_error)
{
    const char *end = memchr(s.p, '}', s.n), *separator, *value, *trimmed;
    _cleanup_free_ char *name = NULL;

    if (!end) {
        *ret_error = "'}' is missing, expected ${NAME}";
        return -EINVAL;
    }
    name = strndup(s.p + 2, (size_t)(end - s.p) - 2);
    if (!name)
        return -ENOMEM;
    separator = strstr(name, ":-");
    if (separator)
        name[separator - name] = 0;
    trimmed = trim(name);
    if (!*trimmed) {
        *ret_error = "the name is missing, expected ${NAME}";
        return -EINVAL;
    }
    value = getenv(trimmed);
    if (!value && separator)
        value = separator + 2;
    if (value && buffer_append(out, value, strlen(value)) < 0)
        return -ENOMEM;
    return end - s.p + 1;
}

/* One piece of a value: a character, an escape or a variable. Returns its length. */
static ssize_t expand_piece(Slice s, char quote, Buffer *out, const char **ret_error)
{
    size_t skip = 0;

    if (quote != '\'' && s.n >= 2 && s.p[0] == '$' && s.p[1] == '{')
        return expand_variable(s, out, ret_error);
    if (quote == '"' && s.n >= 2 && s.p[0] == '\\' && strchr("\"\\$", s.p[1]))
        skip = 1;
    else if (!quote && strchr(OPERATORS, s.p[0])) {
        *ret_error = "has one of the characters " OPERATORS " outside of quotes, expected quotes "
                     "around the value";
        return -EINVAL;
    }
    if (buffer_append(out, s.p + skip, 1) < 0)
        return -ENOMEM;
    return (ssize_t)skip + 1;
}

int value_expand(Slice raw, char **ret_text, const char **ret_error)
{
    _cleanup_buffer_ Buffer out = {0};
    size_t fixed = 0; /* of out: what comes before is not a bare blank */
    char quote = 0;

    for (size_t i = 0; i < raw.n;) {
        char c = raw.p[i];
        ssize_t n;

        if (quote ? c == quote : c == '"' || c == '\'') {
            /* Bare blanks around double quotes go, those around single quotes stay, as in PHP. */
            while (!quote && c == '"' && out.size > fixed && is_blank(out.data[out.size - 1]))
                out.size--;
            quote = quote ? 0 : c;
            for (i++; !quote && c == '"' && i < raw.n && is_blank(raw.p[i]);)
                i++;
            fixed = out.size;
            continue;
        }
        n = expand_piece((Slice){raw.p + i, raw.n - i}, quote, &out, ret_error);
        if (n < 0)
            return (int)n;
        if (n > 1)
            fixed = out.size;
        i += (size_t)n;
    }
    *ret_text = buffer_steal(&out);
    return *ret_text ? 0 : -ENOMEM;
}

const char *value_bare_word(Slice raw)
{
    static const char *const yes[] = {"yes", "on", "true"};
    static const char *const no[] = {"no", "off", "false", "none", "null"};

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (strlen(yes[i]) == raw.n && strncasecmp(yes[i], raw.p, raw.n) == 0)
            return "1";
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (strlen(no[i]) == raw.n && strncasecmp(no[i], raw.p, raw.n) == 0)
            return "";
    return NULL;
}

int value_check_ini(Slice raw, const char **ret_error)
{
    char quote = 0;
    int depth = 0;

    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];

        if (quote == '"' && c == '\\')
            i++;
        else if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '=') {
            *ret_error = "has '=' outside of quotes, expected quotes around the value";
            return -EINVAL;
        } else if (c == '(')
            depth++;
        else if (c == ')' && --depth < 0)
            break;
    }
    if (depth != 0) {
        *ret_error = "has a bracket without its counterpart outside of quotes, expected quotes "
                     "around the value";
        return -EINVAL;
    }
    return 0;
}

char *value_replace_pool(Slice text, const char *pool)
{
    _cleanup_buffer_ Buffer out = {0};
    const char *p = text.p, *end = text.p + text.n;

    while (p < end) {
        const char *hit = memmem(p, (size_t)(end - p), "$pool", 5);
        const char *stop = hit ? hit : end;

        if (buffer_append(&out, p, (size_t)(stop - p)) < 0)
            return NULL;
        if (hit && buffer_append(&out, pool, strlen(pool)) < 0)
            return NULL;
        p = hit ? hit + 5 : end;
    }
    return buffer_steal(&out);
}
