#pragma once

/*
 * Which files an include names, and how deep includes go. Inside of conf/ only.
 */

#include "conf/setting.h"

#include <glob.h>
#include <sys/stat.h>

/* A file and four levels of includes, as in PHP-FPM. */
#define INCLUDE_DEPTH 5

/* More files than any machine has pools; ends what files that include each other could multiply. */
#define INCLUDE_MAX_FILES 4096

typedef struct IncludeStack {
    dev_t devices[INCLUDE_DEPTH];
    ino_t inodes[INCLUDE_DEPTH];
    size_t depth;
    size_t n_files; /* of all the time */
} IncludeStack;

/** Goes into a file. NULL, or why that cannot be; a file that does not exist is no reason. */
const char *include_enter(IncludeStack *stack, const char *path);
void include_leave(IncludeStack *stack);

typedef struct IncludeList {
    glob_t found;
} IncludeList;

void include_list_done(IncludeList *list);

/** The files that match a raw pattern, sorted; relative patterns start at the folder of the file
 * that has the include. What is wrong is reported. 0 or -ENOMEM. */
int include_find(Slice pattern, const char *file, const Reporter *r, IncludeList *list);
