#include "ctl/import.h"
#include "unit/wants.h"

#include <string.h>

/* Between double quotes of a pool file. */
static int append_quoted(Buffer *b, const char *word)
{
    int r = 0;

    for (const char *p = word; r == 0 && *p; p++) {
        if (strchr("\"\\$", *p))
            r = buffer_append(b, "\\", 1);
        if (r == 0)
            r = buffer_append(b, p, 1);
    }
    return r;
}

/* A drop-in replaces what the pool file says, which is in the list, too. */
static int write_paths(const WordList *paths, Buffer *b)
{
    int r = buffer_printf(b, "unit.read_write_paths = \"");

    for (size_t i = 0; r == 0 && i < paths->n; i++) {
        if (i > 0)
            r = buffer_append(b, " ", 1);
        if (r == 0)
            r = append_quoted(b, paths->items[i]);
    }
    return r < 0 ? r : buffer_append(b, "\"\n", 2);
}

int import_make_dropin(const ImportPool *pool, Buffer *b)
{
    int r;

    if (pool->lines.n == 0 && pool->write_paths.n == 0)
        return 0;
    r = buffer_printf(b, "; Written by fpmctl import\n");
    for (size_t i = 0; r == 0 && i < pool->lines.n; i++)
        r = buffer_printf(b, "%s\n", pool->lines.items[i]);
    return r < 0 || pool->write_paths.n == 0 ? r
                                             : write_paths(&pool->config->unit_read_write_paths, b);
}

int import_make_socket_dropin(const ImportPool *pool, Buffer *b)
{
    int r;

    if (pool->aliases.n == 0)
        return 0;
    r = buffer_printf(b, "# Written by fpmctl import\n[Socket]\nSymlinks=");
    for (size_t i = 0; r == 0 && i < pool->aliases.n; i++) {
        if (i > 0)
            r = buffer_append(b, " ", 1);
        if (r == 0)
            r = unit_escape_path(b, pool->aliases.items[i]);
    }
    return r < 0 ? r : buffer_append(b, "\n", 1);
}
