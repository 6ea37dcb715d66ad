#include "ctl/import_walk.h"
#include "base/fd.h"
#include "conf/directives.h"
#include "conf/lexer.h"
#include "conf/value.h"

#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What Debian's PHP-FPM was built with. */
#define PREFIX "/usr"

/* Of Walk.pool. */
enum {
    PLACE_GLOBAL = -1, /* or no section yet */
    PLACE_PASSED_OVER = -2,
};

/* Where the reading of one file stands. */
typedef struct Walk {
    Sources *sources;
    size_t file;  /* index */
    ssize_t pool; /* index, or PLACE_… */
    unsigned depth;
    bool only_globals;
    size_t line_start; /* byte at which the line of the item begins */
} Walk;

static SourcePool *find_pool(const Sources *s, const char *name)
{
    for (size_t i = 0; i < s->n_pools; i++)
        if (strcasecmp(s->pools[i].name, name) == 0)
            return &s->pools[i];
    return NULL;
}

static int set_problem(SourcePool *pool, const char *format, ...) _printf_(2, 3);

static int set_problem(SourcePool *pool, const char *format, ...)
{
    va_list args;
    int r;

    if (pool->problem)
        return 0;
    va_start(args, format);
    r = vasprintf(&pool->problem, format, args);
    va_end(args);
    if (r >= 0)
        return 0;
    pool->problem = NULL;
    return -ENOMEM;
}

/* Begins or goes on with a pool at byte from of the file. */
static int add_lines(SourcePool *pool, size_t from, unsigned line)
{
    SourceLines *grown = reallocarray(pool->lines, pool->n_lines + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    pool->lines = grown;
    grown[pool->n_lines++] = (SourceLines){from, from, line, line};
    return 0;
}

static void end_lines(Walk *w, size_t to, unsigned last)
{
    SourcePool *pool = w->pool >= 0 ? &w->sources->pools[w->pool] : NULL;

    if (pool && pool->file == w->file && pool->n_lines > 0) {
        pool->lines[pool->n_lines - 1].to = to;
        pool->lines[pool->n_lines - 1].last = last;
    }
}

/* Comments right above a section's header belong to it. */
static size_t comments_above(const SourceFile *file, size_t at, unsigned *line)
{
    while (at > 0) {
        const char *end = file->text + at - 1;
        const char *before = memrchr(file->text, '\n', (size_t)(end - file->text));
        size_t start = before ? (size_t)(before - file->text) + 1 : 0;

        if (file->text[start] != ';')
            break;
        at = start;
        --*line;
    }
    return at;
}

static int enter_pool(Walk *w, const char *name, unsigned line)
{
    Sources *s = w->sources;
    unsigned first = line;
    size_t from = comments_above(&s->files[w->file], w->line_start, &first);
    SourcePool *pool = find_pool(s, name);
    int r = 0;

    end_lines(w, from, first - 1);
    if (pool && pool->file != w->file) {
        w->pool = PLACE_PASSED_OVER;
        return texts_add(&s->problems,
                         "%s:%u: pool '%s' is in %s:%u, too, and only that one is imported",
                         s->files[w->file].path, line, name, s->files[pool->file].path, pool->line);
    }
    if (!pool) {
        SourcePool *grown = reallocarray(s->pools, s->n_pools + 1, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        s->pools = grown;
        pool = &grown[s->n_pools];
        *pool = (SourcePool){.name = strdup(name), .file = w->file, .line = line};
        if (!pool->name)
            return -ENOMEM;
        s->n_pools++;
        s->files[w->file].n_pools++;
    }
    w->pool = pool - s->pools;
    r = add_lines(pool, from, first);
    if (r == 0 && config_check_pool_name(name) < 0)
        r = set_problem(pool,
                        "'%s' cannot be the instance of a unit: 1 to 64 letters, digits, '_', '.' "
                        "and '-' are expected, not beginning with the last two",
                        name);
    return r;
}

static int add_global(Walk *w, const LexItem *item, unsigned line)
{
    Sources *s = w->sources;
    SourceGlobal *grown = reallocarray(s->globals, s->n_globals + 1, sizeof(*grown));
    SourceGlobal g = {.name = strndup(item->name.p, item->name.n),
                      .value = strndup(item->value.p, item->value.n),
                      .file = strdup(s->files[w->file].path),
                      .line = line};

    if (grown)
        s->globals = grown;
    if (grown && g.name && g.value && g.file) {
        grown[s->n_globals++] = g;
        return 0;
    }
    free(g.name);
    free(g.value);
    free(g.file);
    return -ENOMEM;
}

static bool has_section(const char *path)
{
    _cleanup_free_ char *text = NULL;
    Lexer lexer;
    LexItem item;
    size_t n;

    if (fd_read_file(path, SOURCE_MAX_BYTES, &text, &n) < 0)
        return true; /* reading it again tells why not */
    lexer_init(&lexer, text, n);
    do {
        lexer_next(&lexer, &item);
    } while (item.kind != LEX_END && item.kind != LEX_SECTION);
    return item.kind == LEX_SECTION;
}

/* An include inside of a pool: lines of the pool itself, or further pools. */
static int include_in_pool(Walk *w, const char *pattern, const char *written, const glob_t *found,
                           unsigned line)
{
    SourceFile *file = &w->sources->files[w->file];
    bool sections = false;
    unsigned next = line + 1;
    size_t after;
    const char *end;

    if (written[0] != '/')
        return set_problem(&w->sources->pools[w->pool],
                           "%s:%u: include = %s is relative (PHP-FPM reads %s): write the whole "
                           "path and import again",
                           file->path, line, written, pattern);
    for (size_t i = 0; i < found->gl_pathc; i++)
        sections |= has_section(found->gl_pathv[i]);
    if (!sections)
        return 0;
    /* The line itself stays behind: the others become pools of their own. */
    file->is_split = true;
    end = memchr(file->text + w->line_start, '\n', file->n - w->line_start);
    after = end ? (size_t)(end - file->text) + 1 : file->n;
    end_lines(w, w->line_start, line - 1);
    return add_lines(&w->sources->pools[w->pool], after, next);
}

static int follow(Walk *w, const glob_t *found)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < found->gl_pathc; i++) {
        const char *path = found->gl_pathv[i];

        if (w->pool >= 0 && !has_section(path))
            continue;
        r = source_read(w->sources, path, w->depth + 1, false);
        if (r < 0 && r != -ENOMEM)
            r = texts_add(&w->sources->problems, "%s: cannot be read: %s", path, strerror(-r));
    }
    return r;
}

static int take_include(Walk *w, const LexItem *item, unsigned line)
{
    _cleanup_free_ char *text = NULL, *pattern = NULL;
    const char *error;
    glob_t found = {0};
    int r = value_expand(item->value, &text, &error);

    if (r < 0 || !text[0])
        return r == -ENOMEM ? r : 0; /* the check of the pool complains */
    if (asprintf(&pattern, "%s%s", text[0] == '/' ? "" : PREFIX "/", text) < 0) {
        pattern = NULL;
        return -ENOMEM;
    }
    r = glob(pattern, 0, NULL, &found);
    if (r == GLOB_NOMATCH && w->pool < 0)
        r = texts_add(&w->sources->problems, "%s:%u: include: no file matches %s",
                      w->sources->files[w->file].path, line, pattern);
    else
        r = r == GLOB_NOSPACE ? -ENOMEM : 0;
    if (r == 0 && w->pool >= 0)
        r = include_in_pool(w, pattern, text, &found, line);
    if (r == 0)
        r = follow(w, &found);
    globfree(&found);
    return r;
}

static int take_item(Walk *w, const LexItem *item, unsigned line)
{
    _cleanup_free_ char *name = NULL;
    size_t at;

    if (item->kind == LEX_ENTRY && item->name.n == 7 && memcmp(item->name.p, "include", 7) == 0)
        return w->only_globals || w->pool == PLACE_PASSED_OVER ? 0 : take_include(w, item, line);
    if (item->kind == LEX_ENTRY)
        return w->pool == PLACE_GLOBAL && !item->has_key ? add_global(w, item, line) : 0;
    if (item->kind != LEX_SECTION)
        return 0; /* an error of the file: the check of the pool shows it */
    name = strndup(item->name.p, item->name.n);
    if (!name)
        return -ENOMEM;
    if (strcasecmp(name, "global") != 0)
        return w->only_globals ? 1 : enter_pool(w, name, line);
    at = comments_above(&w->sources->files[w->file], w->line_start, &line);
    end_lines(w, at, line - 1);
    w->pool = PLACE_GLOBAL;
    return 0;
}

/* The byte at which a line begins; lines only grow. */
static size_t line_start(const char *text, size_t n, size_t at, unsigned lines)
{
    while (lines-- > 0) {
        const char *end = memchr(text + at, '\n', n - at);

        at = end ? (size_t)(end - text) + 1 : n;
    }
    return at;
}

static int walk(Walk *w)
{
    /* The list of files may move while includes are followed, the text does not. */
    const char *text = w->sources->files[w->file].text;
    size_t n = w->sources->files[w->file].n;
    unsigned line = 1;
    Lexer lexer;
    LexItem item;
    int r = 0;

    lexer_init(&lexer, text, n);
    while (r == 0) {
        lexer_next(&lexer, &item);
        if (item.kind == LEX_END)
            break;
        w->line_start = line_start(text, n, w->line_start, lexer.line - line);
        line = lexer.line;
        r = take_item(w, &item, line);
    }
    end_lines(w, n, lexer.line);
    return r < 0 ? r : 0;
}

int source_walk(Sources *s, size_t file, unsigned depth, bool only_globals)
{
    Walk w = {.sources = s,
              .file = file,
              .pool = PLACE_GLOBAL,
              .depth = depth,
              .only_globals = only_globals};

    return walk(&w);
}
