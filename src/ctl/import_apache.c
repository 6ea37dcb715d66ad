#include "ctl/import_web.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define DEPTH_MAX      16 /* of includes */
#define WORDS_MAX      16
#define LINE_MAX_BYTES 8192 /* Apache's own limit */

typedef struct Apache {
    WebSites *sites;
    const char *dir;
    size_t everywhere; /* index of the site of what is outside of VirtualHosts */
    ssize_t host;      /* index of the VirtualHost, -1: outside */
    ssize_t name;      /* index of the <Proxy>, -1: outside */
    Texts variables;   /* NAME, value, NAME, value, … of Define */
    unsigned depth;
} Apache;

static int include(Apache *a, const char *pattern);

static const char *find_variable(const Apache *a, const char *name, size_t n)
{
    for (size_t i = 0; i + 1 < a->variables.n; i += 2)
        if (strlen(a->variables.items[i]) == n && memcmp(a->variables.items[i], name, n) == 0)
            return a->variables.items[i + 1];
    return NULL;
}

/* One word of a line, with ${NAME} of Define put in; a longer one is cut. Returns its end. */
static const char *next_word(const Apache *a, const char *p, char *ret, size_t size)
{
    char quote = *p == '"' || *p == '\'' ? *p++ : 0;
    size_t n = 0;

    while (*p && (quote ? *p != quote : !isspace((unsigned char)*p))) {
        const char *close = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;
        const char *value = close ? find_variable(a, p + 2, (size_t)(close - p) - 2) : NULL;

        if (value) {
            n += (size_t)snprintf(ret + n, size - n, "%s", value);
            n = MIN(n, size - 1);
            p = close + 1;
        } else {
            p += p[0] == '\\' && quote && p[1] == quote;
            if (n < size - 1)
                ret[n++] = *p;
            p++;
        }
    }
    ret[n] = 0;
    return quote && *p ? p + 1 : p;
}

static size_t split(const Apache *a, const char *line, char words[][512])
{
    size_t n = 0;

    while (n < WORDS_MAX) {
        while (isspace((unsigned char)*line))
            line++;
        if (!*line)
            break;
        line = next_word(a, line, words[n++], 512);
    }
    return n;
}

/* "<VirtualHost *:80>", "</Proxy>": the last word without its '>'. */
static void cut_bracket(char *word)
{
    size_t n = strlen(word);

    if (n > 0 && word[n - 1] == '>')
        word[n - 1] = 0;
}

static int take_section(Apache *a, const char *file, unsigned line, char words[][512], size_t n)
{
    cut_bracket(words[n - 1]);
    if (strcasecmp(words[0], "</VirtualHost") == 0)
        a->host = -1;
    else if (strcasecmp(words[0], "</Proxy") == 0)
        a->name = -1;
    else if (strcasecmp(words[0], "<VirtualHost") == 0) {
        a->host = web_add_site(a->sites, file, line);
        return a->host < 0 ? -ENOMEM : 0;
    }
    if (strcasecmp(words[0], "<Proxy") == 0 && n > 1) {
        const char *url = strrchr(words[1], '|');
        WebName *name = web_add_name(a->sites, url ? url + 1 : words[1]);

        if (!name || (url && texts_add(&name->targets, "%s", words[1]) < 0))
            return -ENOMEM;
        a->name = (ssize_t)a->sites->n_names - 1;
    }
    return 0;
}

static int take_targets(Texts *targets, char words[][512], size_t n)
{
    int r = 0;

    for (size_t i = 1; r == 0 && i < n; i++)
        if (strstr(words[i], "unix:/") || strstr(words[i], "fcgi://") ||
            strstr(words[i], "balancer://"))
            r = texts_add_once(targets, words[i]);
    return r;
}

static int take_line(Apache *a, const char *file, unsigned line, char words[][512], size_t n)
{
    WebSite *site;

    if (n == 0 || words[0][0] == '#')
        return 0;
    if (words[0][0] == '<')
        return take_section(a, file, line, words, n);
    if (n < 2)
        return 0;
    if (strcasecmp(words[0], "Include") == 0 || strcasecmp(words[0], "IncludeOptional") == 0)
        return include(a, words[1]);
    if (strcasecmp(words[0], "Define") == 0) {
        int r = n > 2 ? texts_add(&a->variables, "%s", words[1]) : 0;

        return r == 0 && n > 2 ? texts_add(&a->variables, "%s", words[2]) : r;
    }
    site = &a->sites->items[a->host >= 0 ? (size_t)a->host : a->everywhere];
    if (strcasecmp(words[0], "DocumentRoot") == 0 ||
        strcasecmp(words[0], "VirtualDocumentRoot") == 0)
        return texts_add_once(&site->roots, words[1]);
    if (strcasecmp(words[0], "Alias") == 0)
        return n > 2 ? texts_add_once(&site->roots, words[2]) : 0;
    return take_targets(a->name >= 0 ? &a->sites->names[a->name].targets : &site->targets, words,
                        n);
}

/* The next line without its end; a backslash at the end goes on with the one after it. A line
 * longer than size is cut. */
static bool next_line(const char **p, const char *end, unsigned *line, char *ret, size_t size)
{
    size_t n = 0;
    bool more = true;

    if (*p >= end)
        return false;
    while (more && *p < end) {
        const char *newline = memchr(*p, '\n', (size_t)(end - *p));
        const char *stop = newline ? newline : end;
        size_t length = (size_t)(stop - *p);

        length -= length > 0 && (*p)[length - 1] == '\r';
        more = length > 0 && (*p)[length - 1] == '\\';
        length -= more;
        length = MIN(length, size - 1 - n);
        memcpy(ret + n, *p, length);
        n += length;
        *p = newline ? newline + 1 : end;
        ++*line;
    }
    ret[n] = 0;
    return true;
}

static int read_file(Apache *a, const char *path)
{
    _cleanup_free_ char *content = NULL, *text = malloc(LINE_MAX_BYTES);
    char words[WORDS_MAX][512];
    const char *p, *end;
    unsigned line = 0;
    size_t size;
    int r;

    if (!text)
        return -ENOMEM;
    if (a->depth >= DEPTH_MAX)
        return 0;
    r = web_read_file(a->sites, path, &content, &size);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    a->depth++;
    p = content;
    end = content + size;
    while (r == 0 && next_line(&p, end, &line, text, LINE_MAX_BYTES))
        r = take_line(a, path, line, words, split(a, text, words));
    a->depth--;
    return r;
}

/* A folder stands for its files. */
static int include(Apache *a, const char *pattern)
{
    _cleanup_free_ char *path = NULL;
    bool absolute = pattern[0] == '/';
    glob_t found = {0};
    struct stat st;
    int r;

    if (a->depth >= DEPTH_MAX || !web_may_include(a->sites))
        return 0;
    if (asprintf(&path, "%s%s%s", absolute ? "" : a->dir, absolute ? "" : "/", pattern) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = glob(path, 0, NULL, &found) == GLOB_NOSPACE ? -ENOMEM : 0;
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
        char below[512];

        if (stat(found.gl_pathv[i], &st) < 0)
            continue;
        snprintf(below, sizeof(below), "%.*s/*", (int)sizeof(below) - 8, found.gl_pathv[i]);
        if (S_ISDIR(st.st_mode))
            r = a->depth++ < DEPTH_MAX ? include(a, below) : 0;
        else
            r = read_file(a, found.gl_pathv[i]);
        a->depth -= S_ISDIR(st.st_mode);
    }
    globfree(&found);
    return r;
}

int web_read_apache(WebSites *w, const char *dir)
{
    static const char *const folders[] = {"conf-enabled/*.conf", "sites-enabled/*.conf"};
    Apache a = {.sites = w, .dir = dir, .host = -1, .name = -1};
    ssize_t outside = web_add_site(w, dir, 0);
    size_t before = w->n_files;
    int r;

    if (outside < 0)
        return -ENOMEM;
    a.everywhere = (size_t)outside;
    w->items[outside].everywhere = true;
    r = include(&a, "apache2.conf");
    for (size_t i = 0; r == 0 && w->n_files == before && i < ARRAY_SIZE(folders); i++)
        r = include(&a, folders[i]);
    texts_done(&a.variables);
    return r;
}
