#pragma once

/*
 * Texts of pool files, one after the other, into the configurations of their sections. Inside of
 * conf/ only: conf/read.c has the ways in.
 */

#include "conf/include.h"
#include "conf/setting.h"

typedef struct Section {
    char *name; /* as the file has it */
    PoolConfig *config;
    const char *file; /* where it begins first; belongs to config */
    unsigned line;
} Section;

typedef struct Loader {
    ConfigIssues *issues;
    const char *name; /* the pool that is asked for */
    bool in_memory;   /* there are no files to include */
    PoolConfig *global;
    Section *sections;
    size_t n_sections;
    ssize_t place;   /* where entries belong: an index of sections, or PLACE_… of loader.c */
    unsigned layer;  /* 0: the pool file and what it includes, then each drop-in */
    size_t n_errors; /* that issues had before */
    IncludeStack stack;
    size_t n_headers, n_includes, n_bytes; /* of all files */
    bool is_full; /* a limit was passed, which has been reported: nothing more is read */
} Loader;

void loader_done(Loader *l);

/** Begins. issues, name and in_memory are set. 0; -EINVAL for a name that no pool can have, which
 * is added to issues with path; -ENOMEM. */
int loader_begin(Loader *l, const char *path);

/** Takes a text in: the first is that of the pool file, those that follow are drop-ins. 0 or
 * -ENOMEM. */
int loader_add(Loader *l, const char *text, size_t n, const char *path);

/** As loader_add() for a file. A file that cannot be read is added to issues; then -errno. */
int loader_add_file(Loader *l, const char *path);

/**
 * Completes and checks every pool. 0 and the one that was asked for; -EINVAL when there are errors:
 * *ret_config is set then too where keep_broken and the pool has a section; -ENOMEM.
 */
int loader_finish(Loader *l, const char *path, bool keep_broken, PoolConfig **ret_config);
