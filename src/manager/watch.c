#include "manager/watch.h"

#include "base/clock.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* An editor writes its copy, moves it and sets its mode in less; a package manager pauses longer,
 * but a try too many does no harm. */
#define CALM_USEC  (100 * USEC_PER_MSEC)
#define BURST_USEC (1 * USEC_PER_SEC)

/* Of one pool there are a few dozen; a folder full of links must not make the manager grow. */
#define NAMES_MAX 512

/* Reading changes nothing, so that looking at the files is no event. IN_ATTRIB: a mode or owner may
 * be what was wrong. */
#define CHANGES                                                                                    \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_MOVE_SELF)

static int on_calm(sd_event_source *source, uint64_t usec, void *userdata)
{
    Watch *w = userdata;

    w->burst_usec = 0;
    w->on_change(w->userdata);
    return 0;
}

static void watch_note(Watch *w)
{
    uint64_t now_usec = clock_monotonic_usec(), at_usec;

    if (w->burst_usec == 0)
        w->burst_usec = now_usec;
    at_usec = MIN(now_usec + CALM_USEC, w->burst_usec + BURST_USEC);
    /* Setting the time of one that is due would put it off. */
    if (w->calm_source && now_usec >= w->burst_usec + BURST_USEC)
        return;
    if (!w->calm_source) {
        if (sd_event_add_time(w->event, &w->calm_source, CLOCK_MONOTONIC, at_usec,
                              10 * USEC_PER_MSEC, on_calm, w) < 0)
            w->calm_source = NULL; /* the next try comes by time */
        return;
    }
    sd_event_source_set_time(w->calm_source, at_usec);
    sd_event_source_set_enabled(w->calm_source, SD_EVENT_ONESHOT);
}

static bool watch_counts(const Watch *w, const struct inotify_event *e)
{
    /* Of the folder itself, or some were lost. */
    if (e->len == 0)
        return !(e->mask & IN_IGNORED);
    for (size_t i = 0; i < w->n_names; i++)
        if (w->names[i].descriptor == e->wd &&
            (!w->names[i].name || strcmp(w->names[i].name, e->name) == 0))
            return true;
    return false;
}

static int on_inotify(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Watch *w = userdata;
    _Alignas(struct inotify_event) char buffer[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    ssize_t n = read(fd, buffer, sizeof(buffer));

    for (char *p = buffer; n > 0 && p < buffer + n;) {
        const void *at = p; /* the kernel keeps the alignment, inotify(7) */
        const struct inotify_event *e = at;

        if (watch_counts(w, e)) {
            watch_note(w);
            break;
        }
        p += sizeof(*e) + e->len;
    }
    return 0;
}

int watch_begin(Watch *w, sd_event *event, void (*on_change)(void *userdata), void *userdata)
{
    int r;

    *w = WATCH_NONE;
    w->event = event;
    w->on_change = on_change;
    w->userdata = userdata;
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->fd < 0)
        return -errno;
    r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_inotify, w);
    if (r < 0)
        watch_done(w);
    return r;
}

void watch_done(Watch *w)
{
    w->source = sd_event_source_disable_unref(w->source);
    w->calm_source = sd_event_source_disable_unref(w->calm_source);
    w->fd = fd_close(w->fd);
    for (size_t i = 0; i < w->n_names; i++)
        free(w->names[i].name);
    free(w->names);
    *w = WATCH_NONE;
}

/* NULL: everything in the folder. False when there is no such folder. */
static bool watch_add_name(Watch *w, const char *folder, const char *name)
{
    int descriptor = inotify_add_watch(w->fd, folder, CHANGES | IN_ONLYDIR);
    _cleanup_free_ char *copy = NULL;
    WatchName *grown;

    if (descriptor < 0)
        return errno != ENOENT && errno != ENOTDIR;
    for (size_t i = 0; i < w->n_names; i++) {
        const WatchName *have = &w->names[i];

        if (have->descriptor == descriptor &&
            (!have->name || (name && strcmp(have->name, name) == 0)))
            return true;
    }
    if (name && !(copy = strdup(name)))
        return true;
    grown = w->n_names < NAMES_MAX ? reallocarray(w->names, w->n_names + 1, sizeof(*grown)) : NULL;
    if (!grown)
        return true;
    w->names = grown;
    w->names[w->n_names++] = (WatchName){descriptor, TAKE_PTR(copy)};
    return true;
}

/* Its entry in the folder that has it, or in the nearest folder above that is there. */
static void watch_add_entry(Watch *w, const char *path)
{
    char folder[PATH_MAX];
    char *slash;

    if (path[0] != '/' || strlen(path) >= sizeof(folder))
        return;
    memcpy(folder, path, strlen(path) + 1);
    while ((slash = strrchr(folder, '/'))) {
        *slash = 0;
        if (slash[1] && watch_add_name(w, folder[0] ? folder : "/", slash + 1))
            return;
    }
}

void watch_add_file(Watch *w, const char *path)
{
    _cleanup_free_ char *real = NULL;

    if (w->fd < 0)
        return;
    watch_add_entry(w, path);
    real = realpath(path, NULL);
    if (real && strcmp(real, path) != 0)
        watch_add_entry(w, real);
}

static void watch_add_links(Watch *w, const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    if (!folder)
        return;
    while ((entry = readdir(folder))) {
        char file[PATH_MAX];

        if (entry->d_type == DT_LNK &&
            snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file))
            watch_add_file(w, file);
    }
    closedir(folder);
}

void watch_add_folder(Watch *w, const char *path)
{
    if (w->fd < 0 || path[0] != '/')
        return;
    watch_add_file(w, path);
    if (watch_add_name(w, path, NULL))
        watch_add_links(w, path);
}
