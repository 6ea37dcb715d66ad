#pragma once

/*
 * What has to follow on changed drop-ins: systemd reads its units again, and running ones are
 * restarted, by us or by the administrator, who is told how.
 */

#include "ctl/ctl.h"
#include "unit/wants.h"

typedef struct ChangedPool {
    const char *name;           /* belongs to the caller */
    bool units[_UNIT_KIND_MAX]; /* their drop-ins have been changed */
    bool is_gone;               /* it has no file any more */
    bool lost_status;           /* the status socket has no address any more */
} ChangedPool;

typedef struct Changed {
    ChangedPool *items;
    size_t n;
    size_t n_units;
} Changed;

void changed_done(Changed *changed);

/** The entry of the pool, which is added when there is none. NULL: no memory. */
ChangedPool *changed_get(Changed *changed, const char *pool);

/**
 * Reloads systemd if anything changed, then restarts (restart) what runs with former settings or
 * tells how. unit_dir: of the drop-ins. Returns the exit status.
 */
int changed_follow(const Ctl *ctl, const char *unit_dir, Changed *changed, bool restart);
