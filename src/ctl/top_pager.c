#include "ctl/top_pager.h"

#include "base/utf8.h"

#include <langinfo.h>
#include <string.h>
#include <wchar.h>

#include <curses.h>

#define LINE_MAX_COLUMNS 1024

static bool is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* The next character as it may be shown, and how many columns it has. */
static size_t take_character(const char *p, size_t n, wchar_t *ret, int *ret_columns)
{
    uint32_t code = 0;
    size_t length = utf8_decode(p, n, &code);
    int columns = length > 0 && (code < 0x80 || is_utf8()) ? wcwidth((wchar_t)code) : 0;

    *ret = columns > 0 ? (wchar_t)code : L'?';
    *ret_columns = columns > 0 ? columns : 1;
    return length > 0 ? length : 1;
}

void pager_draw(int line, const char *text, size_t n, int from_column, int attributes)
{
    wchar_t shown[LINE_MAX_COLUMNS + 1];
    int width = MIN(COLS, LINE_MAX_COLUMNS), used = 0, skipped = 0, columns;
    size_t n_shown = 0;

    for (size_t at = 0; at < n;) {
        wchar_t c;

        at += take_character(text + at, n - at, &c, &columns);
        if (skipped < from_column) {
            skipped += columns;
            continue;
        }
        if (used + columns > width)
            break;
        shown[n_shown++] = c;
        used += columns;
    }
    attron(attributes);
    mvaddnwstr(line, 0, shown, (int)n_shown);
    /* The last cell of the screen is left alone: writing there scrolls. */
    for (; used < width - (line == LINES - 1); used++)
        addch(' ');
    attroff(attributes);
}

/* The line with that number; false: there are not so many. */
static bool find_line(const Buffer *text, size_t number, const char **ret, size_t *ret_n)
{
    const char *p = text->data, *end = p + text->size;

    for (; p < end; number--) {
        const char *next = memchr(p, '\n', (size_t)(end - p));

        if (!next)
            next = end;
        if (number == 0) {
            *ret = p;
            *ret_n = (size_t)(next - p);
            return true;
        }
        p = next + 1;
    }
    return false;
}

static size_t count_lines(const Buffer *text)
{
    size_t n = 0;

    for (size_t i = 0; i < text->size; i++)
        n += text->data[i] == '\n';
    return n;
}

static void draw(const char *title, const Buffer *text, size_t first, int from_column)
{
    static const char hint[] = "arrows and pages: move   q: back";
    const char *line;
    size_t n;

    erase();
    pager_draw(0, title, strlen(title), 0, A_REVERSE);
    for (int i = 1; i < LINES - 1 && find_line(text, first + (size_t)i - 1, &line, &n); i++)
        pager_draw(i, line, n, from_column, A_NORMAL);
    pager_draw(LINES - 1, hint, strlen(hint), 0, A_DIM);
    refresh();
}

void pager_run(const char *title, const Buffer *text)
{
    size_t first = 0, n = count_lines(text);
    int from_column = 0;

    timeout(-1);
    for (;;) {
        size_t page = (size_t)MAX(LINES - 2, 1), last = n > page ? n - page : 0;

        first = MIN(first, last);
        draw(title, text, first, from_column);
        switch (getch()) {
        case KEY_UP:
        case 'k':
            first -= first > 0;
            break;
        case KEY_DOWN:
        case 'j':
            first++;
            break;
        case KEY_PPAGE:
            first -= MIN(first, page);
            break;
        case KEY_NPAGE:
        case ' ':
            first += page;
            break;
        case KEY_HOME:
            first = 0;
            break;
        case KEY_END:
            first = last;
            break;
        case KEY_LEFT:
            from_column = MAX(from_column - 16, 0);
            break;
        case KEY_RIGHT:
            from_column = MIN(from_column + 16, 4096);
            break;
        case KEY_RESIZE:
            break;
        case ERR: /* the terminal is gone */
        case 'q':
        case 27:
            return;
        default:
            break;
        }
    }
}
