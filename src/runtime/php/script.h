#pragma once

/*
 * From the variables that a web server sends to the script that is to be run, by the rules of
 * PHP-FPM (cgi.fix_pathinfo and friends), and the variables that the script then sees instead.
 *
 * No PHP and no I/O here: what exists on disk is asked through two functions. Values that nothing
 * had to be changed in are borrowed from the caller; others belong to the Script.
 */

#include "base/macro.h"

typedef enum ScriptVariable {
    SCRIPT_FILENAME,
    SCRIPT_PATH_TRANSLATED,
    SCRIPT_PATH_INFO,
    SCRIPT_NAME,
    SCRIPT_SERVER_SOFTWARE,
    SCRIPT_REDIRECT_URL,
    SCRIPT_DOCUMENT_ROOT,
    SCRIPT_ORIG_FILENAME,
    SCRIPT_ORIG_PATH_TRANSLATED,
    SCRIPT_ORIG_PATH_INFO,
    SCRIPT_ORIG_NAME,
    _SCRIPT_VARIABLE_MAX,
} ScriptVariable;

/** "SCRIPT_FILENAME", … */
const char *script_variable_to_string(ScriptVariable v);

typedef struct ScriptRules {
    bool fix_pathinfo;    /* cgi.fix_pathinfo */
    bool discard_path;    /* cgi.discard_path */
    const char *doc_root; /* ini doc_root; NULL or "": none */
    bool (*exists)(const char *path);
    bool (*is_file)(const char *path); /* a regular file, links followed */
} ScriptRules;

typedef struct Script {
    const char *path; /* the script; NULL: there is none, answer 404 */
    const char *uri;  /* what PHP calls request_uri: SCRIPT_NAME-like, without PATH_INFO; or NULL */
    const char *values[_SCRIPT_VARIABLE_MAX];   /* as the script sees them, NULL: not there */
    unsigned changed;                           /* bits 1 << ScriptVariable */
    ScriptVariable order[_SCRIPT_VARIABLE_MAX]; /* in which they were changed */
    size_t n_order;
    char *owned[_SCRIPT_VARIABLE_MAX * 2];
    size_t n_owned;
} Script;

/** given: values by ScriptVariable, NULL where not sent. 0 or -ENOMEM; script_done() in any case.
 */
int script_resolve(Script *s, const char *const given[_SCRIPT_VARIABLE_MAX],
                   const ScriptRules *rules);

void script_done(Script *s);

/** Whether a path ends in one of the extensions (security.limit_extensions); n = 0 allows all. */
bool script_extension_allowed(const char *path, const char *const *extensions, size_t n);
