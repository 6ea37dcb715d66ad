#include "ctl/import_texts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void texts_done(Texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->items[i]);
    free(t->items);
    *t = (Texts){0};
}

int texts_add(Texts *t, const char *format, ...)
{
    char **grown = reallocarray(t->items, t->n + 1, sizeof(*grown)), *text;
    va_list args;
    int r;

    if (!grown)
        return -ENOMEM;
    t->items = grown;
    va_start(args, format);
    r = vasprintf(&text, format, args);
    va_end(args);
    if (r < 0)
        return -ENOMEM;
    grown[t->n++] = text;
    return 0;
}

bool texts_has(const Texts *t, const char *text)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->items[i], text) == 0)
            return true;
    return false;
}

int texts_add_once(Texts *t, const char *text)
{
    return texts_has(t, text) ? 0 : texts_add(t, "%s", text);
}

bool text_is_plain(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

char *path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? strndup(path, slash > path ? (size_t)(slash - path) : 1) : strdup(".");
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}
