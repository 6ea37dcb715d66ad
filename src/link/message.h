#pragma once

/*
 * Messages between our own processes: fixed size, SOCK_SEQPACKET, fds beside them as SCM_RIGHTS.
 *
 *   template link  manager ↔ template   FORK →, ← READY, ← FAILED, TRACE →, ← TRACED, REOPEN →
 *   life line      manager ↔ worker     ← HELLO (its pid is the kernel's, SCM_CREDENTIALS), ←
 * READY, ← STATUS, STATUS →, LEAVE →, ← LEAVING, DRAIN →, ← RENEW, REOPEN →, GO →; end of file:
 * leave hand-over      manager → workers    POKE: see whether the listener has a connection porter
 * → workers     SERVE: a connection that has bytes park           workers → porter     PARK: a
 * connection that nobody serves now porter link    manager ↔ porter     SHED →, LEAVE →, ← READY, ←
 * STATUS, STATUS →, DRAIN →; end of file: leave
 *
 * Hand-over and park belong to the pool, not to a generation: what waits in them at a reload is
 * served by whoever comes next.
 *
 * Everything that a template or worker sends is gossip: checked, and an absurd message is counted
 * and ignored.
 */

#include "base/macro.h"

#include <signal.h>
#include <sys/types.h>

#define LINK_VERSION   1
#define LINK_TEXT_SIZE 1024
#define LINK_FORK_MAX  32 /* workers per order */

typedef enum LinkType {
    LINK_FORK = 1, /* count, and LINK_FORK_FDS fds per worker; flags: LinkForkFlag */
    LINK_READY,    /* template: the language runs, without count of the parts (extensions) that
                      were asked for; worker: registered with the listener, flags:
                      bits of BoardMoot */
    LINK_FAILED,   /* text: why the language could not start */
    LINK_HELLO,    /* count, flags: the key of the worker's marks (link/mark.h), its upper and its
                      lower half; 0: it makes none */
    LINK_POKE,
    LINK_LEAVE,   /* after the present request; connections at rest go to the porter. Without it,
                     at the end of file, they are closed when no byte is pending. flags:
                     LinkLeaveFlag */
    LINK_LEAVING, /* worker: this request is my last, a successor is wanted; flags: LinkLeaving */
    LINK_DRAIN,   /* worker or porter shall answer pings with 503 from now on */
    LINK_RENEW,   /* worker: the generation should be replaced (its opcode cache wants a restart) */
    LINK_PARK,    /* flags: LinkConnectionFlag; one fd */
    LINK_SERVE,   /* flags: LinkConnectionFlag; one fd */
    LINK_SHED,    /* porter shall take count connections from the listeners and answer 503; flags:
                     the seconds after which a client may try again, 0: not said */
    LINK_STATUS,  /* worker or porter: what is the state of the pool; manager: a snapshot memfd
                     beside it, and for workers the history (status/history.h) if there is one */
    LINK_TRACE,   /* template shall write the call stack of a worker into the area (board/trace.h)
                     whose fd is beside it */
    LINK_TRACED,  /* template: has done so; count: the number of the wish */
    LINK_REOPEN,  /* the file of access.log is another one now; its fd is beside it */
    LINK_GO,      /* worker may begin to serve, see LINK_FORK_WAIT */
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
    LINK_FORK_DRAINING = 1 << 1, /* as if they had got DRAIN; 1 << 0 is taken: of former versions */
    LINK_FORK_WAIT = 1 << 2,     /* each worker waits for GO before it takes connections */
} LinkForkFlag;

typedef enum LinkLeaveFlag {
    LINK_LEAVE_SUCCEEDED = 1 << 0, /* porter: another one has begun: it gets everything, by PARK */
    LINK_LEAVE_AT_END = 1 << 1,    /* worker: the pool stops and nobody hands over any more, the end
                                      of file is next; without it the manager has crashed */
} LinkLeaveFlag;

/* Why a worker leaves on its own. */
typedef enum LinkLeaving {
    LINK_LEAVING_REQUESTS = 1, /* pm.max_requests */
    LINK_LEAVING_MEMORY,       /* pm.max_memory */
    LINK_LEAVING_LANGUAGE,     /* the language cannot go on */
    LINK_LEAVING_FILES,        /* no descriptor is left for a connection */
    LINK_LEAVING_LISTENER,     /* a script has closed a socket of the pool */
} LinkLeaving;

typedef enum LinkConnectionFlag {
    LINK_CONNECTION_SERVED = 1 << 0, /* it has carried a request */
    LINK_CONNECTION_HANDED = 1 << 1, /* it came from the porter: never on its way */
} LinkConnectionFlag;

/*
 * Signals to a worker that is busy for too long; a busy one reads no messages. The value of
 * sigqueue(3) is the HTTP status that the client shall see (503 or 504). A process of another
 * program, which has no handler for them, ends.
 */
#define LINK_SIGNAL_STOP SIGRTMIN       /* stop the script if its time is over; it may clean up */
#define LINK_SIGNAL_END  (SIGRTMIN + 1) /* answer if no byte was sent yet, and end at once */

typedef struct LinkMessage {
    uint32_t version;
    uint32_t type;
    uint32_t count;
    uint32_t flags;            /* see LinkType */
    char text[LINK_TEXT_SIZE]; /* NUL-terminated: FAILED: the reason; READY of a template: name and
                                  version, "PHP 8.2.36"; with a count, behind a line end, what it
                                  says of the first missing part */
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

/** Closes a descriptor that another process has sent. A socket would wait for its peer as long as
 * the sender likes (SO_LINGER): that is switched off before. */
void link_close_received(int fd);

/** Sends one message with n fds (at most LINK_FORK_MAX * LINK_FORK_FDS). 0 or -errno (-EAGAIN when
 * the link is full). */
int link_send(int fd, const LinkMessage *m, const int *fds, size_t n_fds);

/**
 * Sends LINK_SIGNAL_STOP or LINK_SIGNAL_END. A user whose queue of signals is full (he may fill it
 * himself, RLIMIT_SIGPENDING) gets it without the value: kill(2) needs no place there.
 */
void link_signal(pid_t pid, int number, int http_status);

/**
 * Receives one message; flags: 0 or MSG_DONTWAIT. Returns 1; 0 at end of file; -EAGAIN; -EBADMSG
 * for a message of the wrong size, version or type (its fds are closed); another -errno. fds (room
 * for max_fds, may be NULL with 0) are close-on-exec and belong to the caller. ret_pid (may be
 * NULL) is the sender's as the kernel saw it, 0 when unknown.
 */
int link_receive(int fd, int flags, LinkMessage *ret, int *fds, size_t max_fds, size_t *ret_n_fds,
                 pid_t *ret_pid);
