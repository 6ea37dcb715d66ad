#pragma once

/*
 * fpmctl import: what its files share. Pools of PHP-FPM are read (import_source.h), examined,
 * written with a record for --undo, applied, and told of.
 */

#include "conf/config.h"
#include "ctl/ctl.h"
#include "ctl/import_record.h"
#include "ctl/import_source.h"
#include "ctl/import_web.h"
#include "ctl/units.h"

/* What import itself says to a pool or its socket, in files of its own: the pool file stays as it
 * was. */
#define IMPORT_DROPIN "50-import.conf"

typedef struct ImportPlaces {
    const char *nginx;  /* folder of nginx.conf */
    const char *apache; /* folder of apache2.conf */
} ImportPlaces;

extern const ImportPlaces import_places; /* of this machine */

typedef enum ImportResult {
    IMPORT_NEW,       /* files were written, or would be */
    IMPORT_REPLACED,  /* with --force */
    IMPORT_UNCHANGED, /* everything is there as it would be written */
    IMPORT_REFUSED,
    _IMPORT_RESULT_MAX,
} ImportResult;

typedef struct ImportPool {
    const SourcePool *source;
    const SourceFile *file;
    ImportResult result;
    PoolConfig *config; /* with what import adds; NULL: it cannot be read */
    Buffer issues;      /* errors, in the form of check */
    Texts taken;        /* directives that are honoured */
    Texts moved;        /* directives and what of systemd does their work */
    Texts looks;        /* what needs a look */
    Texts lines;        /* of the pool's drop-in */
    Texts write_paths;  /* unit.read_write_paths that import adds */
    Texts aliases;      /* other paths by which web servers reach its socket */
    Texts files;        /* that were written, or would be */
    bool is_running;    /* systemd listens for it already */
    bool is_recorded;   /* by this import */
    char fpm_unit[64];  /* the service of PHP-FPM that has the pool now */
} ImportPool;

typedef struct Import {
    const Ctl *ctl;
    const ImportPlaces *places;
    char *config_dir; /* that is written to */
    Sources sources;
    WebSites nginx, apache;
    Texts moved, looks; /* that concern every pool */
    ImportPool *pools;
    size_t n_pools;
    Units *units; /* NULL: systemd cannot be asked */
} Import;

void import_pools_done(Import *import);

/** Reads a pool's configuration and looks for what stands in its way. 0 or -ENOMEM; what is wrong
 * with the pool is in it. */
int import_examine(Import *import, ImportPool *pool);

/** What the [global] sections say. 0 or -ENOMEM. */
int import_examine_globals(Import *import);

/** Addresses that two pools have. 0 or -ENOMEM. */
int import_examine_all(Import *import);

/** Document roots of web servers that the unit of the pool would hide, and other names of its
 * socket. 0 or -ENOMEM. */
int import_examine_web(Import *import, ImportPool *pool);

/** Whether mail() works under no_new_privs: what holds for all pools is told once. 0 or -ENOMEM. */
int import_examine_mail(Import *import, ImportPool *pool);

/** Whether the manager may write the pool's files of logs. 0 or -ENOMEM. */
int import_examine_logs(ImportPool *pool);

typedef struct Listener {
    bool is_there;
    pid_t pid; /* of who called listen(2); 0: not known */
    char program[32];
    char unit[256]; /* "" : none, or not known */
} Listener;

/** Who listens at an address now. */
Listener import_find_listener(const ListenAddress *a);

/** Appends what import adds to the pool file, and to the socket unit; nothing: no such drop-in. 0
 * or -ENOMEM. */
int import_make_dropin(const ImportPool *pool, Buffer *b);
int import_make_socket_dropin(const ImportPool *pool, Buffer *b);

/** Notes in the record that something of the pool will be changed, once. 0 or -errno. */
int import_record_pool(ImportPool *pool, Record *record);

/** Gives the units of all imported pools what their files ask for. The exit status, or -ENOMEM. */
int import_apply(Import *import, Record *record);

/** Writes the files of a pool, or with ctl->dry_run says which. What cannot be is a look. 0,
 * -ENOMEM, or what keeps files from being written at all. */
int import_write(Import *import, ImportPool *pool, Record *record);

/** Tells of the import: the table, the pools, what to do next. 0 or -ENOMEM. */
int import_print(const Import *import, Buffer *b);
int import_print_commands(const Import *import, Buffer *b);

/** Takes back the last import. The exit status. */
int import_undo(const Ctl *ctl, const char *config_dir);

static inline bool import_is_refused(const ImportPool *pool)
{
    return pool->result == IMPORT_REFUSED;
}
