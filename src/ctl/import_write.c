#include "base/fd.h"
#include "ctl/import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4 * 1024 * 1024)

/* A file of a pool: what is there, and what shall be. */
typedef struct Item {
    char *path;
    Buffer wanted; /* of size 0: no file */
    char *earlier; /* NULL: there is none */
    size_t n_earlier;
    mode_t mode;
    bool is_written;
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
        free(items->items[i].earlier);
        buffer_done(&items->items[i].wanted);
    }
}

static int make_dropin(const ImportPool *pool, Buffer *b)
{
    const WordList *paths = &pool->config->unit_read_write_paths;
    int r = 0;

    if (pool->lines.n == 0 && pool->write_paths.n == 0)
        return 0;
    r = buffer_printf(b, "; Written by fpmctl import\n");
    for (size_t i = 0; r == 0 && i < pool->lines.n; i++)
        r = buffer_printf(b, "%s\n", pool->lines.items[i]);
    /* A drop-in replaces what the pool file says, which is in the list, too. */
    if (r == 0 && pool->write_paths.n > 0)
        r = buffer_printf(b, "unit.read_write_paths =");
    for (size_t i = 0; r == 0 && pool->write_paths.n > 0 && i < paths->n; i++)
        r = buffer_printf(b, " %s", paths->items[i]);
    return r == 0 && pool->write_paths.n > 0 ? buffer_append(b, "\n", 1) : r;
}

static int make_socket_dropin(const ImportPool *pool, Buffer *b)
{
    int r = 0;

    if (pool->aliases.n == 0)
        return 0;
    r = buffer_printf(b, "# Written by fpmctl import\n[Socket]\nSymlinks=");
    for (size_t i = 0; r == 0 && i < pool->aliases.n; i++)
        r = buffer_printf(b, "%s%s", i > 0 ? " " : "", pool->aliases.items[i]);
    return r < 0 ? r : buffer_append(b, "\n", 1);
}

static int make_items(const Import *import, const ImportPool *pool, Items *ret)
{
    const char *name = pool->source->name;
    Item *items = ret->items;
    int r;

    /* Who may not read the file of PHP-FPM may not read this one. */
    items[ITEM_POOL].mode = pool->file->mode & 0004 ? 0644 : 0640;
    items[ITEM_DROPIN].mode = items[ITEM_SOCKET].mode = 0644;
    if (asprintf(&items[ITEM_POOL].path, "%s/%s.conf", import->config_dir, name) < 0 ||
        asprintf(&items[ITEM_DROPIN].path, "%s/%s.conf.d/" IMPORT_DROPIN, import->config_dir,
                 name) < 0 ||
        asprintf(&items[ITEM_SOCKET].path, "%s/fpmd@%s.socket.d/" IMPORT_DROPIN,
                 import->ctl->unit_dir, name) < 0)
        return -ENOMEM;
    r = source_write(&import->sources, pool->source, &items[ITEM_POOL].wanted);
    if (r == 0)
        r = make_dropin(pool, &items[ITEM_DROPIN].wanted);
    if (r == 0)
        r = make_socket_dropin(pool, &items[ITEM_SOCKET].wanted);
    for (size_t i = 0; r == 0 && i < _ITEM_MAX; i++) {
        r = fd_read_file(items[i].path, FILE_MAX_BYTES, &items[i].earlier, &items[i].n_earlier);
        r = r == -ENOENT || r == -ENOTDIR ? 0 : r;
    }
    return r;
}

static bool is_same(const Item *item)
{
    if (!item->earlier)
        return item->wanted.size == 0;
    return item->n_earlier == item->wanted.size && item->n_earlier > 0 &&
           memcmp(item->earlier, item->wanted.data, item->n_earlier) == 0;
}

/* The pool file that fpmd brings along is nobody's work, as long as it is as it came and no pool
 * runs by it. */
static bool is_as_shipped(const ImportPool *pool, const Item *item)
{
    _cleanup_free_ char *shipped = NULL;
    size_t n = 0;

    return !pool->is_running &&
           fd_read_file(FPMD_SHIPPED_POOL, FILE_MAX_BYTES, &shipped, &n) == 0 &&
           n == item->n_earlier && memcmp(shipped, item->earlier, n) == 0;
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
        earlier |= item->earlier != NULL;
        if (!item->earlier || import->ctl->force || (i == ITEM_POOL && is_as_shipped(pool, item)))
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
    if (r == 0 && !same && pool->is_running)
        r = texts_add(&pool->looks,
                      "fpmd@%s.socket runs with what was there before: systemctl restart "
                      "fpmd@%s.socket",
                      pool->source->name, pool->source->name);
    if (r == 0 && items->items[ITEM_POOL].mode == 0640)
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
    bool removes = item->wanted.size == 0;
    int r = record_add_file(record, item->path, removes ? NULL : item->wanted.data,
                            item->wanted.size, item->earlier, item->n_earlier);

    if (r < 0)
        return r;
    if (removes)
        r = unlink(item->path) < 0 ? -errno : 0;
    else {
        r = make_folder(item->path);
        if (r == 0)
            r = record_write_file(item->path, item->wanted.data, item->wanted.size, item->mode);
    }
    item->is_written = r == 0;
    return r;
}

/* All or nothing: puts back what was there. */
static void roll_back(Items *items)
{
    for (size_t i = 0; i < _ITEM_MAX; i++) {
        Item *item = &items->items[i];
        _cleanup_free_ char *folder = path_folder(item->path);

        if (item->is_written && item->earlier)
            record_write_file(item->path, item->earlier, item->n_earlier, item->mode);
        else if (item->is_written)
            unlink(item->path);
        if (i != ITEM_POOL && folder)
            rmdir(folder); /* unless there is something in it */
    }
}

static int write_items(ImportPool *pool, Items *items, Record *record)
{
    int r = record_add_pool(record, pool->source->name);

    for (size_t i = 0; r == 0 && i < _ITEM_MAX; i++) {
        if (is_same(&items->items[i]))
            continue;
        r = write_item(&items->items[i], record);
        if (r < 0 && r != -ENOMEM) {
            roll_back(items);
            pool->result = IMPORT_REFUSED;
            return buffer_printf(&pool->issues, "%s cannot be written: %s\n", items->items[i].path,
                                 strerror(-r));
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
