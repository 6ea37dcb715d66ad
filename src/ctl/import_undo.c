#include "base/exit_status.h"
#include "ctl/import.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Undo {
    const Ctl *ctl;
    Record record;
    RecordLines lines;
    const RecordLine **kept;
    size_t n_kept;
    size_t n_done;
    bool units_changed;
} Undo;

static void undo_done(Undo *u)
{
    record_done(&u->record);
    record_lines_done(&u->lines);
    free(u->kept);
}

/* Files whose unit is in use would be taken away under it: its socket unit would keep listening at
 * an address that no file names any more. */
static bool is_in_use(const Ctl *ctl, Units *units, const char *pool)
{
    static const char *const folders[] = {
        "fpmd.target.wants",
        "multi-user.target.wants",
    };
    UnitState state = {0};

    /* No service runs without its socket. */
    if (units && units_get(units, pool, "socket", &state) == 0 &&
        (strcmp(state.active, "active") == 0 || strcmp(state.enabled, "enabled") == 0))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        char path[PATH_MAX];
        int n =
            snprintf(path, sizeof(path), "%s/%s/fpmd@%s.service", ctl->unit_dir, folders[i], pool);

        if (n < (int)sizeof(path) && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return true;
    }
    return false;
}

/* Returns whether nothing is in use, or complains. */
static bool check_use(const Undo *u)
{
    _cleanup_(units_closep) Units *units = NULL;
    _cleanup_buffer_ Buffer b = {0};
    size_t n = 0;

    if (units_open(&units, u->ctl->user) < 0)
        units = NULL; /* without systemd nothing of it runs */
    for (size_t i = 0; i < u->lines.n; i++) {
        const RecordLine *line = &u->lines.items[i];

        if (line->kind == RECORD_POOL && is_in_use(u->ctl, units, line->path)) {
            n++;
            if (buffer_printf(&b, " fpmd@%s.socket fpmd@%s.service", line->path, line->path) < 0)
                return false;
        }
    }
    if (n == 0)
        return true;
    ctl_complain("%zu of the pools %s in use; nothing was changed. Stop and disable first:\n"
                 "    systemctl disable --now%.*s",
                 n, n == 1 ? "is" : "are", (int)b.size, b.data);
    return false;
}

/* www.conf.d and fpmd@www.socket.d, if this was their last drop-in. */
static void remove_folder_of(const char *path)
{
    _cleanup_free_ char *folder = path_folder(path);
    const char *name = folder ? path_base(folder) : "";

    if (strstr(name, ".conf.d") || strchr(name, '@'))
        rmdir(folder);
}

/* apply removes the folder of a drop-in that was alone in it. */
static int put_back(const char *path, const FileState *earlier)
{
    _cleanup_free_ char *folder = path_folder(path);

    if (!folder)
        return -ENOMEM;
    if (earlier->kind != FILE_NONE && mkdir(folder, 0755) < 0 && errno != EEXIST)
        return -errno;
    return file_state_write(path, earlier);
}

static int keep(Undo *u, const RecordLine *line, int error)
{
    if (error < 0)
        ctl_complain("%s: %s", line->path, strerror(-error));
    u->kept[u->n_kept++] = line;
    return error;
}

static int take_back(Undo *u, const RecordLine *line)
{
    _cleanup_file_state_ FileState now = {0}, earlier = {0};
    const char *suffix = strrchr(line->path, '@');
    int r = file_state_read(line->path, &now);
    bool is_back;

    if (r == 0)
        r = record_read_earlier(&u->record, line, &earlier);
    if (r < 0)
        return keep(u, line, r);
    /* So it is when the import was cut off, or an earlier --undo. */
    is_back = file_state_is_same(&now, &earlier);
    if (!is_back && !u->ctl->force && !record_is_ours(line, &now)) {
        ctl_complain("%s has been changed since, and is kept (--force %s it)", line->path,
                     line->copy ? "replaces" : "removes");
        return keep(u, line, 0);
    }
    file_state_sweep(line->path);
    if (!is_back)
        r = put_back(line->path, &earlier);
    if (r < 0)
        return keep(u, line, r);
    if (earlier.kind == FILE_NONE)
        remove_folder_of(line->path);
    u->n_done += !is_back;
    u->units_changed |= suffix && (strstr(suffix, ".socket.d/") || strstr(suffix, ".service.d/"));
    return 0;
}

/* The kept lines are in the order of the record again, with the pools. */
static void reverse(const RecordLine **items, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const RecordLine *other = items[n - 1 - i];

        items[n - 1 - i] = items[i];
        items[i] = other;
    }
}

static int run(Undo *u)
{
    static char *const reload[] = {(char *)(uintptr_t) "daemon-reload", NULL};
    size_t n_kept;
    int r = 0, status = 0;

    for (size_t i = u->lines.n; i > 0; i--)
        if (u->lines.items[i - 1].kind != RECORD_POOL) {
            int k = take_back(u, &u->lines.items[i - 1]);

            status = k < 0 ? k : status;
        }
    reverse(u->kept, u->n_kept);
    n_kept = u->n_kept;
    for (size_t i = 0; u->n_kept > 0 && i < u->lines.n; i++)
        if (u->lines.items[i].kind == RECORD_POOL)
            u->kept[u->n_kept++] = &u->lines.items[i];
    r = record_finish(&u->record, u->kept, u->n_kept);
    if (r < 0) {
        ctl_complain("%s: %s", u->record.folder, strerror(-r));
        status = r;
    }
    printf("%zu file%s taken back, %zu kept\n", u->n_done, u->n_done == 1 ? "" : "s", n_kept);
    if (u->units_changed && ctl_systemctl(u->ctl, reload) < 0)
        status = -EIO;
    return status;
}

int import_undo(const Ctl *ctl, const char *config_dir)
{
    _cleanup_(undo_done) Undo u = {.ctl = ctl};
    int r = record_init(&u.record, config_dir);

    if (r == 0)
        r = record_open_last(&u.record);
    if (r == -ENOENT) {
        ctl_complain("there is no import in %s that could be taken back", config_dir);
        return EXIT_STATUS_FAILURE;
    }
    if (r == 0)
        r = record_read(&u.record, &u.lines);
    u.kept = calloc(u.lines.n + 1, sizeof(*u.kept));
    if (r < 0 || !u.kept) {
        ctl_complain("%s/record: %s", u.record.folder ? u.record.folder : config_dir,
                     strerror(r < 0 ? -r : ENOMEM));
        return EXIT_STATUS_FAILURE;
    }
    if (ctl->dry_run) {
        for (size_t i = 0; i < u.lines.n; i++)
            if (u.lines.items[i].kind != RECORD_POOL)
                printf("would be taken back: %s\n", u.lines.items[i].path);
        return EXIT_STATUS_OK;
    }
    if (!check_use(&u))
        return EXIT_STATUS_FAILURE;
    return run(&u) < 0 ? EXIT_STATUS_FAILURE : EXIT_STATUS_OK;
}
