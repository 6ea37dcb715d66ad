#include "base/fd.h"
#include "ctl/compare.h"
#include "ctl/import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INI_MAX_BYTES (1024 * 1024)

const ImportPlaces import_places = {
    .nginx = "/etc/nginx",
    .apache = "/etc/apache2",
};

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 && (path[n] == 0 || path[n] == '/');
}

typedef enum Visibility {
    SHOWN, /* as PHP-FPM's pools have it, or nothing that a site writes to */
    READ_ONLY,
    HIDDEN,
    PRIVATE_TMP,
} Visibility;

/* What the sandbox of fpmd@.service makes of a folder. */
static Visibility visibility(const char *path)
{
    static const struct {
        const char *folder;
        Visibility visibility;
    } table[] = {
        {"/var/tmp", PRIVATE_TMP}, {"/tmp", PRIVATE_TMP}, {"/home", HIDDEN}, {"/root", HIDDEN},
        {"/run/user", HIDDEN},     {"/var", SHOWN},       {"/srv", SHOWN},   {"/usr", SHOWN},
        {"/etc", SHOWN},           {"/bin", SHOWN},       {"/sbin", SHOWN},  {"/lib", SHOWN},
        {"/proc", SHOWN},          {"/sys", SHOWN},       {"/dev", SHOWN},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (is_below(path, table[i].folder))
            return table[i].visibility;
    return path[1] ? READ_ONLY : SHOWN;
}

static const char *const seen_as[] = {
    [READ_ONLY] = "is read-only for the unit",
    [HIDDEN] = "is hidden from the unit",
    [PRIVATE_TMP] = "is not in the private /tmp of the unit",
};

/* Whether the pool file or an earlier root names the folder already, or one above it. */
static bool is_asked_for(const ImportPool *pool, const char *path)
{
    const WordList *words = &pool->config->unit_read_write_paths;

    for (size_t i = 0; i < words->n; i++)
        if (is_below(path, words->items[i]))
            return true;
    return false;
}

static int ask_for(ImportPool *pool, const char *path)
{
    WordList *words = &pool->config->unit_read_write_paths;
    char **grown = reallocarray(words->items, words->n + 1, sizeof(*grown)), *copy = strdup(path);

    if (grown)
        words->items = grown;
    if (!grown || !copy) {
        free(copy);
        return -ENOMEM;
    }
    grown[words->n++] = copy;
    return texts_add(&pool->write_paths, "%s", path);
}

static int examine_root(ImportPool *pool, const WebSite *site, const char *root)
{
    _cleanup_free_ char *path = strdup(root);
    size_t variable = strcspn(root, "$%"), n;
    Visibility v;

    if (!path)
        return -ENOMEM;
    if (root[variable]) { /* /srv/$host/htdocs: as far as it is known */
        path[variable] = 0;
        *MAX(strrchr(path, '/'), path) = 0;
    }
    n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        path[--n] = 0;
    if (path[0] != '/' || is_asked_for(pool, path))
        return 0;
    v = visibility(path);
    if (v == SHOWN)
        return 0;
    if (root[variable] || strpbrk(path, " ;\"'") || !text_is_plain(path) ||
        strcmp(path, "/home") == 0)
        return texts_add(&pool->looks,
                         "document root %s (%s:%u) %s: add the folders that this pool needs to "
                         "unit.read_write_paths",
                         root, site->file, site->line, seen_as[v]);
    if (texts_add(&pool->looks, "document root %s (%s:%u) %s: added to unit.read_write_paths", path,
                  site->file, site->line, seen_as[v]) < 0)
        return -ENOMEM;
    return ask_for(pool, path);
}

/* Debian's packages make this link to the socket of their www.conf while PHP-FPM runs. */
static bool is_debians_link(const ImportPool *pool, const char *target)
{
    char version[16];

    return strcmp(target, "/run/php/php-fpm.sock") == 0 && access(target, F_OK) < 0 &&
           source_version(pool->file->path, version) &&
           strcmp(path_base(pool->file->path), "www.conf") == 0;
}

/* Whether a path is a link that leads to the pool's socket, or did while PHP-FPM ran. */
static bool is_alias(const ImportPool *pool, const char *target, const char *path)
{
    _cleanup_free_ char *real = NULL;
    struct stat st;

    if (strcmp(target, path) == 0)
        return false;
    /* Asked for each pool and each site. */
    if (lstat(target, &st) == 0 && S_ISLNK(st.st_mode))
        real = realpath(target, NULL);
    return real ? strcmp(real, path) == 0 : is_debians_link(pool, target);
}

static int find_alias(ImportPool *pool, const WebSite *site, const char *path)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < site->targets.n; i++) {
        _cleanup_free_ char *target = web_target_path(site->targets.items[i]);

        if (target && text_is_plain(target) && is_alias(pool, target, path) &&
            !texts_has(&pool->aliases, target)) {
            r = texts_add(&pool->aliases, "%s", target);
            if (r == 0)
                r = texts_add(
                    &pool->looks,
                    "%s:%u uses the link %s, which is PHP-FPM's own: the socket unit makes "
                    "it from now on",
                    site->file, site->line, target);
        }
    }
    return r;
}

static bool reaches(const WebSites *sites, const WebSite *site, const ImportPool *pool)
{
    for (size_t i = 0; i < pool->config->n_listen; i++) {
        const ListenAddress *a = &pool->config->listen[i];

        if (web_site_reaches(sites, site, a->path, a->kind == LISTEN_TCP ? a->port : 0))
            return true;
        for (size_t k = 0; k < pool->aliases.n; k++)
            if (web_site_reaches(sites, site, pool->aliases.items[k], 0))
                return true;
    }
    return false;
}

static int examine_sites(ImportPool *pool, const WebSites *sites)
{
    bool all = false;
    int r = 0;

    for (size_t i = 0; r == 0 && i < sites->n; i++)
        for (size_t k = 0; r == 0 && k < pool->config->n_listen; k++)
            /* Symlinks= is for units with one address. */
            if (pool->config->listen[k].kind == LISTEN_UNIX && pool->config->n_listen == 1)
                r = find_alias(pool, &sites->items[i], pool->config->listen[k].path);
    for (size_t i = 0; i < sites->n; i++)
        all |= sites->items[i].everywhere && reaches(sites, &sites->items[i], pool);
    for (size_t i = 0; r == 0 && i < sites->n; i++)
        if (all || reaches(sites, &sites->items[i], pool))
            for (size_t k = 0; r == 0 && k < sites->items[i].roots.n; k++)
                r = examine_root(pool, &sites->items[i], sites->items[i].roots.items[k]);
    return r;
}

int import_examine_web(Import *import, ImportPool *pool)
{
    int r;

    /* A pool with a root of its own sees other paths than the web server. */
    if (pool->config->chroot)
        return 0;
    r = examine_sites(pool, &import->nginx);
    return r < 0 ? r : examine_sites(pool, &import->apache);
}

/* Value of a directive in a php.ini, NULL: not given, or no memory. */
static char *read_ini(const char *path, const char *key)
{
    _cleanup_free_ char *text = NULL, *value = NULL;
    char *state = NULL;

    if (!path || fd_read_file(path, INI_MAX_BYTES, &text, NULL) < 0)
        return NULL;
    for (char *p = strtok_r(text, "\n", &state); p; p = strtok_r(NULL, "\n", &state)) {
        p += strspn(p, " \t");
        if (strncmp(p, key, strlen(key)) != 0)
            continue;
        p += strlen(key);
        p += strspn(p, " \t");
        if (*p != '=')
            continue;
        p += 1 + strspn(p + 1, " \t\"'");
        free(value);
        value = strndup(p, strcspn(p, ";\"'\r"));
    }
    return TAKE_PTR(value);
}

/* What php.ini says is as good as the pool's own word, for the time of the question. */
static int check_mail(PoolConfig *c, const char *from_ini, ConfigIssues *issues)
{
    IniSetting *grown = reallocarray(c->ini, c->n_ini + 1, sizeof(*grown));
    char key[] = "sendmail_path";

    if (!grown)
        return -ENOMEM;
    c->ini = grown;
    if (from_ini)
        grown[c->n_ini++] =
            (IniSetting){.kind = INI_VALUE, .key = key, .text = (char *)(uintptr_t)from_ini};
    sendmail_check(c, issues);
    c->n_ini -= from_ini != NULL;
    return 0;
}

int import_examine_mail(Import *import, ImportPool *pool)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_free_ char *from_ini = NULL;
    char version[16], path[64];
    bool own = false;
    int r;

    for (size_t i = 0; i < pool->config->n_ini; i++)
        own |= strcmp(pool->config->ini[i].key, "sendmail_path") == 0;
    if (!own && source_version(pool->file->path, version)) {
        snprintf(path, sizeof(path), "/etc/php/%s/fpm/php.ini", version);
        from_ini = read_ini(path, "sendmail_path");
    }
    r = check_mail(pool->config, from_ini && *from_ini ? from_ini : NULL, &issues);
    for (size_t i = 0; r == 0 && i < issues.n; i++)
        r = texts_add_once(own ? &pool->looks : &import->looks, issues.items[i].text);
    return r;
}

/* PHP-FPM has opened its logs as root. */
int import_examine_logs(ImportPool *pool)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    int r = logs_check(FPMD_MANAGER_USER, pool->config, CONFIG_WARNING, &issues);

    for (size_t i = 0; r == 0 && i < issues.n; i++)
        r = texts_add_once(&pool->looks, issues.items[i].text);
    return r;
}
