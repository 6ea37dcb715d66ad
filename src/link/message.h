#pragma once

/*
 * Messages between our own processes: fixed size, SOCK_SEQPACKET, fds beside them as SCM_RIGHTS.
 *
 *   template link  manager ↔ template   FORK →, ← READY, ← FAILED
 *   life line      manager ↔ worker     ← HELLO (its pid is the kernel's, SCM_CREDENTIALS), ←
 * READY, ← STATUS, STATUS →; end of file: leave
 *   hand-over      manager → workers    POKE: see whether the listener has a connection
 *
 * Everything that a template or worker sends is gossip: checked, and an absurd message is counted
 * and ignored.
 */

#include "base/macro.h"

#include <sys/types.h>

#define LINK_VERSION   1
#define LINK_TEXT_SIZE 1024
#define LINK_FORK_MAX  32 /* workers per order */

typedef enum LinkType {
    LINK_FORK = 1, /* count, and LINK_FORK_FDS fds per worker */
    LINK_READY,    /* template: the language runs; worker: registered with the listener */
    LINK_FAILED,   /* text: why the language could not start */
    LINK_HELLO,
    LINK_POKE,
    LINK_STATUS, /* worker: what is the state of the pool; manager: a snapshot memfd beside it */
    _LINK_TYPE_MAX,
} LinkType;

/* The fds of one worker in a FORK order, in this order. */
typedef enum LinkForkFd {
    LINK_FORK_FD_SLOT,
    LINK_FORK_FD_LIFE_LINE,
    LINK_FORK_FD_STDOUT,
    LINK_FORK_FD_STDERR,
    LINK_FORK_FDS,
} LinkForkFd;

typedef enum LinkForkFlag {
    LINK_FORK_STATUS = 1 << 0, /* workers for the status listeners only */
} LinkForkFlag;

typedef struct LinkMessage {
    uint32_t version;
    uint32_t type;
    uint32_t count;
    uint32_t flags;            /* READY: bits of BoardMoot; FORK: bits of LinkForkFlag */
    char text[LINK_TEXT_SIZE]; /* NUL-terminated: FAILED: the reason; READY of a template: name and
                                  version, "PHP 8.2.36" */
} LinkMessage;

/** Makes a connected pair: ret[0] the manager's end (credentials on, non-blocking, without
 * descriptors where the kernel can refuse them), ret[1] the other's (blocking). 0 or -errno. */
int link_pair(int ret[2]);

/**
 * Makes a unix socket refuse descriptors: who sends some to it gets -EPERM. Descriptors that
 * arrive, are read or not, are closed by the receiver, and a close(2) may wait as long as the
 * sender likes (SO_LINGER). On a listening socket it holds for the connections that it accepts.
 * 1; 0 when the kernel cannot (before Linux 6.16); -errno.
 */
int link_refuse_fds(int fd);

/** Lets them in again. 0 or -errno. */
int link_admit_fds(int fd);

/** Whether link_refuse_fds() works here. fd: any unix socket. */
bool link_can_refuse_fds(int fd);

/** Sends one message with n fds (at most LINK_FORK_MAX * LINK_FORK_FDS). 0 or -errno (-EAGAIN when
 * the link is full). */
int link_send(int fd, const LinkMessage *m, const int *fds, size_t n_fds);

/**
 * Receives one message; flags: 0 or MSG_DONTWAIT. Returns 1; 0 at end of file; -EAGAIN; -EBADMSG
 * for a message of the wrong size, version or type (its fds are closed); another -errno. fds (room
 * for max_fds, may be NULL with 0) are close-on-exec and belong to the caller. ret_pid (may be
 * NULL) is the sender's as the kernel saw it, 0 when unknown.
 */
int link_receive(int fd, int flags, LinkMessage *ret, int *fds, size_t max_fds, size_t *ret_n_fds,
                 pid_t *ret_pid);
