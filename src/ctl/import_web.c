#include "ctl/import_web.h"
#include "base/fd.h"
#include "base/parse.h"

#include <errno.h>
#include <string.h>

#define FILE_MAX_BYTES (1024 * 1024)
/* Some thousand sites have some files each, most of them the same ones. */
#define FILES_MAX    65536
#define INCLUDES_MAX 65536
#define BYTES_MAX    (128 * 1024 * 1024)

void web_sites_done(WebSites *w)
{
    for (size_t i = 0; i < w->n; i++) {
        free(w->items[i].file);
        texts_done(&w->items[i].targets);
        texts_done(&w->items[i].roots);
    }
    for (size_t i = 0; i < w->n_names; i++) {
        free(w->names[i].name);
        texts_done(&w->names[i].targets);
    }
    free(w->items);
    free(w->names);
    *w = (WebSites){0};
}

ssize_t web_add_site(WebSites *w, const char *file, unsigned line)
{
    WebSite *grown;

    for (size_t i = 0; i < w->n; i++)
        if (w->items[i].line == line && strcmp(w->items[i].file, file) == 0)
            return (ssize_t)i;
    grown = reallocarray(w->items, w->n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    w->items = grown;
    grown[w->n] = (WebSite){.file = strdup(file), .line = line};
    return grown[w->n].file ? (ssize_t)w->n++ : -ENOMEM;
}

WebName *web_add_name(WebSites *w, const char *name)
{
    WebName *grown = reallocarray(w->names, w->n_names + 1, sizeof(*grown));

    if (!grown)
        return NULL;
    w->names = grown;
    grown[w->n_names] = (WebName){.name = strdup(name)};
    return grown[w->n_names].name ? &grown[w->n_names++] : NULL;
}

static bool is_full(const WebSites *w)
{
    return w->n_files >= FILES_MAX || w->n_bytes >= BYTES_MAX;
}

bool web_may_include(WebSites *w)
{
    return !is_full(w) && w->n_includes++ < INCLUDES_MAX;
}

int web_read_file(WebSites *w, const char *path, char **ret_text, size_t *ret_n)
{
    int r = is_full(w) ? -ENOENT : fd_read_file(path, FILE_MAX_BYTES, ret_text, ret_n);

    w->n_files++;
    if (r == 0)
        w->n_bytes += *ret_n;
    return r == 0 || r == -ENOMEM ? r : -ENOENT;
}

char *web_target_path(const char *word)
{
    const char *p = strstr(word, "unix:");

    if (!p || p[strlen("unix:")] != '/')
        return NULL;
    p += strlen("unix:");
    return strndup(p, strcspn(p, "|;, \t\"'>"));
}

/* The port of "127.0.0.1:9000", "fcgi://[::1]:9000/srv/$1"; 0: none. */
static unsigned target_port(const char *word)
{
    const char *scheme = strstr(word, "fcgi://");
    const char *p = scheme ? scheme + strlen("fcgi://") : word;
    size_t n = strcspn(p, "/|;, \t\"'>");
    const char *colon = memrchr(p, ':', n);
    char text[6] = "";
    uint64_t port;

    if (!colon || (size_t)(p + n - colon) > sizeof(text))
        return 0;
    memcpy(text, colon + 1, (size_t)(p + n - colon) - 1);
    return parse_u64(text, 1, UINT16_MAX, &port) == 0 ? (unsigned)port : 0;
}

static bool word_reaches(const char *word, const char *path, unsigned port)
{
    _cleanup_free_ char *target = web_target_path(word);

    if (target)
        return path && strcmp(target, path) == 0;
    return port > 0 && target_port(word) == port;
}

static bool list_reaches(const Texts *targets, const char *path, unsigned port)
{
    for (size_t i = 0; i < targets->n; i++)
        if (word_reaches(targets->items[i], path, port))
            return true;
    return false;
}

/* nginx names an upstream by itself, Apache in a URL: proxy:balancer://php/. */
static bool word_names(const char *word, const char *name)
{
    const char *p = strstr(word, name);
    char after = p ? p[strlen(name)] : 'x';

    return p && (p == word || strstr(name, "://")) && (after == 0 || after == '/' || after == '|');
}

bool web_site_reaches(const WebSites *w, const WebSite *site, const char *path, unsigned port)
{
    if (list_reaches(&site->targets, path, port))
        return true;
    for (size_t i = 0; i < w->n_names; i++)
        for (size_t k = 0; k < site->targets.n; k++)
            if (word_names(site->targets.items[k], w->names[i].name) &&
                list_reaches(&w->names[i].targets, path, port))
                return true;
    return false;
}
