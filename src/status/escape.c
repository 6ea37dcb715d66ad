#include "status/escape.h"

#include "base/utf8.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Appends one character: its code, and its bytes. */
typedef int (*Append)(Buffer *b, uint32_t code, const char *bytes, size_t n);

/* invalid stands for each byte that is no UTF-8, and goes through append too. */
static int each_character(Buffer *b, const char *text, uint32_t invalid, Append append)
{
    const char *end = text + strlen(text);
    int r = 0;

    while (r == 0 && text < end) {
        uint32_t code;
        size_t n = utf8_decode(text, (size_t)(end - text), &code);

        if (n > 0)
            r = append(b, code, text, n);
        else if (invalid < 0x80)
            r = append(b, invalid, (const char[]){(char)invalid}, 1);
        else
            r = append(b, invalid, REPLACEMENT, strlen(REPLACEMENT));
        text += n > 0 ? n : 1;
    }
    return r;
}

/* "\n" and the like for the characters that have such a form. 1: done; 0: it has none; -ENOMEM. */
static int append_short_form(Buffer *b, uint32_t code, const char *characters, const char *letters)
{
    const char *p = code > 0 && code < 0x80 ? strchr(characters, (int)code) : NULL;
    int r;

    if (!p)
        return 0;
    r = buffer_printf(b, "\\%c", letters[p - characters]);
    return r < 0 ? r : 1;
}

static int append_json_ascii(Buffer *b, uint32_t code, const char *bytes, size_t n)
{
    int r = append_short_form(b, code, "\"\\/\b\f\n\r\t", "\"\\/bfnrt");

    if (r != 0)
        return MIN(r, 0);
    if (code >= 0x10000)
        return buffer_printf(b, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((code - 0x10000) >> 10)),
                             (unsigned)(0xdc00 + ((code - 0x10000) & 0x3ff)));
    if (code < 0x20 || code >= 0x7f)
        return buffer_printf(b, "\\u%04x", (unsigned)code);
    return buffer_append(b, bytes, n);
}

static int append_json(Buffer *b, uint32_t code, const char *bytes, size_t n)
{
    int r = append_short_form(b, code, "\"\\\b\f\n\r\t", "\"\\bfnrt");

    if (r != 0)
        return MIN(r, 0);
    if (code == 0xfffd || !utf8_is_printable(code))
        return append_json_ascii(b, code, bytes, n);
    return buffer_append(b, bytes, n);
}

/* C1 controls (U+0080…U+009F) start escape sequences on some terminals. */
static int append_terminal(Buffer *b, uint32_t code, const char *bytes, size_t n)
{
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
        return buffer_append(b, "?", 1);
    return buffer_append(b, bytes, n);
}

static int append_markup(Buffer *b, uint32_t code, const char *bytes, size_t n)
{
    const char *entity = code == '&'   ? "&amp;"
                         : code == '<' ? "&lt;"
                         : code == '>' ? "&gt;"
                         : code == '"' ? "&quot;"
                                       : NULL;

    if (!entity && !utf8_is_printable(code))
        entity = REPLACEMENT;
    return entity ? buffer_append(b, entity, strlen(entity)) : buffer_append(b, bytes, n);
}

static int append_metrics(Buffer *b, uint32_t code, const char *bytes, size_t n)
{
    int r = append_short_form(b, code, "\\\n\"", "\\n\"");

    return r != 0 ? MIN(r, 0) : buffer_append(b, bytes, n);
}

int escape_json(Buffer *b, const char *text)
{
    int r = buffer_append(b, "\"", 1);

    if (r == 0)
        r = each_character(b, text, 0xfffd, append_json);
    return r < 0 ? r : buffer_append(b, "\"", 1);
}

int escape_json_ascii(Buffer *b, const char *text)
{
    return each_character(b, text, 0xfffd, append_json_ascii);
}

int escape_text(Buffer *b, const char *text)
{
    return each_character(b, text, '?', append_terminal);
}

int escape_markup(Buffer *b, const char *text)
{
    return each_character(b, text, 0xfffd, append_markup);
}

int escape_metrics(Buffer *b, const char *text)
{
    return each_character(b, text, 0xfffd, append_metrics);
}
