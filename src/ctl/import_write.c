#include "base/fd.h"
#include "ctl/capabilities.h"
#include "ctl/apply.h"
#include "ctl/import.h"
#include "unit/wants.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4 * 1024 * 1024)

/* A file of a pool: what is there, and what shall be. */
typedef struct Item {
    char *path;
    FileState earlier;
    FileState wanted;
    bool is_begun; /* it may be there, or a part of it */
} Item;

enum {
    ITEM_POOL,   /* NAME.conf */
    ITEM_DROPIN, /* NAME.conf.d/50-import.conf */
    ITEM_SOCKET, /* fpmd@NAME.socket.d/50-import.conf */
    _ITEM_MAX,
};

typedef struct Items {
    Item items[_ITEM_MAX];
} Items;

static void items_done(Items *items)
{
    for (size_t i = 0; i < _ITEM_MAX; i++) {
        free(items->items[i].path);
        file_state_done(&items->items[i].earlier);
        file_state_done(&items->items[i].wanted);
    }
}

static int make_paths(const Import *import, const char *name, Item *items)
{
    if (asprintf(&items[ITEM_POOL].path, "%s/%s.conf", import->config_dir, name) < 0 ||
        asprintf(&items[ITEM_DROPIN].path, "%s/%s.conf.d/" IMPORT_DROPIN, import->config_dir,
                 name) < 0 ||
        asprintf(&items[ITEM_SOCKET].path, "%s/fpmd@%s.socket.d/" IMPORT_DROPIN,
                 import->ctl->unit_dir, name) < 0)
        return -ENOMEM;
    return 0;
}

static int make_wanted(const Import *import, const ImportPool *pool, size_t i, FileState *ret)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = i == ITEM_POOL     ? source_write(&import->sources, pool->source, &b)
            : i == ITEM_DROPIN ? import_make_dropin(pool, &b)
                               : import_make_socket_dropin(pool, &b);
    size_t n = b.size;
    char *text;

    if (r < 0)
        return r;
    text = buffer_steal(&b);
    if (!text)
        return -ENOMEM;
    *ret = (FileState){n > 0 ? FILE_REGULAR : FILE_NONE, text, n, 0644, (uid_t)-1, (gid_t)-1};
    return 0;
}

/* Who may not read the file of PHP-FPM, or the one that is there, may not read the new one: root
 * and the manager may. */
static void set_access(const ImportPool *pool, Item *item)
{
    const FileState *earlier = &item->earlier;
    const struct passwd *manager;

    if (pool->file->mode & 0004 && (earlier->kind != FILE_REGULAR || earlier->mode & 0004))
        return;
    item->wanted.mode = 0640;
    manager = capabilities_has_chown() ? getpwnam(FPMD_MANAGER_USER) : NULL;
    if (manager)
        item->wanted.gid = manager->pw_gid;
}

static int make_items(const Import *import, const ImportPool *pool, Items *ret)
{
    Item *items = ret->items;
    int r = make_paths(import, pool->source->name, items);

    for (size_t i = 0; r == 0 && i < _ITEM_MAX; i++) {
        r = make_wanted(import, pool, i, &items[i].wanted);
        if (r == 0)
            r = file_state_read(items[i].path, &items[i].earlier);
    }
    if (r == 0)
        set_access(pool, &items[ITEM_POOL]);
    return r;
}

/* A link to what would be written is as good. */
static bool is_same(const Item *item)
{
    _cleanup_free_ char *text = NULL;
    size_t n = 0;

    if (item->earlier.kind != FILE_LINK)
        return file_state_is_same(&item->earlier, &item->wanted);
    return fd_read_file(item->path, FILE_MAX_BYTES, &text, &n) == 0 && n > 0 &&
           n == item->wanted.n && memcmp(text, item->wanted.data, n) == 0;
}

/* The pool file that fpmd brings along is nobody's work, as long as it is as it came and no pool
 * runs by it. */
static bool is_as_shipped(const ImportPool *pool, const Item *item)
{
    _cleanup_free_ char *shipped = NULL;
    size_t n = 0;

    return !pool->is_running && item->earlier.kind == FILE_REGULAR &&
           fd_read_file(FPMD_SHIPPED_POOL, FILE_MAX_BYTES, &shipped, &n) == 0 &&
           n == item->earlier.n && memcmp(shipped, item->earlier.data, n) == 0;
}

/* The drop-ins that apply makes of the file afterwards, for those who read what is written. */
static int add_dropins(const Import *import, ImportPool *pool)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_unit_settings_ UnitSettings settings = {0};
    int r = unit_settings_make(pool->config, UNIT_SCOPE_SYSTEM, &issues, &settings);

    for (UnitKind kind = 0; r == 0 && kind < _UNIT_KIND_MAX; kind++) {
        char unit[256];

        if (!unit_settings_has(&settings, kind))
            continue;
        unit_name(kind, pool->source->name, unit);
        r = texts_add(&pool->files, "%s/%s.d/" APPLY_DROPIN, import->ctl->unit_dir, unit);
    }
    return r == -ENOMEM ? r : 0;
}

/* Decides what the import of the pool is. */
static int judge(const Import *import, ImportPool *pool, const Items *items)
{
    bool same = true, earlier = false;
    int r = 0;

    for (size_t i = 0; r == 0 && i < _ITEM_MAX; i++) {
        const Item *item = &items->items[i];

        if (is_same(item))
            continue;
        same = false;
        earlier |= item->earlier.kind != FILE_NONE;
        if (item->earlier.kind == FILE_NONE || import->ctl->force ||
            (i == ITEM_POOL && is_as_shipped(pool, item)))
            continue;
        r = buffer_printf(&pool->issues,
                          "%s is there and differs; --force replaces it, and --undo "
                          "brings it back\n",
                          item->path);
        pool->result = IMPORT_REFUSED;
    }
    if (import_is_refused(pool))
        return r;
    pool->result = same ? IMPORT_UNCHANGED : earlier ? IMPORT_REPLACED : IMPORT_NEW;
    for (size_t i = 0; r == 0 && i < _ITEM_MAX; i++)
        if (!is_same(&items->items[i]))
            r = texts_add(&pool->files, "%s", items->items[i].path);
    if (r == 0 && !same)
        r = add_dropins(import, pool);
    if (r == 0 && !same && pool->is_running)
        r = texts_add(&pool->looks,
                      "fpmd@%s.socket runs with what was there before: systemctl restart "
                      "fpmd@%s.socket",
                      pool->source->name, pool->source->name);
    if (r == 0 && !same && items->items[ITEM_POOL].wanted.mode == 0640 &&
        items->items[ITEM_POOL].wanted.gid == (gid_t)-1)
        r = texts_add(&pool->looks,
                      "%s is not for everybody to read, nor is %s: the user %s has to: chgrp %s %s",
                      pool->file->path, items->items[ITEM_POOL].path, FPMD_MANAGER_USER,
                      FPMD_MANAGER_USER, items->items[ITEM_POOL].path);
    return r;
}

static int make_folder(const char *path)
{
    _cleanup_free_ char *folder = path_folder(path);

    if (!folder)
        return -ENOMEM;
    return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_item(Item *item, Record *record)
{
    bool removes = item->wanted.kind == FILE_NONE;
    int r = record_add_file(record, item->path, removes ? NULL : item->wanted.data, item->wanted.n,
                            &item->earlier);

    if (r < 0)
        return r;
    item->is_begun = true;
    r = removes ? 0 : make_folder(item->path);
    return r < 0 ? r : file_state_write(item->path, &item->wanted);
}

/* All or nothing: puts back what was there. */
static int roll_back(ImportPool *pool, Items *items)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < _ITEM_MAX; i++) {
        Item *item = &items->items[i];
        _cleanup_free_ char *folder = path_folder(item->path);
        int k = item->is_begun ? file_state_write(item->path, &item->earlier) : 0;

        if (k < 0)
            r = buffer_printf(&pool->issues, "%s cannot be brought back: %s; --undo does\n",
                              item->path, strerror(-k));
        if (i != ITEM_POOL && folder)
            rmdir(folder); /* unless there is something in it */
    }
    return r;
}

static int write_items(ImportPool *pool, Items *items, Record *record)
{
    int r = import_record_pool(pool, record);

    for (size_t i = 0; r == 0 && i < _ITEM_MAX; i++) {
        if (is_same(&items->items[i]))
            continue;
        r = write_item(&items->items[i], record);
        if (r < 0 && r != -ENOMEM) {
            int k = buffer_printf(&pool->issues, "%s cannot be written: %s\n", items->items[i].path,
                                  strerror(-r));

            pool->result = IMPORT_REFUSED;
            r = roll_back(pool, items);
            return k < 0 ? k : r;
        }
    }
    return r;
}

int import_write(Import *import, ImportPool *pool, Record *record)
{
    _cleanup_(items_done) Items items = {0};
    int r = make_items(import, pool, &items);

    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        pool->result = IMPORT_REFUSED;
        return buffer_printf(&pool->issues, "its files in %s and %s cannot be read: %s\n",
                             import->config_dir, import->ctl->unit_dir, strerror(-r));
    }
    r = judge(import, pool, &items);
    if (r < 0 || import_is_refused(pool) || pool->result == IMPORT_UNCHANGED ||
        import->ctl->dry_run)
        return r;
    return write_items(pool, &items, record);
}
