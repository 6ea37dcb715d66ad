#pragma once

/*
 * The control socket: link/control.h. Part of manager/manager.h.
 */

#include "manager/manager.h"

/* ---- control.c ---- */

/* Somebody connected to the control socket. */
typedef struct ControlPeer {
    Manager *manager;
    struct ControlPeer *next;
    int fd;
    sd_event_source *source;
    bool may_change;        /* root or our own uid */
    uint32_t version;       /* of its last request, for the reply */
    uint32_t waits_for;     /* ControlVerb that it waits for, 0: none */
    unsigned reload_number; /* of the reload that it waits for */
    uintptr_t trace_number; /* of the call stack that it waits for */
} ControlPeer;

int control_listen(Manager *m);
/** Waits for connections to m->control_fd. 0 or -errno. */
int control_watch(Manager *m);
void control_done(Manager *m);
/** Listens again after a lack of descriptors. */
void control_wake(Manager *m);
/** Answers everybody who waits for a reload up to this number. */
void control_reply_reload(Manager *m, unsigned number, int result, const char *text);
/** Answers everybody who waits for the verb (enum ControlVerb of link/control.h). */
void control_reply(Manager *m, uint32_t verb, int result, const char *text);
/** Whether somebody waits for an answer. */
bool control_is_waited_for(const Manager *m);
/** Takes over a connection of an earlier program, which has what the fields of like say. 0 or
 * -errno. */
int control_adopt(Manager *m, int fd, const ControlPeer *like);
