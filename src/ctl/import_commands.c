#include "ctl/import.h"

#include <stdio.h>
#include <string.h>

/* Pools that one service of PHP-FPM has now. */
typedef struct Switch {
    const Import *import;
    const char *fpm_unit;
    Texts files;   /* whose pools all go */
    Texts shared;  /* that keep other pools */
    bool is_whole; /* nothing stays with PHP-FPM */
} Switch;

static void switch_done(Switch *s)
{
    texts_done(&s->files);
    texts_done(&s->shared);
}

static bool is_of(const Switch *s, const ImportPool *pool)
{
    return !import_is_refused(pool) && strcmp(pool->fpm_unit, s->fpm_unit) == 0;
}

static bool stays(const Switch *s, const char *file)
{
    for (size_t i = 0; i < s->import->n_pools; i++)
        if (strcmp(s->import->pools[i].file->path, file) == 0 &&
            import_is_refused(&s->import->pools[i]))
            return true;
    return false;
}

/* Files beside the imported ones have pools that stay. */
static bool has_others(const Switch *s, const char *folder)
{
    _cleanup_(sources_done) Sources all = {0};

    if (sources_add(&all, folder) < 0)
        return false;
    for (size_t i = 0; i < all.n_pools; i++) {
        const char *path = all.files[all.pools[i].file].path;

        if (!texts_has(&s->files, path))
            return true;
    }
    return false;
}

static int collect(Switch *s)
{
    _cleanup_texts_ Texts folders = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->import->n_pools; i++) {
        const char *path = s->import->pools[i].file->path;
        _cleanup_free_ char *folder = path_folder(path);

        if (!folder)
            return -1;
        if (!is_of(s, &s->import->pools[i]))
            continue;
        r = texts_add_once(stays(s, path) ? &s->shared : &s->files, path);
        if (r == 0)
            r = texts_add_once(&folders, folder);
    }
    s->is_whole = s->shared.n == 0;
    for (size_t i = 0; i < folders.n; i++)
        s->is_whole &= !has_others(s, folders.items[i]);
    return r;
}

/* fpmd@a.socket, or for several a form that the shell expands. */
static int print_units(const Switch *s, Buffer *b, const char *suffix)
{
    size_t n = 0, k = 0;
    int r = 0;

    for (size_t i = 0; i < s->import->n_pools; i++)
        n += is_of(s, &s->import->pools[i]);
    r = buffer_printf(b, " fpmd@%s", n > 1 ? "{" : "");
    for (size_t i = 0; r == 0 && i < s->import->n_pools; i++)
        if (is_of(s, &s->import->pools[i]))
            r = buffer_printf(b, "%s%s", k++ > 0 ? "," : "", s->import->pools[i].source->name);
    return r < 0 ? r : buffer_printf(b, "%s.%s", n > 1 ? "}" : "", suffix);
}

static int print_moves(const Switch *s, Buffer *b, const char *command)
{
    int r = s->files.n > 0 ? buffer_printf(b, "    for f in") : 0;

    for (size_t i = 0; r == 0 && i < s->files.n; i++)
        r = buffer_printf(b, " %s", s->files.items[i]);
    return r < 0 || s->files.n == 0 ? r : buffer_printf(b, "; do %s; done\n", command);
}

static int print_wait_at(Buffer *b, const ListenAddress *a)
{
    if (a->kind == LISTEN_UNIX)
        return buffer_printf(b, "    while test -S '%s'; do sleep 0.1; done\n", a->path);
    return buffer_printf(b, "    while ss -Hltn 'sport = %u' | grep -q .; do sleep 0.1; done\n",
                         a->port);
}

/* A reload of PHP-FPM returns before the sockets are given up, and their paths removed. */
static int print_wait(const Switch *s, Buffer *b)
{
    int r = 0;

    for (size_t i = 0; i < s->import->n_pools; i++) {
        const PoolConfig *c = s->import->pools[i].config;

        for (size_t k = 0; r == 0 && is_of(s, &s->import->pools[i]) && k < c->n_listen; k++)
            r = print_wait_at(b, &c->listen[k]);
    }
    return r;
}

static int print_away(const Switch *s, Buffer *b)
{
    int r;

    if (s->is_whole)
        return buffer_printf(b, "    systemctl disable --now %s\n", s->fpm_unit);
    r = print_moves(s, b, "mv $f $f.moved");
    for (size_t i = 0; r == 0 && i < s->shared.n; i++)
        r = buffer_printf(b, "    # take the sections of the imported pools out of %s\n",
                          s->shared.items[i]);
    if (r == 0)
        r = buffer_printf(b, "    systemctl reload %s\n", s->fpm_unit);
    return r < 0 ? r : print_wait(s, b);
}

static int print_back(const Switch *s, Buffer *b)
{
    int r;

    if (s->is_whole)
        return buffer_printf(b, "    systemctl enable --now %s\n", s->fpm_unit);
    r = print_moves(s, b, "mv $f.moved $f");
    for (size_t i = 0; r == 0 && i < s->shared.n; i++)
        r = buffer_printf(b, "    # put the sections back into %s\n", s->shared.items[i]);
    return r < 0 ? r : buffer_printf(b, "    systemctl reload %s\n", s->fpm_unit);
}

static int print_switch(const Switch *s, Buffer *b)
{
    int r = buffer_printf(b, "\nTo switch from %s to fpmd, in this order:\n", s->fpm_unit);

    if (r == 0)
        r = print_away(s, b);
    if (r == 0)
        r = buffer_printf(b, "    systemctl enable --now");
    if (r == 0)
        r = print_units(s, b, "socket");
    if (r == 0)
        r = buffer_printf(b, "\nAnd back:\n    systemctl disable --now");
    if (r == 0)
        r = print_units(s, b, "socket");
    if (r == 0)
        r = print_units(s, b, "service");
    if (r == 0)
        r = buffer_printf(b, "\n");
    if (r == 0)
        r = print_back(s, b);
    return r < 0 ? r : buffer_printf(b, "    fpmctl import --undo\n");
}

int import_print_commands(const Import *import, Buffer *b)
{
    _cleanup_texts_ Texts units = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < import->n_pools; i++)
        if (!import_is_refused(&import->pools[i]))
            r = texts_add_once(&units, import->pools[i].fpm_unit);
    for (size_t i = 0; r == 0 && i < units.n; i++) {
        _cleanup_(switch_done) Switch s = {.import = import, .fpm_unit = units.items[i]};

        r = collect(&s);
        if (r == 0)
            r = print_switch(&s, b);
    }
    return r;
}
