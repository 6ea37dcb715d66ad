#pragma once

/*
 * What a running pool is doing, as its manager tells it.
 */

#include "ctl/ctl.h"
#include "status/snapshot.h"

typedef struct Figures {
    const StatusPool *pool;
    const StatusWorker *workers;
    size_t size; /* of the mapping */
} Figures;

void figures_done(Figures *figures);
#define _cleanup_figures_ _cleanup_(figures_done)

/** Asks over a connection of ask_connect(). 0, or -errno having said why. */
int figures_ask(const Ctl *ctl, const char *pool, int fd, Figures *ret);

/** Connects, too. 0, or -errno with the exit status in *ret_status, having said why. */
int figures_of(const Ctl *ctl, const char *pool, Figures *ret, int *ret_status);
