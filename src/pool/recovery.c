#include "pool/recovery.h"

#define MSEC USEC_PER_MSEC
#define SEC  USEC_PER_SEC

/* Workers go on dying while a new generation is being started; it has to have had its chance. */
#define GENERATION_DISTANCE_USEC (5 * SEC)

typedef enum When {
    WHEN_ALWAYS,
    WHEN_FIRST_TRY, /* of the process, and somebody waits for it */
    WHEN_FIRST,     /* the one before was long ago, or there was none */
    WHEN_MANY,      /* faults: more than the pool file allows */
} When;

/*
 * The policy. Of the rows of a mishap the first whose condition holds. The pause before the next
 * try is pause_usec for the n-th in a row with n = from and doubles with each that follows.
 */
static const struct Row {
    Mishap mishap;
    When when;
    Remedy remedy;
    unsigned from;
    uint64_t pause_usec, max_usec;
} rows[] = {
    {MISHAP_START, WHEN_FIRST_TRY, REMEDY_FAIL, 1, 0, 0},
    {MISHAP_START, WHEN_ALWAYS, REMEDY_WAIT, 2, 1 * SEC, 60 * SEC},
    {MISHAP_RELOAD, WHEN_ALWAYS, REMEDY_GO_ON, 1, 0, 0},
    {MISHAP_TEMPLATE, WHEN_FIRST, REMEDY_REPLACE, 1, 0, 0},
    {MISHAP_TEMPLATE, WHEN_ALWAYS, REMEDY_REPLACE, 2, 1 * SEC, 30 * SEC},
    {MISHAP_UNBORN, WHEN_FIRST, REMEDY_REPLACE, 1, 0, 0},
    {MISHAP_UNBORN, WHEN_ALWAYS, REMEDY_REPLACE, 2, 50 * MSEC, 30 * SEC},
    {MISHAP_CRASH, WHEN_ALWAYS, REMEDY_REPLACE, 1, 0, 0},
    {MISHAP_FAULT, WHEN_MANY, REMEDY_GENERATION, 1, 0, 0},
    {MISHAP_FAULT, WHEN_ALWAYS, REMEDY_REPLACE, 1, 0, 0},
};

/* What is forgotten by itself: a mishap so long after the one before is the first again. 0: only
 * recovery_went_well() makes it so. */
static const uint64_t calm_usec[_MISHAP_MAX] = {
    [MISHAP_TEMPLATE] = 60 * SEC,
    [MISHAP_UNBORN] = 60 * SEC,
};

const char *mishap_to_string(Mishap mishap)
{
    static const char *const names[_MISHAP_MAX] = {
        [MISHAP_START] = "start",   [MISHAP_RELOAD] = "reload", [MISHAP_TEMPLATE] = "template",
        [MISHAP_UNBORN] = "unborn", [MISHAP_CRASH] = "crash",   [MISHAP_FAULT] = "fault",
    };

    return (unsigned)mishap < _MISHAP_MAX ? names[mishap] : NULL;
}

const char *remedy_to_string(Remedy remedy)
{
    static const char *const names[_REMEDY_MAX] = {
        [REMEDY_FAIL] = "fail",
        [REMEDY_WAIT] = "wait",
        [REMEDY_GO_ON] = "go-on",
        [REMEDY_REPLACE] = "replace",
        [REMEDY_GENERATION] = "generation",
    };

    return (unsigned)remedy < _REMEDY_MAX ? names[remedy] : NULL;
}

RecoveryLimits recovery_limits(const PoolConfig *c, bool first_try)
{
    return (RecoveryLimits){
        .fault_threshold = c ? c->emergency_restart_threshold : 0,
        .fault_interval_usec = c ? c->emergency_restart_interval_usec : 0,
        .first_try = first_try,
    };
}

/* How many faults one place of the ring stands for: the time of the first of them is kept. One, so
 * that it is exact, as long as the ring is long enough. */
static unsigned faults_per_place(unsigned threshold)
{
    return threshold <= RECOVERY_FAULTS ? 1
                                        : (threshold + RECOVERY_FAULTS - 2) / (RECOVERY_FAULTS - 1);
}

static void note_fault(Recovery *r, const RecoveryLimits *l, uint64_t now_usec)
{
    unsigned per = faults_per_place(l->fault_threshold);

    if (r->n_faults % per == 0)
        r->faults_usec[r->n_faults / per % RECOVERY_FAULTS] = now_usec;
    r->n_faults++;
}

/* As PHP-FPM: the last fault_threshold of them, this one included, lie within the interval. */
static bool faults_are_many(const Recovery *r, const RecoveryLimits *l, uint64_t now_usec)
{
    unsigned per = faults_per_place(l->fault_threshold);
    uint64_t first_usec;

    if (l->fault_threshold == 0 || l->fault_interval_usec == 0 || r->n_faults < l->fault_threshold)
        return false;
    first_usec = r->faults_usec[(r->n_faults - l->fault_threshold) / per % RECOVERY_FAULTS];
    return now_usec - first_usec <= l->fault_interval_usec &&
           (r->generation_usec == 0 || now_usec - r->generation_usec >= GENERATION_DISTANCE_USEC);
}

static bool row_applies(const struct Row *row, const Recovery *r, const RecoveryLimits *l,
                        uint64_t now_usec)
{
    switch (row->when) {
    case WHEN_FIRST_TRY:
        return l->first_try && r->n_in_row[row->mishap] == 1;
    case WHEN_FIRST:
        return r->n_in_row[row->mishap] == 1;
    case WHEN_MANY:
        return faults_are_many(r, l, now_usec);
    default:
        return true;
    }
}

static uint64_t row_pause(const struct Row *row, unsigned n)
{
    unsigned doublings = n > row->from ? n - row->from : 0;

    if (row->pause_usec == 0)
        return 0;
    return doublings >= 16 ? row->max_usec : MIN(row->pause_usec << doublings, row->max_usec);
}

RecoveryDecision recovery_decide(Recovery *r, const RecoveryLimits *l, Mishap mishap,
                                 uint64_t now_usec)
{
    RecoveryDecision d = {.remedy = REMEDY_GO_ON, .until_usec = now_usec};
    unsigned *n = &r->n_in_row[mishap];

    if (calm_usec[mishap] > 0 && now_usec - r->last_usec[mishap] > calm_usec[mishap])
        recovery_went_well(r, mishap);
    if (*n < UINT_MAX && !(mishap == MISHAP_UNBORN && now_usec < r->until_usec[mishap]))
        ++*n;
    if (mishap == MISHAP_FAULT)
        note_fault(r, l, now_usec);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct Row *row = &rows[i];

        if (row->mishap != mishap || !row_applies(row, r, l, now_usec))
            continue;
        d.remedy = row->remedy;
        d.until_usec = now_usec + row_pause(row, *n);
        break;
    }
    /* One of those that were ordered together: the pause runs already. */
    if (mishap == MISHAP_UNBORN && now_usec < r->until_usec[mishap])
        d.until_usec = r->until_usec[mishap];
    if (d.remedy == REMEDY_GENERATION)
        r->generation_usec = now_usec;
    d.n_tries = *n;
    r->last_usec[mishap] = now_usec;
    r->until_usec[mishap] = d.until_usec;
    return d;
}

void recovery_went_well(Recovery *r, Mishap mishap)
{
    r->n_in_row[mishap] = 0;
    r->until_usec[mishap] = 0;
    if (mishap == MISHAP_FAULT)
        r->n_faults = 0;
}
