#pragma once

/*
 * Which records of the journal are a pool's. Whoever runs in the unit can send any field to the
 * journal; only those that begin with '_' are the journal's own words (systemd.journal-fields(7)):
 * the unit, the program, the user. So a record counts as the manager's when its program and its
 * user are the manager's, whatever it says of itself. Of the others only what they say under the
 * names of their programs is shown, for readers see names first.
 */

#include "base/buffer.h"
#include "ctl/ctl.h"

typedef struct LogQuery {
    const char *pool;
    bool user_unit;         /* of "systemctl --user" */
    uid_t manager_uid;      /* (uid_t)-1: not known, then the program alone counts */
    const char *manager;    /* path of the manager's program */
    const char *runtime;    /* likewise; NULL: not known */
    const char *porter;     /* likewise */
    const char *message_id; /* only these; NULL: all */
    const char *request;    /* REQUEST_ID, NULL: all */
    bool by_runtime;        /* the records that only the runtime sends */
    bool by_manager;        /* likewise the manager */
    bool everything;        /* also of programs that scripts have started */
} LogQuery;

/* Arguments of journalctl: options, then matches, with "+" between alternatives. */
typedef struct LogWords {
    char **items; /* NULL ends */
    size_t n;
    bool has_match;
} LogWords;

void log_words_done(LogWords *words);
#define _cleanup_log_words_ _cleanup_(log_words_done)

/** Appends a copy of a word. 0 or -ENOMEM. */
int log_words_add(LogWords *words, const char *format, ...) _printf_(2, 3);

/** Appends the matches of the query. 0 or -ENOMEM. */
int log_words_add_matches(LogWords *words, const LogQuery *q);
