#include "manager/replaced.h"

#include "sandbox/needs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* Besides what every pool needs; a list of files by the thousand should name their folder. */
#define NAMES_MAX 256

typedef struct Name {
    Replaced *owner;
    sd_event_source *source;
    char *path;
    const char *name; /* its last part, in the folder of the source */
} Name;

struct Replaced {
    Manager *manager;
    unsigned generation; /* whose names these are */
    Name *names[NAMES_MAX];
    size_t n;
};

static void name_free(Name *name)
{
    sd_event_source_disable_unref(name->source);
    free(name->path);
    free(name);
}

Replaced *replaced_free(Replaced *r)
{
    if (!r)
        return NULL;
    for (size_t i = 0; i < r->n; i++) {
        name_free(r->names[i]);
    }
    free(r);
    return NULL;
}

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
    const Name *name = userdata;
    Manager *m = name->owner->manager;

    if (event->len > 0 && strcmp(event->name, name->name) == 0 && m->current &&
        m->current->number == name->owner->generation)
        recover_on_replaced(m, name->path);
    return 0;
}

/* Whether the user could make names in it: what is writable for a group, or by an access list,
 * which shows as that, is taken to be. */
static bool may_write(uid_t uid, const struct stat *folder)
{
    return uid == 0 || folder->st_uid == uid || (folder->st_mode & (S_IWGRP | S_IWOTH));
}

/* The last name of a path, in its folder. */
static void watch_name(Replaced *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    struct stat st;
    Name *name;

    if (r->n == NAMES_MAX)
        return;
    snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if (stat(folder, &st) < 0 || may_write(r->manager->current->setup->ids.uid, &st))
        return;
    name = calloc(1, sizeof(*name));
    if (!name)
        return;
    name->owner = r;
    name->path = strdup(path);
    if (!name->path ||
        sd_event_add_inotify(r->manager->event, &name->source, folder,
                             IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, on_folder, name) < 0) {
        name_free(name);
        return;
    }
    name->name = name->path + (slash + 1 - path);
    r->names[r->n++] = name;
}

/* Every name on the way that is no folder, or is not there. Below another root what links lead to
 * is not followed. */
static void watch_path(Replaced *r, const char *root, const char *below)
{
    char path[PATH_MAX], whole[PATH_MAX];
    size_t start = strlen(root ? root : "");

    if ((size_t)snprintf(whole, sizeof(whole), "%s%s", root ? root : "", below) >= sizeof(whole))
        return;
    for (char *p = whole + start; *p;) {
        struct stat st;
        int error;

        p += 1 + strcspn(p + 1, "/");
        snprintf(path, sizeof(path), "%.*s", (int)(p - whole), whole);
        error = lstat(path, &st) < 0 ? errno : 0;
        if (error == 0 && S_ISDIR(st.st_mode))
            continue;
        if (error == 0 || error == ENOENT)
            watch_name(r, path);
        if (error != 0 || !S_ISLNK(st.st_mode) || root)
            return;
    }
}

static void watch_list(Replaced *r, const char *root, const WordList *list)
{
    for (size_t i = 0; i < list->n && !config_list_is_none(list); i++)
        watch_path(r, root, list->items[i] + (list->items[i][0] == '-'));
}

static void watch_all(Replaced *r, const PoolConfig *c)
{
    size_t n;
    const Need *table = needs(&n);

    for (size_t i = 0; i < n; i++)
        if (table[i].right == NEED_LOADER ? c->sandbox_exec_paths.n > 0 : c->sandbox_read.n > 0)
            watch_path(r, c->chroot, table[i].path);
    watch_list(r, c->chroot, &c->sandbox_read);
    watch_list(r, c->chroot, &c->sandbox_write);
    watch_list(r, c->chroot, &c->sandbox_exec_paths);
}

void replaced_look(Manager *m)
{
    const PoolConfig *c = m->current ? m->current->config : NULL;

    if (!c || (m->replaced && m->replaced->generation == m->current->number))
        return;
    m->replaced = replaced_free(m->replaced);
    if (c->sandbox_read.n == 0 && c->sandbox_write.n == 0 && c->sandbox_exec_paths.n == 0)
        return;
    m->replaced = calloc(1, sizeof(*m->replaced));
    if (!m->replaced)
        return;
    m->replaced->manager = m;
    m->replaced->generation = m->current->number;
    watch_all(m->replaced, c);
}
