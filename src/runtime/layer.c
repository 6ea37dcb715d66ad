#include "runtime/layer.h"

#include <errno.h>
#include <string.h>

#define SCAN_DIR "PHP_INI_SCAN_DIR"

/* What the language reads at its start: some paths are its own, some the pool file names. */
typedef struct Paths {
    const char **items;
    size_t n;
    char *folders; /* a copy that the items of lists are in */
} Paths;

static void paths_done(Paths *p)
{
    free(p->items);
    free(p->folders);
}

/* A list with ':' between; the names of a list are at most as many as its bytes. */
static int paths_take(Paths *p, const Engine *engine, const char *file, const char *list)
{
    size_t n = 2;
    char *state = NULL;

    p->folders = strdup(list ? list : "");
    for (const char *const *e = engine->paths; e && *e; e++)
        n++;
    for (const char *c = p->folders; c && *c; c++)
        n += *c == ':';
    p->items = calloc(n + 2, sizeof(*p->items));
    if (!p->folders || !p->items)
        return -ENOMEM;
    for (const char *const *e = engine->paths; e && *e; e++)
        p->items[p->n++] = *e;
    if (file)
        p->items[p->n++] = file;
    for (char *f = strtok_r(p->folders, ":", &state); f; f = strtok_r(NULL, ":", &state))
        p->items[p->n++] = f;
    return 0;
}

int layer_enter(const RuntimeSpec *spec, const Engine *engine, LandlockOutcome *ret)
{
    _cleanup_(paths_done) Paths paths = {0};
    const char *scan_dir = spec->php_ini_scan_dir ? spec->php_ini_scan_dir : getenv(SCAN_DIR);
    LandlockWish wish = {
        .read = {spec->read_paths, spec->n_read_paths},
        .write = {spec->write_paths, spec->n_write_paths},
        .exec = {spec->exec_paths, spec->n_exec_paths},
        .tcp = {spec->tcp_ports, spec->n_tcp_ports},
        .abstract_sockets = spec->abstract_sockets,
        .optional = spec->landlock_optional,
        .root = spec->chroot,
    };
    int r = paths_take(&paths, engine, spec->php_ini, scan_dir);

    if (r < 0) {
        *ret = (LandlockOutcome){.text = "out of memory"};
        return r;
    }
    wish.language = paths.items;
    return landlock_confine(&wish, landlock_find_abi(), ret);
}
