#include "ctl/import.h"
#include "base/exit_status.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

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
        r = import_apply(import, &record);
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

/* Imports have their numbers and their names of temporary files to themselves. 0 or the exit
 * status, having said why; *ret is -1 when nothing is written. */
static int lock(const Import *import, int *ret)
{
    _cleanup_fd_ int fd = -1;

    if (import->ctl->dry_run)
        return 0;
    fd = open(import->config_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && import->ctl->undo)
        return 0; /* there is no import either */
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        ctl_complain("%s: %s", import->config_dir,
                     fd >= 0 && errno == EWOULDBLOCK ? "another import is at work there"
                                                     : strerror(errno));
        return EXIT_STATUS_FAILURE;
    }
    *ret = TAKE_FD(fd);
    return 0;
}

int verb_import(const Ctl *ctl, int n, char **operands)
{
    _cleanup_(import_done) Import import = {.ctl = ctl, .places = &import_places};
    _cleanup_fd_ int locked = -1;
    int r;

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
    umask(022); /* folders are for the manager and systemd to read */
    r = lock(&import, &locked);
    if (r != 0)
        return r;
    if (ctl->undo)
        return import_undo(ctl, import.config_dir);
    if (collect(&import, n, operands) < 0)
        return EXIT_STATUS_FAILURE;
    if (units_open(&import.units, false) < 0)
        import.units = NULL; /* whether a pool runs already is then not known */
    return run(&import);
}
