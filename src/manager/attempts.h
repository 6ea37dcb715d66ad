#pragma once

/*
 * What manager/attempts.c and manager/recover.c know beyond the history in pool/recovery.h. Private
 * to the two, and to the state that a program hands over.
 */

#include "manager/manager.h"
#include "manager/watch.h"

typedef struct Attempts {
    /* The start. */
    char *counter;     /* file that outlives this process; NULL: none */
    unsigned n_failed; /* starts that failed in a row, over all processes */
    bool changed;      /* the files changed while a try was under way */
    bool has_failed;   /* for good: the next process shall know */
    uint64_t failed_usec;
    uint64_t next_usec; /* of the next try */
    char reason[LINK_TEXT_SIZE];
    Watch watch;
    sd_event_source *next_source;

    /* Templates and generations. */
    sd_event_source *look_source;
    unsigned noted_number; /* the last generation when the death of a template was noted last */
    uint64_t template_after_usec;
    unsigned replace_number; /* generation that shall be replaced; 0: none */
    LogMessage replace_why;
    uint64_t replace_after_usec;
    char replace_name[256]; /* the path that was replaced */
    uint64_t renewed_usec;  /* the last replacement that a worker asked for; 0: none */
} Attempts;

/** A generation serves: no try is to come. */
void attempts_succeeded(Manager *m);
