#include "base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buffer_done(Buffer *b)
{
    free(b->data);
    *b = (Buffer){0};
}

int buffer_reserve(Buffer *b, size_t n)
{
    size_t wanted, room = b->room ? b->room : 64;
    char *grown;

    if (__builtin_add_overflow(b->size, n, &wanted))
        return -ENOMEM;
    if (wanted <= b->room)
        return 0;
    while (room < wanted)
        if (__builtin_mul_overflow(room, 2, &room))
            return -ENOMEM;
    grown = realloc(b->data, room);
    if (!grown)
        return -ENOMEM;
    b->data = grown;
    b->room = room;
    return 0;
}

int buffer_append(Buffer *b, const void *data, size_t n)
{
    int r = buffer_reserve(b, n);

    if (r < 0)
        return r;
    if (n > 0)
        memcpy(b->data + b->size, data, n);
    b->size += n;
    return 0;
}

int buffer_printf(Buffer *b, const char *format, ...)
{
    va_list args;
    int n, r;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return -EINVAL;
    r = buffer_reserve(b, (size_t)n + 1);
    if (r < 0)
        return r;
    va_start(args, format);
    vsnprintf(b->data + b->size, (size_t)n + 1, format, args);
    va_end(args);
    b->size += (size_t)n;
    return 0;
}

char *buffer_steal(Buffer *b)
{
    char *text;

    if (buffer_reserve(b, 1) < 0)
        return NULL;
    b->data[b->size] = 0;
    text = b->data;
    *b = (Buffer){0};
    return text;
}
