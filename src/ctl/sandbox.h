#pragma once

/*
 * What a worker of a pool may touch, for people: from the pool file, the loaded unit, the kernel
 * and what runs.
 *
 *   sandbox_view.c    gathers what is known into a view
 *   sandbox_facts.c, …_unit.c, …_running.c, …_weak.c   tables: a view becomes a report
 *   sandbox_print.c, …_calls.c   the report as text or JSON
 *
 * The tables ask nobody, so that every view can be tested.
 */

#include "conf/config.h"
#include "ctl/ctl.h"
#include "ctl/figures.h"
#include "syscall/set.h"

/* Properties of the service unit, as units_read() has them. */
typedef enum UnitProperty {
    PROPERTY_NONE,
    PROPERTY_BIND_PATHS,
    PROPERTY_BIND_READ_ONLY_PATHS,
    PROPERTY_FAMILIES,
    PROPERTY_INACCESSIBLE_PATHS,
    PROPERTY_IP_ALLOW,
    PROPERTY_IP_DENY,
    PROPERTY_MEMORY_DENY_WRITE_EXECUTE,
    PROPERTY_MEMORY_MAX,
    PROPERTY_NAMESPACES,
    PROPERTY_NO_NEW_PRIVILEGES,
    PROPERTY_PRIVATE_DEVICES,
    PROPERTY_PRIVATE_IPC,
    PROPERTY_PRIVATE_NETWORK,
    PROPERTY_PRIVATE_TMP,
    PROPERTY_PROTECT_CONTROL_GROUPS,
    PROPERTY_PROTECT_HOME,
    PROPERTY_PROTECT_KERNEL_LOGS,
    PROPERTY_PROTECT_PROC,
    PROPERTY_PROTECT_SYSTEM,
    PROPERTY_READ_ONLY_PATHS,
    PROPERTY_READ_WRITE_PATHS,
    PROPERTY_SYSTEM_CALL_FILTER,
    PROPERTY_TASKS_MAX,
    PROPERTY_TEMPORARY_FILE_SYSTEM,
    PROPERTY_USER,
    _UNIT_PROPERTY_MAX,
} UnitProperty;

/** "ProtectHome", … */
const char *unit_property_name(UnitProperty property);

/* A running process of the pool, as /proc has it. */
typedef struct SandboxProcess {
    uint64_t pid; /* 0: none was looked at */
    uint64_t uid;
    uint64_t capabilities; /* the union of its sets but the bounding one */
    bool no_new_privs, filtered;
} SandboxProcess;

typedef struct SandboxView {
    const PoolConfig *config;
    bool user_scope; /* a pool under "systemctl --user" */
    bool calls_known;
    SyscallSet calls;                     /* that workers may make; calls_known */
    char unit_name[256];                  /* of the service */
    char *properties[_UNIT_PROPERTY_MAX]; /* NULL: not known */
    bool unit_known;
    char *user;                       /* of the workers, NULL: not known */
    char *groups;                     /* "www-data (33), adm (4)" */
    uint64_t uid;                     /* UINT64_MAX: not known */
    char *neighbours;                 /* other pools of this user, NULL: none */
    int landlock_abi;                 /* that workers have, or would have here; 0: none */
    bool cgroups_known;               /* the next two; of this machine */
    bool limits_memory, limits_tasks; /* it has the controllers of cgroups version 2 for them */
    const StatusPool *status;         /* NULL: not known */
    char *status_reason;              /* why it is not */
    char *unit_reason;                /* why unit_known is not set */
    SandboxProcess process;
    bool runtime_told;  /* status is there and of a generation that serves */
    uint64_t file_usec; /* CLOCK_REALTIME: when the youngest of the pool's files was written */
    ConfigIssues file_issues;
    ConfigIssues unit_issues; /* between the file and the units */
    /* What the pointers above point to, when it is ours. */
    PoolConfig *owned_config;
    Figures figures;
} SandboxView;

void sandbox_view_done(SandboxView *v);

/** Asks and looks up everything. 0, or the exit status having said why. */
int sandbox_view_make(const Ctl *ctl, const char *pool, SandboxView *ret);

typedef enum SandboxTopic {
    TOPIC_IDENTITY,
    TOPIC_FILES,
    TOPIC_NETWORK,
    TOPIC_PROGRAMS,
    TOPIC_CALLS,
    TOPIC_PROCESSES,
    TOPIC_LIMITS,
    TOPIC_OPCACHE,
    TOPIC_KERNEL,
    TOPIC_RUNNING,
    TOPIC_DIFFERENCES,
    _SANDBOX_TOPIC_MAX,
} SandboxTopic;

/** "files" for programs, "Files" for people. */
const char *sandbox_topic_name(SandboxTopic topic);
const char *sandbox_topic_title(SandboxTopic topic);

typedef struct SandboxFact {
    SandboxTopic topic;
    const char *name;
    char *text;   /* plain words */
    char *source; /* who says so: a directive with its place, a setting of the unit; NULL: nobody
                     can change it */
} SandboxFact;

typedef struct SandboxWeakness {
    const char *name;
    const char *text;
    const char *cure; /* how it is closed */
} SandboxWeakness;

typedef struct SandboxReport {
    SandboxFact *facts; /* by topic */
    size_t n_facts;
    SandboxWeakness *weaknesses;
    size_t n_weaknesses;
    int error; /* the first one; adding then does nothing */
} SandboxReport;

void sandbox_report_done(SandboxReport *r);

void report_fact(SandboxReport *r, SandboxTopic topic, const char *name, const char *source,
                 const char *format, ...) _printf_(5, 6);
void report_weakness(SandboxReport *r, SandboxWeakness weakness);

/** Appends words to a text that a fact is made of. */
void report_put(SandboxReport *r, Buffer *b, const char *format, ...) _printf_(3, 4);

/** Appends "/a, /b". */
void report_put_list(SandboxReport *r, Buffer *b, char *const *items, size_t n);

/* A fact that a function finds the words of; when it finds none there is no such fact. Who says so
 * is the directive or, without one, the property of the unit. */
typedef struct FactRow {
    SandboxTopic topic;
    const char *name;
    const char *directive; /* NULL: none */
    UnitProperty property;
    void (*tell)(const SandboxView *v, SandboxReport *r, Buffer *b);
} FactRow;

void report_rows(SandboxReport *r, const SandboxView *v, const FactRow *rows, size_t n);

/** Everything that is to be told. 0 or -ENOMEM. */
int sandbox_report_make(const SandboxView *v, SandboxReport *ret);

/* Its parts. */
void sandbox_tell_facts(const SandboxView *v, SandboxReport *r);
void sandbox_tell_files(const SandboxView *v, SandboxReport *r);
void sandbox_tell_unit(const SandboxView *v, SandboxReport *r);
void sandbox_tell_running(const SandboxView *v, SandboxReport *r);
void sandbox_tell_weaknesses(const SandboxView *v, SandboxReport *r);

/** Whether a property is known and has this value. */
bool view_property_is(const SandboxView *v, UnitProperty p, const char *value);

/** Whether a list or a filter of the unit has anything in it. */
bool view_property_given(const SandboxView *v, UnitProperty p);

/** What SystemCallFilter= of the unit does to a call: refused or not. */
bool view_unit_refuses(const SandboxView *v, const char *call);

/* ---- output; 0 or -ENOMEM ---- */

int sandbox_print_text(Buffer *b, const SandboxView *v, const SandboxReport *r, bool calls);
int sandbox_print_json(Buffer *b, const SandboxView *v, const SandboxReport *r);

/** The groups of system calls; v NULL: of no pool, so by profile. */
int sandbox_print_calls(Buffer *b, const SandboxView *v);
int sandbox_print_calls_json(Buffer *b, const SandboxView *v);

/** What every pool may do to files when lists restrict them (sandbox/needs.h). */
int sandbox_print_needs(Buffer *b);
int sandbox_print_needs_json(Buffer *b);

/** Appends text, broken between words, each line behind indent blanks but the first, which begins
 * at column; nothing longer than 96. Control characters become '?'. */
int sandbox_wrap(Buffer *b, const char *text, size_t column, size_t indent);
