#pragma once

/*
 * The pool files of PHP-FPM that an import is pointed at: which there are, and which lines of them
 * are whose.
 */

#include "ctl/import_texts.h"

#include <sys/types.h>

typedef struct SourceFile {
    char *path;
    char *text;
    size_t n;
    mode_t mode;
    size_t n_pools; /* sections in it that are pools */
    bool only_globals;
    bool is_split; /* has an include that leads to other pools: none of them gets all of it */
} SourceFile;

/* Lines of one pool, without interruption. */
typedef struct SourceLines {
    size_t from, to; /* bytes of the file's text */
    unsigned first, last;
} SourceLines;

typedef struct SourcePool {
    char *name;  /* as in the section's header */
    size_t file; /* index of Sources.files */
    unsigned line;
    SourceLines *lines;
    size_t n_lines;
    char *problem; /* why it cannot be taken over, NULL: it can */
} SourcePool;

/* A directive of [global]. */
typedef struct SourceGlobal {
    char *name;
    char *value; /* raw, with its quotes */
    char *file;
    unsigned line;
} SourceGlobal;

typedef struct Sources {
    SourceFile *files;
    size_t n_files;
    SourcePool *pools;
    size_t n_pools;
    SourceGlobal *globals; /* in the order of the files: the last of a name counts */
    size_t n_globals;
    Texts problems; /* that belong to no pool, as "file:line: …" */
} Sources;

void sources_done(Sources *s);

/**
 * Adds the pools of a file, of all *.conf of a folder, or of what a php-fpm.conf includes. Relative
 * includes begin at /usr, the prefix of Debian's PHP-FPM. Of the php-fpm.conf that lies above the
 * folder of a pool file the [global] section is read, too. 0, or -errno when the path cannot be
 * read (a file behind it that cannot be becomes a problem).
 */
int sources_add(Sources *s, const char *path);

/** Whether the file becomes the pool's as it is, byte for byte. */
bool source_is_whole(const Sources *s, const SourcePool *pool);

/** Appends what becomes the pool's file. 0 or -ENOMEM. */
int source_write(const Sources *s, const SourcePool *pool, Buffer *b);

/** Whether a line of the pool's file belongs to the pool. */
bool source_has_line(const SourcePool *pool, unsigned line);

/** The PHP version in a path like /etc/php/8.2/fpm/…: "8.2". Returns whether there is one. */
bool source_version(const char *path, char ret[static 16]);
