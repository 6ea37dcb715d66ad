#pragma once

/*
 * The state of a manager as a text, for the program that takes over from it (manager/reexec.c).
 *
 * Texts "key=value", each ended by a NUL byte, the first one "fpmd-state=1". A key is
 * "section.field" and belongs to the object of that section that the last "section=" began; those
 * of the manager need none. Unknown sections and fields are ignored, and what is not there keeps
 * the value of a new object, so that programs of different versions understand each other as long
 * as the number of the version stays. Descriptors are numbers: they stay open over execve(2).
 *
 * No system call and no clock here.
 */

#include "manager/manager.h"

#define STATE_VERSION "1"
/* What a program says that has understood the state, followed by its version. */
#define STATE_PROOF       "fpmd-state=" STATE_VERSION " "
#define STATE_MAX_BYTES   (64 * 1024 * 1024)
#define STATE_OBJECTS_MAX (1u << 17) /* of a kind */

/* What is handed over. Of the structs only what the tables of state_fields.c name counts: no lists,
 * event sources or mappings. */
typedef struct State {
    bool owned; /* made by state_read(); else everything belongs to the manager */
    Manager *manager;
    char *notify_path; /* NOTIFY_SOCKET; NULL: none */
    char *version;     /* of the program that wrote it */
    uint64_t orphans_until_usec;
    PoolSetup **setups;
    size_t n_setups;
    Generation **generations; /* newest first */
    size_t n_generations;
    Worker **workers; /* in order of registration */
    size_t n_workers;
    ControlPeer **peers;
    size_t n_peers;
    Listener **listeners;
    size_t n_listeners;
    Orphan **orphans;
    size_t n_orphans;
} State;

/** What there is to hand over of a manager; the lists are freed by state_done(). 0 or -ENOMEM. */
int state_of(Manager *m, State *ret);

void state_done(State *s);

/** 0 or -ENOMEM. */
int state_write(Buffer *b, const State *s);

/** Reads and checks. text of n bytes. 0; -EBADMSG with *ret_error (static text): not a state, or
 * not one of a manager that serves; -ENOMEM. */
int state_read(const char *text, size_t n, State *ret, const char **ret_error);

/** Calls f for each descriptor in it, until it does not return 0. */
int state_each_fd(const State *s, int (*f)(int fd, void *userdata), void *userdata);

/** The fields of the manager itself, and of its porter, from the state to a new manager. Texts
 * move. */
void state_move_manager(State *s, Manager *m);
