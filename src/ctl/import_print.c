#include "ctl/import.h"
#include "status/escape.h"

#include <stdio.h>
#include <string.h>

static const char *const results[][2] = {
    [IMPORT_NEW] = {"imported", "would be imported"},
    [IMPORT_REPLACED] = {"replaced", "would be replaced"},
    [IMPORT_UNCHANGED] = {"unchanged", "unchanged"},
    [IMPORT_REFUSED] = {"NOT imported", "NOT imported"},
};

static int print_row(Buffer *b, const ImportPool *pool, bool dry_run)
{
    int r = escape_text(b, pool->source->name);
    size_t n = strlen(pool->source->name);

    if (r < 0)
        return r;
    return buffer_printf(b, "%*s%10zu  %16zu  %12zu  %s\n", (int)(n < 24 ? 24 - n : 1), "",
                         pool->taken.n, pool->moved.n, pool->looks.n,
                         results[pool->result][dry_run]);
}

static int print_list(Buffer *b, const char *head, const Texts *texts)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < texts->n; i++) {
        r = buffer_printf(b, "    %-18s", i == 0 ? head : "");
        if (r == 0)
            r = escape_text(b, texts->items[i]);
        if (r == 0)
            r = buffer_append(b, "\n", 1);
    }
    return r;
}

/* Errors, a line each. */
static int print_errors(Buffer *b, const Buffer *errors)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < errors->size;) {
        const char *p = errors->data + i, *end = memchr(p, '\n', errors->size - i);
        size_t n = end ? (size_t)(end - p) : errors->size - i;

        r = buffer_printf(b, "    %.*s\n", (int)n, p);
        i += n + 1;
    }
    return r;
}

static int print_pool(const Import *import, Buffer *b, const ImportPool *pool)
{
    const char *how = source_is_whole(&import->sources, pool->source)
                          ? ""
                          : ", its section of a file that has more or another name";
    int r = buffer_append(b, "\n", 1);

    if (r == 0)
        r = escape_text(b, pool->source->name);
    if (r == 0)
        r = buffer_printf(b, ": ");
    if (r == 0)
        r = escape_text(b, pool->file->path);
    if (r == 0)
        r = buffer_printf(b, ":%u%s\n", pool->source->line, how);
    if (r == 0)
        r = print_errors(b, &pool->issues);
    if (r == 0)
        r = print_list(b, import->ctl->dry_run ? "would be written" : "written", &pool->files);
    if (r == 0)
        r = print_list(b, "added", &pool->lines);
    if (r == 0)
        r = print_list(b, "moved to systemd", &pool->moved);
    return r < 0 ? r : print_list(b, "needs a look", &pool->looks);
}

static int print_totals(const Import *import, Buffer *b)
{
    size_t refused = 0, looks = 0, done;

    for (size_t i = 0; i < import->n_pools; i++) {
        refused += import_is_refused(&import->pools[i]);
        looks += import->pools[i].looks.n > 0;
    }
    done = import->n_pools - refused;
    return buffer_printf(b, "\n%zu pool%s %s, %zu of all need%s a look, %zu %s not imported\n",
                         done, done == 1 ? "" : "s",
                         import->ctl->dry_run ? "would be taken over" : "taken over", looks,
                         looks == 1 ? "s" : "", refused, refused == 1 ? "is" : "are");
}

int import_print(const Import *import, Buffer *b)
{
    const Texts *problems = &import->sources.problems;
    int r = buffer_printf(b, "%-24s%10s  %16s  %12s\n", "POOL", "TAKEN OVER", "MOVED TO SYSTEMD",
                          "NEEDS A LOOK");

    for (size_t i = 0; r == 0 && i < import->n_pools; i++)
        r = print_row(b, &import->pools[i], import->ctl->dry_run);
    for (size_t i = 0; r == 0 && i < import->n_pools; i++)
        r = print_pool(import, b, &import->pools[i]);
    if (r == 0 && import->moved.n + import->looks.n + problems->n > 0)
        r = buffer_printf(b, "\nAll pools\n");
    if (r == 0)
        r = print_list(b, "moved to systemd", &import->moved);
    if (r == 0)
        r = print_list(b, "needs a look", &import->looks);
    if (r == 0)
        r = print_list(b, "needs a look", problems);
    return r < 0 ? r : print_totals(import, b);
}
