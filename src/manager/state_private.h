#pragma once

/* The tables of what is handed over (state_fields.c), for the other files of the state. */

#include "manager/state.h"

#define STATE_FIRST_ENTRY  "fpmd-state=" STATE_VERSION
#define STATE_CLIENT_BYTES 16 /* of an address */

typedef enum FieldKind {
    FIELD_NUMBERS,    /* n unsigned numbers of size bytes; of one byte: bool */
    FIELD_SIGNED,     /* int */
    FIELD_PID,        /* pid_t */
    FIELD_FD,         /* int; not written when it is negative */
    FIELD_TEXT,       /* char[size] */
    FIELD_STRING,     /* char *; not written when it is NULL */
    FIELD_GROUPS,     /* of PoolIds */
    FIELD_CLIENTS,    /* of PoolConfig */
    FIELD_SPEC,       /* Buffer of texts that end with a NUL each: the key is repeated */
    FIELD_WORDS,      /* WordList: the key is repeated */
    FIELD_SETUP,      /* of a generation, which has a reference: its place in the list */
    FIELD_GENERATION, /* of a worker: its number */
    FIELD_PHASE,      /* of a worker: its name */
} FieldKind;

typedef struct Field {
    const char *key;
    FieldKind kind;
    size_t offset, size, n;
} Field;

typedef enum SectionKind {
    SECTION_STATE,
    SECTION_MANAGER,
    SECTION_ATTEMPTS,
    SECTION_PORTER,
    SECTION_LISTENER,
    SECTION_SETUP,
    SECTION_CONFIG,
    SECTION_IDS,
    SECTION_GENERATION,
    SECTION_WORKER,
    SECTION_PEER,
    SECTION_ORPHAN,
    _SECTION_MAX,
} SectionKind;

typedef struct Section {
    const char *name;
    bool repeated; /* "name=" begins an object */
    const Field *fields;
    size_t n_fields;
} Section;

extern const Section state_sections[_SECTION_MAX];

static inline void *field_of(const Field *f, void *object)
{
    return (char *)object + f->offset;
}

/** Calls f for each object in the order in which they are written, until it does not return 0. */
int state_each(const State *s, int (*f)(const State *s, SectionKind kind, void *object, void *data),
               void *data);

/** Makes an object and appends it to the list at array, which has n. NULL: no memory, or too many.
 */
void *state_append(void *array, size_t *n, size_t size);

/** Whether what was read can be a manager that serves. 0, -EBADMSG or -ENOMEM, with *ret_error. */
int state_check(const State *s, const char **ret_error);
