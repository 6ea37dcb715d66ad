#include "ctl/import_source.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

bool source_is_whole(const Sources *s, const SourcePool *pool)
{
    const SourceFile *file = &s->files[pool->file];
    const char *base = path_base(file->path);
    size_t n = strlen(pool->name);

    return file->n_pools == 1 && !file->is_split && strncmp(base, pool->name, n) == 0 &&
           strcmp(base + n, ".conf") == 0;
}

int source_write(const Sources *s, const SourcePool *pool, Buffer *b)
{
    const SourceFile *file = &s->files[pool->file];
    int r = 0;

    if (source_is_whole(s, pool))
        return buffer_append(b, file->text, file->n);
    for (size_t i = 0; r == 0 && i < pool->n_lines; i++) {
        const SourceLines *lines = &pool->lines[i];

        r = buffer_append(b, file->text + lines->from, lines->to - lines->from);
        if (r == 0 && lines->to == file->n && b->size > 0 && b->data[b->size - 1] != '\n')
            r = buffer_append(b, "\n", 1);
    }
    return r;
}

bool source_has_line(const SourcePool *pool, unsigned line)
{
    for (size_t i = 0; i < pool->n_lines; i++)
        if (line >= pool->lines[i].first && line <= pool->lines[i].last)
            return true;
    return false;
}

bool source_version(const char *path, char ret[static 16])
{
    static const char folder[] = "/etc/php/";
    const char *p = path + strlen(folder);
    size_t n, major;

    if (strncmp(path, folder, strlen(folder)) != 0)
        return false;
    n = strspn(p, "0123456789.");
    major = strspn(p, "0123456789");
    if (p[n] != '/' || n >= 16 || major == 0 || p[major] != '.' ||
        strspn(p + major + 1, "0123456789") != n - major - 1 || n == major + 1)
        return false;
    memcpy(ret, p, n);
    ret[n] = 0;
    return true;
}
