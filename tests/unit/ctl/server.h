#pragma once

/*
 * A manager's control socket for tests, and the program fpmctl against it.
 */

#include "link/control.h"

#include <sys/types.h>

#define SERVER_POOLS 4

/* A folder of its own with conf/ and control/, removed by server_done(). */
typedef struct Server {
    char dir[64];
    pid_t pids[SERVER_POOLS];
    size_t n_pids;
    uint64_t argument; /* that requests must have to be answered */
    /* Requests of another kind that the next server answers too, with a descriptor; 0: none. */
    ControlVerb also;
    ControlReply also_reply;
    int also_fd;
} Server;

void server_init(Server *s);
void server_done(Server *s);

/** Answers every request of one connection for pool: the reply, and a sealed copy of the snapshot
 * unless n is 0. Only requests with this verb are answered. reply NULL: the connection is closed
 * instead. */
void server_start(Server *s, const char *pool, ControlVerb verb, const ControlReply *reply,
                  const void *snapshot, size_t n);

/** Ends the one that was started last, which leaves its socket behind. */
void server_stop(Server *s);

/** Writes conf/NAME. */
void server_write(const Server *s, const char *name, const char *text);

/** Runs fpmctl with the folders of s and the words (NULL ends). Returns the exit status; output and
 * errors are NUL-terminated and cut to size. */
int server_run(const Server *s, const char *const *words, char *output, char *errors, size_t size);
