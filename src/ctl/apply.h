#pragma once

/*
 * Writing the drop-ins that pool files ask for, below /etc/systemd/system.
 */

#include "ctl/ctl.h"

/* The name of our drop-ins: fpmd@POOL.socket.d/50-pool-file.conf. */
#define APPLY_DROPIN "50-pool-file.conf"

/* Told of each drop-in before it is written, or removed (text of size 0). 0; -errno: it stays as it
 * is, and the error is complained of. */
typedef int (*ApplyNote)(void *data, const char *pool, const char *path, const Buffer *text);

typedef struct ApplyOptions {
    const char *unit_dir; /* NULL: that of ctl, /etc/systemd/system */
    bool dry_run;         /* only say what would be written */
    bool no_reload;       /* leave daemon-reload and advice to the caller */
    bool restart;         /* restart running units with former settings */
    char *const *gone;    /* pools without a file, which lose their drop-ins */
    size_t n_gone;
    ApplyNote note; /* NULL: nobody is told */
    void *note_data;
} ApplyOptions;

/**
 * Brings the drop-ins of these pools to what their files ask for: writes, replaces, removes; says
 * on stdout what was done. One daemon-reload at the end if anything changed. Units that run with
 * former settings, also with those of before an earlier call, are restarted or told of. Pools whose
 * files have errors are complained of and passed over. Returns the exit status.
 */
int apply_pools(const Ctl *ctl, const ApplyOptions *options, char *const *pools, size_t n);
