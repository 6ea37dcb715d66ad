#pragma once

/*
 * What follows when something has died: one table for emergency restarts, back-off and retirement
 * after a crash. Total functions from a history, a mishap and the time to a remedy.
 */

#include "conf/config.h"

typedef enum Mishap {
    MISHAP_START,    /* the first generation could not be started (file, ids, template, workers) */
    MISHAP_RELOAD,   /* a reload's could not */
    MISHAP_TEMPLATE, /* the template of the current generation has died, or its replacement */
    MISHAP_UNBORN,   /* a worker died before its first request */
    MISHAP_CRASH,    /* a worker that had served died of something else than a fault */
    MISHAP_FAULT,    /* of SIGSEGV or SIGBUS: memory that is shared may be spoilt */
    _MISHAP_MAX,
} Mishap;

const char *mishap_to_string(Mishap mishap);

typedef enum Remedy {
    REMEDY_FAIL,       /* the manager ends with an error: nobody is served yet, somebody waits for
                          the outcome of the start */
    REMEDY_WAIT,       /* another try at until_usec, or when the pool file changes */
    REMEDY_GO_ON,      /* what runs stays; nothing is done but to tell */
    REMEDY_REPLACE,    /* one for one, not before until_usec */
    REMEDY_GENERATION, /* a new generation; the present one finishes and leaves */
    _REMEDY_MAX,
} Remedy;

const char *remedy_to_string(Remedy remedy);

#define RECOVERY_FAULTS 64

typedef struct Recovery {
    unsigned n_in_row[_MISHAP_MAX];        /* of each kind, since it last went well */
    uint64_t last_usec[_MISHAP_MAX];       /* when it happened last; 0: never */
    uint64_t until_usec[_MISHAP_MAX];      /* the pause that follows; 0: none */
    uint64_t faults_usec[RECOVERY_FAULTS]; /* the last faults, a ring */
    unsigned n_faults;
    uint64_t generation_usec; /* the last REMEDY_GENERATION; 0: never */
} Recovery;

typedef struct RecoveryLimits {
    unsigned fault_threshold;     /* emergency_restart_threshold; 0: never */
    uint64_t fault_interval_usec; /* emergency_restart_interval; 0: never, as PHP-FPM has it */
    bool first_try;               /* of MISHAP_START: systemctl start waits for it */
} RecoveryLimits;

typedef struct RecoveryDecision {
    Remedy remedy;
    unsigned n_tries;    /* how often in a row */
    uint64_t until_usec; /* when to try again; now: at once */
} RecoveryDecision;

/** c may be NULL: no file could be read. */
RecoveryLimits recovery_limits(const PoolConfig *c, bool first_try);

/**
 * Notes the mishap and says what to do. Several workers that die unborn while a pause runs are one
 * mishap: they were ordered together.
 */
RecoveryDecision recovery_decide(Recovery *r, const RecoveryLimits *l, Mishap mishap,
                                 uint64_t now_usec);

/** It went well: the next of this kind is the first again. */
void recovery_went_well(Recovery *r, Mishap mishap);
