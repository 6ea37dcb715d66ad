#include "ctl/import_web.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16 /* of blocks and includes together */
#define WORDS_MAX 8  /* of a directive: those that matter have fewer */

typedef struct Nginx {
    WebSites *sites;
    const char *dir;
    Texts http_roots; /* for servers without one */
} Nginx;

/* Where the reading stands. */
typedef struct Text {
    const char *file;
    const char *p, *end;
    unsigned line;
} Text;

/* What the directives of a block are for; all NULL: nothing. */
typedef struct Scope {
    ssize_t site; /* index, -1: none */
    ssize_t name; /* index of an upstream, -1: none */
    unsigned depth;
} Scope;

typedef enum Token {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_SEMICOLON,
} Token;

static int read_file(Nginx *n, const char *path, Scope scope);

static void skip_blanks(Text *t)
{
    while (t->p < t->end) {
        if (*t->p == '#')
            while (t->p < t->end && *t->p != '\n')
                t->p++;
        else if (!isspace((unsigned char)*t->p))
            return;
        else
            t->line += *t->p++ == '\n';
    }
}

static size_t word_length(const Text *t)
{
    size_t n = (size_t)(t->end - t->p);
    char quote = *t->p == '"' || *t->p == '\'' ? *t->p : 0;
    size_t i = quote ? 1 : 0;

    for (; i < n; i++) {
        char c = t->p[i];

        if (c == '\\' && i + 1 < n)
            i++;
        else if (quote && c == quote)
            return i + 1;
        else if (!quote && c == '$' && i + 1 < n && t->p[i + 1] == '{') /* ${name} */
            while (i + 1 < n && t->p[i] != '}')
                i++;
        else if (!quote && (isspace((unsigned char)c) || strchr("{};", c)))
            return i;
    }
    return i;
}

/* A word longer than size is cut. */
static Token next_token(Text *t, char *ret, size_t size)
{
    size_t n, quote;

    skip_blanks(t);
    if (t->p >= t->end)
        return TOKEN_END;
    if (strchr("{};", *t->p))
        return *t->p++ == '{' ? TOKEN_OPEN : t->p[-1] == '}' ? TOKEN_CLOSE : TOKEN_SEMICOLON;
    n = word_length(t);
    quote = n >= 2 && (t->p[0] == '"' || t->p[0] == '\'') ? 1 : 0;
    snprintf(ret, size, "%.*s", (int)MIN(n - 2 * quote, size - 1), t->p + quote);
    for (size_t i = 0; i < n; i++)
        t->line += t->p[i] == '\n';
    t->p += MAX(n, (size_t)1);
    return TOKEN_WORD;
}

static int include(Nginx *n, const char *pattern, Scope scope)
{
    _cleanup_free_ char *path = NULL;
    glob_t found = {0};
    int r;

    if (scope.depth >= DEPTH_MAX || !web_may_include(n->sites))
        return 0;
    if (asprintf(&path, "%s%s%s", pattern[0] == '/' ? "" : n->dir, pattern[0] == '/' ? "" : "/",
                 pattern) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = glob(path, 0, NULL, &found) == GLOB_NOSPACE ? -ENOMEM : 0;
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
        r = read_file(n, found.gl_pathv[i], scope);
        r = r == -ENOMEM ? r : 0;
    }
    globfree(&found);
    return r;
}

/* A directive with its words, outside of the block that may follow it. */
static int take_directive(Nginx *n, char words[][512], size_t count, Scope scope)
{
    Texts *targets = scope.site >= 0   ? &n->sites->items[scope.site].targets
                     : scope.name >= 0 ? &n->sites->names[scope.name].targets
                                       : NULL;
    Texts *roots = scope.site >= 0 ? &n->sites->items[scope.site].roots : &n->http_roots;
    int r = 0;

    if (count < 2)
        return 0;
    if (strcmp(words[0], "include") == 0)
        return include(n, words[1], scope);
    if (scope.name < 0 && (strcmp(words[0], "root") == 0 || strcmp(words[0], "alias") == 0))
        return texts_add_once(roots, words[1]);
    if (!targets)
        return 0;
    if (strcmp(words[0], "fastcgi_pass") == 0 ||
        (scope.name >= 0 && strcmp(words[0], "server") == 0))
        return texts_add_once(targets, words[1]);
    /* set $php unix:/run/…; and the like */
    for (size_t i = 1; r == 0 && i < count; i++)
        if (strncmp(words[i], "unix:/", 6) == 0)
            r = texts_add_once(targets, words[i]);
    return r;
}

/* The scope of the block that a directive opens; 0 or -ENOMEM. */
static int open_block(Nginx *n, const Text *t, char words[][512], size_t count, Scope *scope)
{
    scope->depth++;
    if (count == 1 && scope->site < 0 && strcmp(words[0], "server") == 0) {
        scope->site = web_add_site(n->sites, t->file, t->line);
        return scope->site < 0 ? -ENOMEM : 0;
    }
    if (count == 2 && scope->site < 0 && strcmp(words[0], "upstream") == 0) {
        if (!web_add_name(n->sites, words[1]))
            return -ENOMEM;
        scope->name = (ssize_t)n->sites->n_names - 1;
    }
    return 0;
}

static int read_block(Nginx *n, Text *t, Scope scope)
{
    char words[WORDS_MAX][512], rest[512];
    size_t count = 0;
    int r = 0;

    while (r == 0) {
        Token token = next_token(t, count < WORDS_MAX ? words[count] : rest, sizeof(rest));
        Scope inner = scope;

        if (token == TOKEN_END || token == TOKEN_CLOSE)
            return 0;
        if (token == TOKEN_WORD) {
            count += count < WORDS_MAX;
            continue;
        }
        if (token == TOKEN_SEMICOLON)
            r = take_directive(n, words, count, scope);
        else {
            r = open_block(n, t, words, count, &inner);
            if (r == 0 && inner.depth > DEPTH_MAX)
                return 0;
            if (r == 0)
                r = read_block(n, t, inner);
        }
        count = 0;
    }
    return r;
}

static int read_file(Nginx *n, const char *path, Scope scope)
{
    _cleanup_free_ char *content = NULL;
    size_t size;
    Text t = {.file = path, .line = 1};
    int r;

    if (++scope.depth > DEPTH_MAX)
        return 0;
    r = web_read_file(n->sites, path, &content, &size);
    if (r < 0)
        return r;
    t.p = content;
    t.end = content + size;
    return read_block(n, &t, scope);
}

int web_read_nginx(WebSites *w, const char *dir)
{
    static const char *const folders[] = {"conf.d/*.conf", "sites-enabled/*"};
    Nginx n = {.sites = w, .dir = dir};
    Scope scope = {-1, -1, 0};
    size_t first = w->n;
    int r = include(&n, "nginx.conf", scope);

    /* Without a main file we can read, what Debian's includes. */
    for (size_t i = 0; r == 0 && w->n == first && i < ARRAY_SIZE(folders); i++)
        r = include(&n, folders[i], scope);
    for (size_t i = first; r == 0 && i < w->n; i++)
        for (size_t k = 0; r == 0 && w->items[i].roots.n == 0 && k < n.http_roots.n; k++)
            r = texts_add(&w->items[i].roots, "%s", n.http_roots.items[k]);
    texts_done(&n.http_roots);
    return r;
}
