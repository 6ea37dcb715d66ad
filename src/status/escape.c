#include "status/escape.h"

#include <string.h>

/* One row of the table of well-formed sequences (Unicode 15, table 3-7): the first byte decides the
 * length and the range of the second; all later ones are 80…BF. */
typedef struct Utf8Form {
    unsigned char first_min, first_max;
    unsigned char second_min, second_max;
    unsigned char length;
} Utf8Form;

static const Utf8Form utf8_forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool is_form(const Utf8Form *form, const unsigned char *s)
{
    if (s[0] < form->first_min || s[0] > form->first_max || s[1] < form->second_min ||
        s[1] > form->second_max)
        return false;
    /* The NUL at the end of a text is no continuation byte: nothing behind it is read. */
    for (size_t i = 2; i < form->length; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return false;
    return true;
}

/* Length of the well-formed character at s, which is not the end of the text; 0: none. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(utf8_forms); i++)
        if (is_form(&utf8_forms[i], s))
            return utf8_forms[i].length;
    return 0;
}

static int append_json_ascii(Buffer *b, char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *p = strchr(plain, c);

    if (p)
        return buffer_printf(b, "\\%c", letters[p - plain]);
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return buffer_printf(b, "\\u%04x", (unsigned)c);
    return buffer_append(b, &c, 1);
}

int escape_json(Buffer *b, const char *text)
{
    size_t n;
    int r = buffer_append(b, "\"", 1);

    for (const char *p = text; r == 0 && *p; p += n ? n : 1) {
        n = utf8_length((const unsigned char *)p);
        if (n == 0)
            r = buffer_printf(b, "\\ufffd");
        else if (n == 1)
            r = append_json_ascii(b, *p);
        else
            r = buffer_append(b, p, n);
    }
    return r < 0 ? r : buffer_append(b, "\"", 1);
}

/* C1 controls (U+0080…U+009F) start escape sequences on some terminals. */
static bool is_control(const unsigned char *s, size_t n)
{
    return (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

int escape_text(Buffer *b, const char *text)
{
    size_t n;
    int r = 0;

    for (const char *p = text; r == 0 && *p; p += n ? n : 1) {
        n = utf8_length((const unsigned char *)p);
        if (n == 0 || is_control((const unsigned char *)p, n))
            r = buffer_append(b, "?", 1);
        else
            r = buffer_append(b, p, n);
    }
    return r;
}
