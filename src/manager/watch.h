#pragma once

/*
 * Waits for a change of files that may not be there yet, by inotify(7). What is watched are their
 * folders, or of those that are missing too the nearest one above. A burst of changes, as editors
 * and package managers make it, is one: it is told when nothing more has come for a moment.
 */

#include "base/macro.h"

#include <systemd/sd-event.h>

typedef struct WatchName {
    int descriptor; /* of inotify: the folder */
    char *name;     /* what counts in it; NULL: everything */
} WatchName;

typedef struct Watch {
    int fd; /* -1: nothing is watched */
    sd_event *event;
    sd_event_source *source, *calm_source;
    uint64_t burst_usec; /* when the first change of a burst was seen; 0: none */
    WatchName *names;
    size_t n_names;
    void (*on_change)(void *userdata);
    void *userdata;
} Watch;

#define WATCH_NONE ((Watch){.fd = -1})

/** Begins with nothing to watch. 0 or -errno. */
int watch_begin(Watch *w, sd_event *event, void (*on_change)(void *userdata), void *userdata);
void watch_done(Watch *w);

/** One file; where it is a link, the file that it leads to as well. Relative paths, and folders
 * that may not be looked into, are passed over. Adding it again does no harm. */
void watch_add_file(Watch *w, const char *path);

/** Everything in a folder, and what links in it lead to; and the folder itself, should it come, go
 * or be replaced. */
void watch_add_folder(Watch *w, const char *path);
