#include "ctl/import.h"
#include "base/exit_status.h"
#include "ctl/apply.h"
#include "ctl/dropin.h"
#include "unit/wants.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The drop-ins of one pool that apply writes. */
typedef struct Applied {
    char *was[_UNIT_KIND_MAX];
} Applied;

static void import_done(Import *import)
{
    import_pools_done(import);
    sources_done(&import->sources);
    web_sites_done(&import->nginx);
    web_sites_done(&import->apache);
    texts_done(&import->moved);
    texts_done(&import->looks);
    free(import->config_dir);
    units_close(import->units);
}

static void applied_free(Applied *applied, size_t n)
{
    for (size_t i = 0; applied && i < n; i++)
        for (size_t k = 0; k < _UNIT_KIND_MAX; k++)
            free(applied[i].was[k]);
    free(applied);
}

static int collect(Import *import, int n, char **operands)
{
    for (int i = 0; i < n; i++) {
        int r = sources_add(&import->sources, operands[i]);

        if (r < 0) {
            ctl_complain("%s: %s", operands[i], strerror(-r));
            return r;
        }
    }
    if (import->sources.n_pools > 0)
        return 0;
    for (size_t i = 0; i < import->sources.problems.n; i++)
        ctl_complain("%s", import->sources.problems.items[i]);
    ctl_complain("there is no pool in what is to be imported: a pool file, a folder of them or a "
                 "php-fpm.conf is expected");
    return -ENOENT;
}

static int make_pools(Import *import)
{
    const Sources *s = &import->sources;

    import->pools = calloc(s->n_pools, sizeof(*import->pools));
    if (!import->pools)
        return -ENOMEM;
    import->n_pools = s->n_pools;
    for (size_t i = 0; i < s->n_pools; i++)
        import->pools[i] =
            (ImportPool){.source = &s->pools[i], .file = &s->files[s->pools[i].file]};
    return 0;
}

static int examine(Import *import)
{
    int r = web_read_nginx(&import->nginx, import->places->nginx);

    if (r == 0)
        r = web_read_apache(&import->apache, import->places->apache);
    if (r == 0)
        r = import_examine_globals(import);
    if (r == 0)
        r = make_pools(import);
    for (size_t i = 0; r == 0 && i < import->n_pools; i++)
        r = import_examine(import, &import->pools[i]);
    return r < 0 ? r : import_examine_all(import);
}

/* Unchanged ones, too: their units may have been changed. */
static bool is_applied(const ImportPool *pool)
{
    return !import_is_refused(pool);
}

static int read_dropins(const Import *import, const ImportPool *pool, Applied *ret)
{
    int r = 0;

    for (int k = 0; r == 0 && is_applied(pool) && k < _UNIT_KIND_MAX; k++) {
        char name[256];

        unit_name((UnitKind)k, pool->source->name, name);
        r = dropin_read(import->ctl->unit_dir, name, &ret->was[k]);
    }
    return r;
}

/* 1 when any of them has changed, 0 or -errno. */
static int record_dropins(const Import *import, const ImportPool *pool, const Applied *before,
                          const Applied *after, Record *record)
{
    bool changed = false;
    int r = 0;

    for (int k = 0; r == 0 && k < _UNIT_KIND_MAX; k++) {
        const char *was = before->was[k], *is = after->was[k];
        _cleanup_free_ char *path = NULL;
        char name[256];

        if (was && is ? strcmp(was, is) == 0 : was == is)
            continue;
        unit_name((UnitKind)k, pool->source->name, name);
        if (asprintf(&path, "%s/%s.d/" APPLY_DROPIN, import->ctl->unit_dir, name) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        r = record_add_file(record, path, is, is ? strlen(is) : 0, was, was ? strlen(was) : 0);
        changed = true;
    }
    return r < 0 ? r : changed;
}

static bool wrote_units(const Import *import)
{
    for (size_t i = 0; i < import->n_pools; i++)
        if (import->pools[i].aliases.n > 0)
            return true;
    return false;
}

/* Gives the units of all imported pools what their files ask for. Returns the exit status, or
 * -errno when what was done could not be recorded. */
static int apply(const Import *import, Record *record)
{
    Applied *before = calloc(import->n_pools, sizeof(*before));
    Applied *after = calloc(import->n_pools, sizeof(*after));
    _cleanup_free_ char **names = calloc(import->n_pools, sizeof(*names));
    static char *const reload[] = {(char *)(uintptr_t) "daemon-reload", NULL};
    /* What to start, and when, is said by our own commands: PHP-FPM may still listen there. */
    ApplyOptions options = {.no_reload = true};
    bool changed = wrote_units(import);
    int r = before && after && names ? 0 : -ENOMEM, status = EXIT_STATUS_OK;
    size_t n = 0;

    for (size_t i = 0; r == 0 && i < import->n_pools; i++) {
        if (is_applied(&import->pools[i]))
            names[n++] = import->pools[i].source->name;
        r = read_dropins(import, &import->pools[i], &before[i]);
    }
    if (r == 0 && n > 0)
        status = apply_pools(import->ctl, &options, names, n);
    for (size_t i = 0; r == 0 && i < import->n_pools; i++) {
        r = read_dropins(import, &import->pools[i], &after[i]);
        if (r == 0)
            r = record_dropins(import, &import->pools[i], &before[i], &after[i], record);
        changed |= r > 0;
        r = MIN(r, 0);
    }
    if (r == 0 && changed && ctl_systemctl(import->ctl, reload) < 0)
        status = EXIT_STATUS_FAILURE;
    applied_free(before, import->n_pools);
    applied_free(after, import->n_pools);
    return r < 0 ? r : status;
}

static int write_all(Import *import, Record *record)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < import->n_pools; i++)
        if (!import_is_refused(&import->pools[i]))
            r = import_write(import, &import->pools[i], record);
    return r;
}

static int print(const Import *import, int (*write)(const Import *, Buffer *))
{
    _cleanup_buffer_ Buffer b = {0};
    int r = write(import, &b);

    if (r < 0)
        return r;
    return ctl_print(&b) == EXIT_STATUS_OK ? 0 : -EIO;
}

static bool has_refused(const Import *import)
{
    for (size_t i = 0; i < import->n_pools; i++)
        if (import_is_refused(&import->pools[i]))
            return true;
    return false;
}

static int run(Import *import)
{
    _cleanup_(record_done) Record record = {0};
    int r = examine(import), status = EXIT_STATUS_OK;

    if (r == 0)
        r = record_init(&record, import->config_dir);
    if (r == 0)
        r = write_all(import, &record);
    if (r == 0)
        r = print(import, import_print);
    if (r == 0 && !import->ctl->dry_run) {
        r = apply(import, &record);
        status = r > 0 ? r : status;
    }
    if (r >= 0)
        r = print(import, import_print_commands);
    if (r < 0) {
        ctl_complain("%s; fpmctl import --undo takes back what was done so far", strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    return status != EXIT_STATUS_OK ? status
           : has_refused(import)    ? EXIT_STATUS_CONFIG
                                    : EXIT_STATUS_OK;
}

int verb_import(const Ctl *ctl, int n, char **operands)
{
    _cleanup_(import_done) Import import = {.ctl = ctl, .places = &import_places};

    if (ctl->user) {
        ctl_complain("import is for pools of the system: --user has no place in it");
        return EXIT_STATUS_USAGE;
    }
    if (ctl->undo != (n == 0)) {
        ctl_complain("usage: fpmctl import PATH... | --undo");
        return EXIT_STATUS_USAGE;
    }
    import.config_dir = strndup(ctl->config_dir, strcspn(ctl->config_dir, ":"));
    if (!import.config_dir)
        return EXIT_STATUS_FAILURE;
    if (ctl->undo)
        return import_undo(ctl, import.config_dir);
    if (collect(&import, n, operands) < 0)
        return EXIT_STATUS_FAILURE;
    if (units_open(&import.units, false) < 0)
        import.units = NULL; /* whether a pool runs already is then not known */
    return run(&import);
}
