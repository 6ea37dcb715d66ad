#include "access/format.h"

#include "access/token.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define TIME_DEFAULT "%d/%b/%Y:%H:%M:%S %z"
#define TIME_MAX     1024 /* bytes of one formatted time */

AccessFormat *access_format_free(AccessFormat *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->n; i++)
        free(f->tokens[i].text);
    free(f->tokens);
    free(f);
    return NULL;
}

int access_format_new(const char *text, AccessFormat **ret, char *error, size_t error_size)
{
    _cleanup_(access_format_freep) AccessFormat *f = calloc(1, sizeof(*f));
    int r = f ? tokens_parse(f, text, error, error_size) : -ENOMEM;

    if (r < 0)
        return r;
    *ret = TAKE_PTR(f);
    return 0;
}

bool access_format_wants(const AccessFormat *f, char code)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->tokens[i].code == code)
            return true;
    return false;
}

/* ---- values ---- */

/* What a client chose: it must not end the line, nor leave the quotes that it may stand in, nor
 * move the cursor of whoever reads the file. Escapes are those of nginx. */
static int put_escaped(Buffer *b, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    while (*text) {
        size_t n = 0;
        uint8_t byte;
        int r;

        while ((byte = (uint8_t)text[n]) >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\')
            n++;
        r = buffer_append(b, text, n);
        if (r == 0 && byte)
            r = buffer_append(b, (char[]){'\\', 'x', digits[byte >> 4], digits[byte & 15]}, 4);
        if (r < 0)
            return r;
        text += n + (byte ? 1 : 0);
    }
    return 0;
}

static int put_or_dash(Buffer *b, const char *text)
{
    return text && *text ? put_escaped(b, text) : buffer_append(b, "-", 1);
}

/* The format is the administrator's, and no function of strftime(3) reads an argument. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int put_time(Buffer *b, const Token *t, uint64_t realtime_usec)
{
    const char *format = t->text ? t->text : TIME_DEFAULT;
    time_t seconds = (time_t)(realtime_usec / USEC_PER_SEC);
    char text[TIME_MAX];
    struct tm tm;

    if (!localtime_r(&seconds, &tm))
        return buffer_append(b, "-", 1);
    return buffer_append(b, text, strftime(text, sizeof(text), format, &tm));
}
#pragma GCC diagnostic pop

static int put_duration(Buffer *b, const Token *t, uint64_t usec)
{
    uint64_t unit_usec = t->unit == UNIT_MILLISECONDS ? USEC_PER_MSEC : USEC_PER_SEC;

    if (t->unit == UNIT_MICROSECONDS)
        return buffer_printf(b, "%" PRIu64, usec);
    return buffer_printf(b, "%.3f", (double)usec / (double)unit_usec);
}

/* Percent of one processor. */
static int put_cpu(Buffer *b, const Token *t, const AccessValues *v)
{
    uint64_t usec = (t->unit == UNIT_SYSTEM ? 0 : v->cpu_user_usec) +
                    (t->unit == UNIT_USER ? 0 : v->cpu_system_usec);

    return buffer_printf(
        b, "%.2f", v->duration_usec > 0 ? (double)usec * 100.0 / (double)v->duration_usec : 0.0);
}

static int put_memory(Buffer *b, const Token *t, uint64_t bytes)
{
    unsigned shift = t->unit == UNIT_MEGABYTES ? 20 : t->unit == UNIT_KILOBYTES ? 10 : 0;

    return buffer_printf(b, "%" PRIu64, bytes >> shift);
}

static int put_found(Buffer *b, const Token *t, const AccessValues *v,
                     const char *(*find)(void *userdata, const char *name))
{
    return put_or_dash(b, find ? find(v->userdata, t->text) : NULL);
}

static int put_token(Buffer *b, const Token *t, const AccessValues *v)
{
    switch (t->code) {
    case 0:
        return buffer_append(b, t->text, strlen(t->text));
    case 'C':
        return put_cpu(b, t, v);
    case 'd':
        return put_duration(b, t, v->duration_usec);
    case 'e':
        return put_found(b, t, v, v->param);
    case 'f':
        return put_or_dash(b, v->script);
    case 'l':
        return buffer_printf(b, "%" PRIu64, v->content_length);
    case 'm':
        return put_or_dash(b, v->method);
    case 'M':
        return put_memory(b, t, v->memory_peak_bytes);
    case 'n':
        return put_escaped(b, v->pool ? v->pool : "");
    case 'o':
        return put_found(b, t, v, v->header);
    case 'p':
        return buffer_printf(b, "%d", (int)v->pid);
    case 'P':
        return buffer_printf(b, "%d", (int)v->manager_pid);
    case 'q':
        return put_escaped(b, v->query ? v->query : "");
    case 'Q':
        return v->query && *v->query ? buffer_append(b, "?", 1) : 0;
    case 'r':
        return put_or_dash(b, v->uri);
    case 'R':
        return put_or_dash(b, v->remote);
    case 's':
        return buffer_printf(b, "%u", v->status);
    case 't':
        return put_time(b, t, v->begun_realtime_usec);
    case 'T':
        return put_time(b, t, v->ended_realtime_usec);
    default: /* 'u' */
        return put_escaped(b, v->user ? v->user : "");
    }
}

int access_format_write(const AccessFormat *f, const AccessValues *v, Buffer *b)
{
    size_t before = b->size;
    int r = 0;

    for (size_t i = 0; i < f->n && r == 0; i++)
        r = put_token(b, &f->tokens[i], v);
    if (r == 0)
        r = buffer_append(b, "\n", 1);
    if (r < 0)
        b->size = before;
    return r;
}
