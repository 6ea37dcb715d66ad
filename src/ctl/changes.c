#include "ctl/dropin.h"
#include "status/escape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One "Name=value" of a drop-in. */
typedef struct Line {
    const char *name, *value;
    size_t n_name, n_value;
} Line;

/* The next setting at *p, which moves behind it. */
static bool next_line(const char **p, Line *ret)
{
    while (*p && **p) {
        const char *start = *p, *end = strchrnul(start, '\n');
        const char *equals = memchr(start, '=', (size_t)(end - start));

        *p = *end ? end + 1 : end;
        if (!equals || *start == '#' || *start == '[')
            continue;
        *ret = (Line){start, equals + 1, (size_t)(equals - start), (size_t)(end - equals) - 1};
        return true;
    }
    return false;
}

static bool same_name(const Line *a, const Line *b)
{
    return a->n_name == b->n_name && memcmp(a->name, b->name, a->n_name) == 0;
}

/* The values of all lines of that name with blanks between; NULL: no memory. */
static char *join(const char *text, const Line *name)
{
    Buffer b = {0};
    Line line;

    for (const char *p = text; next_line(&p, &line);)
        if (same_name(&line, name) && line.n_value > 0 &&
            buffer_printf(&b, "%s%.*s", b.size > 0 ? " " : "", (int)line.n_value, line.value) < 0) {
            buffer_done(&b);
            return NULL;
        }
    return buffer_steal(&b);
}

/* Whether an earlier line of the text has the name: it has been dealt with there. */
static bool came_before(const char *text, const Line *line)
{
    Line other;

    for (const char *p = text; next_line(&p, &other) && other.name < line->name;)
        if (same_name(&other, line))
            return true;
    return false;
}

static bool has_name(const char *text, const Line *line)
{
    Line other;

    for (const char *p = text; next_line(&p, &other);)
        if (same_name(&other, line))
            return true;
    return false;
}

#define ROW "%-20s %-14s %-22s "

int dropin_write_head(Buffer *b)
{
    return buffer_printf(b, ROW "%s\n", "POOL", "UNIT", "SETTING", "WAS -> IS");
}

static int write_row(Buffer *b, const char *pool, const char *unit, const Line *line,
                     const char *was, const char *is)
{
    _cleanup_free_ char *before = join(was, line), *after = join(is, line);
    char name[64];
    int r;

    if (!before || !after)
        return -ENOMEM;
    if (strcmp(before, after) == 0 && has_name(was, line) == has_name(is, line))
        return 0;
    snprintf(name, sizeof(name), "%.*s", (int)line->n_name, line->name);
    r = buffer_printf(b, ROW, pool, unit, name);
    if (r == 0)
        r = escape_text(b, !has_name(was, line) ? "(of the unit)" : *before ? before : "(none)");
    if (r == 0)
        r = buffer_append(b, " -> ", 4);
    if (r == 0)
        r = escape_text(b, !has_name(is, line) ? "(of the unit)" : *after ? after : "(none)");
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

int dropin_write_changes(Buffer *b, const char *pool, const char *unit, const char *was,
                         const char *is)
{
    Line line;
    int r = 0;

    for (const char *p = is; r == 0 && next_line(&p, &line);)
        if (!came_before(is, &line))
            r = write_row(b, pool, unit, &line, was, is);
    for (const char *p = was; r == 0 && next_line(&p, &line);)
        if (!came_before(was, &line) && !has_name(is, &line))
            r = write_row(b, pool, unit, &line, was, is);
    return r;
}
