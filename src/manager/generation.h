#pragma once

/*
 * Pool files that were read, generations that come from them, and reload, which makes one. Part of
 * manager/manager.h.
 */

#include "manager/manager.h"

/* ---- config.c ---- */

/**
 * Loads and checks the pool file and looks up its ids, logging every problem; when quiet only if
 * there is an error. 0 or -errno; *ret_reason: the first error, to be freed.
 */
int pool_setup_load(Manager *m, bool quiet, PoolSetup **ret, char **ret_reason);
PoolSetup *pool_setup_ref(PoolSetup *s);
PoolSetup *pool_setup_unref(PoolSetup *s);
DEFINE_CLEANUP(PoolSetup, pool_setup_unref)

/* ---- generation.c ---- */

/** Starts the template of a new generation. 0 or -errno. */
int generation_start(Manager *m, PoolSetup *setup, Generation **ret);

/** One of an earlier program, CURRENT or LEAVING, calloc'ed, with its plain fields and descriptors:
 * appends it and watches its link. 0 or -errno, then generation_free() undoes everything. */
int generation_adopt(Generation *g);

/** The first workers are all registered, or none is needed; orders anew those that are gone
 * already. */
bool generation_is_complete(Generation *g);

/** Tells the workers to finish, see worker_retire(), and the template with the last of them. Never
 * frees. */
void generation_leave(Generation *g, bool parking);

/** Lets the template of a leaving generation without workers go; frees the generation when it has.
 * True when freed. */
bool generation_bury(Generation *g);

/** The template of g has ended with this wait status. */
void generation_on_template_exit(Generation *g, int code, int status);

Generation *generation_free(Generation *g);

/* ---- reload.c ---- */

/** Starts a reload, or notes it when one is under way. Returns the number of the reload that will
 * have read the file after this call. */
unsigned reload_ask(Manager *m);

/** Reads the file and starts a generation from it. */
void reload_begin(Manager *m);

/** The coming generation takes over. */
void reload_take_over(Manager *m);

/** It does not serve: what follows for those who wait for it, and for systemd. */
void reload_start_failed(Manager *m, const char *reason);
void reload_refused(Manager *m, const char *reason);
void reload_not_replaced(Manager *m, const char *reason);

/** Tells systemd what it did not take the first time. */
void reload_resend(Manager *m);
