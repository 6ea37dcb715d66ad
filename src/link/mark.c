#include "link/mark.h"

#include <limits.h>
#include <string.h>

_Static_assert(MARK_MAX <= PIPE_BUF, "a mark is written at once or not at all");

static const char magic[] = "\0fpmd:"; /* and its NUL, which is no part of it */

#define MAGIC_SIZE (sizeof(magic) - 1)

_Static_assert(MAGIC_SIZE + 16 == MARK_PREFIX_SIZE, "magic and key");

void mark_prefix(uint64_t key, char ret[static MARK_PREFIX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    memcpy(ret, magic, MAGIC_SIZE);
    for (size_t i = 0; i < 16; i++)
        ret[MAGIC_SIZE + i] = digits[key >> (60 - 4 * i) & 15];
}

/* Without line ends, since one ends the mark. */
static char *put_text(char *to, const char *text, size_t max)
{
    size_t n = strnlen(text, max);

    for (size_t i = 0; i < n; i++)
        *to++ = text[i] == '\n' ? ' ' : text[i];
    return to;
}

size_t mark_format(uint64_t key, const char *id, const char *uri, char ret[static MARK_MAX])
{
    char *end = ret + MARK_PREFIX_SIZE;

    mark_prefix(key, ret);
    if (id) {
        end = put_text(end, id, MARK_ID_MAX);
        *end++ = 0;
        end = put_text(end, uri, MARK_URI_MAX);
    }
    *end++ = '\n';
    return (size_t)(end - ret);
}

size_t mark_find(const char prefix[static MARK_PREFIX_SIZE], const char *line, size_t n,
                 const char **ret_id, size_t *ret_id_size, const char **ret_uri,
                 size_t *ret_uri_size)
{
    const char *begin = memmem(line, n, prefix, MARK_PREFIX_SIZE), *id, *separator;
    size_t size;

    if (!begin)
        return n;
    id = begin + MARK_PREFIX_SIZE;
    size = n - (size_t)(id - line);
    separator = memchr(id, 0, size);
    *ret_id = separator ? id : NULL;
    *ret_id_size = separator ? (size_t)(separator - id) : 0;
    *ret_uri = separator ? separator + 1 : NULL;
    *ret_uri_size = separator ? size - *ret_id_size - 1 : 0;
    return (size_t)(begin - line);
}

size_t mark_find_begun(const char prefix[static MARK_PREFIX_SIZE], const char *text, size_t n)
{
    size_t i = n > MARK_MAX ? n - MARK_MAX : 0;

    for (const char *p; i < n && (p = memchr(text + i, 0, n - i));) {
        i = (size_t)(p - text);
        if (memcmp(p, prefix, MIN(n - i, (size_t)MARK_PREFIX_SIZE)) == 0)
            return i;
        i++;
    }
    return n;
}
