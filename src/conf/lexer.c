#include "conf/lexer.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static Slice trim(Slice s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

void lexer_init(Lexer *l, const char *text, size_t n)
{
    *l = (Lexer){.p = text, .end = text + n};
}

/* The next line, without its end and without the byte order mark that some editors put first. */
static bool next_line(Lexer *l, Slice *ret)
{
    const char *end;

    if (l->p >= l->end)
        return false;
    end = memchr(l->p, '\n', (size_t)(l->end - l->p));
    if (!end)
        end = l->end;
    *ret = (Slice){l->p, (size_t)(end - l->p)};
    l->p = end < l->end ? end + 1 : end;
    l->line++;
    if (ret->n >= 3 && memcmp(ret->p, "\xef\xbb\xbf", 3) == 0) {
        ret->p += 3;
        ret->n -= 3;
    }
    *ret = trim(*ret);
    return true;
}

/* Cuts the comment off a value; a quote opens only what is closed on the same line. */
static const char *cut_comment(Slice *value)
{
    char quote = 0;

    for (size_t i = 0; i < value->n; i++) {
        char c = value->p[i];

        if (quote == '"' && c == '\\' && i + 1 < value->n)
            i++;
        else if (quote && c == quote)
            quote = 0;
        else if (!quote && (c == '"' || c == '\''))
            quote = c;
        else if (!quote && c == ';') {
            value->n = i;
            break;
        }
    }
    if (quote)
        return "a quote is not closed, expected its end on the same line";
    *value = trim(*value);
    return NULL;
}

static const char *lex_section(Slice line, LexItem *item)
{
    const char *close = memchr(line.p, ']', line.n);
    Slice rest;

    if (!close)
        return "']' is missing, expected a section header like [www]";
    item->name = trim((Slice){line.p + 1, (size_t)(close - line.p) - 1});
    rest = trim((Slice){close + 1, (size_t)(line.p + line.n - close) - 1});
    if (rest.n > 0 && rest.p[0] != ';')
        return "text after a section header, expected the end of the line";
    if (item->name.n == 0)
        return "the section has no name, expected [global] or the name of a pool";
    item->kind = LEX_SECTION;
    return NULL;
}

static const char *lex_key(Slice name, const char *open, LexItem *item)
{
    Slice key = {open + 1, (size_t)(name.p + name.n - open) - 1};

    if (key.n == 0 || key.p[key.n - 1] != ']')
        return "']' is missing, expected name[key] = value";
    key.n--;
    key = trim(key);
    if (key.n >= 2 && (key.p[0] == '"' || key.p[0] == '\'') && key.p[key.n - 1] == key.p[0]) {
        key.p++;
        key.n -= 2;
    }
    item->key = key;
    item->has_key = true;
    item->name = trim((Slice){name.p, (size_t)(open - name.p)});
    return NULL;
}

static const char *lex_entry(Slice line, LexItem *item)
{
    const char *equal = memchr(line.p, '=', line.n), *open, *error;

    if (line.p[0] == '#')
        return "'#' does not begin a comment, expected ';'";
    if (!equal)
        return "there is no '=', expected name = value";
    item->name = trim((Slice){line.p, (size_t)(equal - line.p)});
    open = memchr(item->name.p, '[', item->name.n);
    if (open) {
        error = lex_key(item->name, open, item);
        if (error)
            return error;
    }
    if (item->name.n == 0)
        return "there is no name before '=', expected name = value";
    item->value = (Slice){equal + 1, (size_t)(line.p + line.n - equal) - 1};
    error = cut_comment(&item->value);
    if (error)
        return error;
    item->kind = LEX_ENTRY;
    return NULL;
}

void lexer_next(Lexer *l, LexItem *ret)
{
    Slice line;

    while (next_line(l, &line)) {
        const char *error;

        if (line.n == 0 || line.p[0] == ';')
            continue;
        *ret = (LexItem){0};
        if (memchr(line.p, 0, line.n))
            error = "the line has a NUL byte, expected text";
        else if (line.p[0] == '[')
            error = lex_section(line, ret);
        else
            error = lex_entry(line, ret);
        if (error) {
            ret->kind = LEX_ERROR;
            ret->error = error;
        }
        return;
    }
    *ret = (LexItem){.kind = LEX_END};
}
