#pragma once

/*
 * A template below a root directory of its own (chroot of the pool file). The template starts its
 * language outside, where extensions and settings are, and never has a capability; so a process of
 * ours, which has SYS_CHROOT and nothing else, changes the root for both. The two share what
 * CLONE_FS of clone(2) shares: root, working directory, umask.
 *
 *   manager ──fork──> changer ──clone(CLONE_FS | CLONE_PARENT)──> template
 *
 * The manager is the parent of both. It gives the word when the template has said READY, and orders
 * workers when the changer says that it is done. The changer runs as the user of the pool, whose
 * rights are those that count on the way to the folder, holds no descriptor but the socket to the
 * manager, and ends when that closes.
 */

#include "base/macro.h"
#include "conf/config.h"
#include "sandbox/sandbox.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

typedef enum ChrootStep {
    CHROOT_CLONE, /* the template is there */
    CHROOT_CONFINE,
    CHROOT_ROOT,
    CHROOT_DIRECTORY, /* done */
} ChrootStep;

typedef struct ChrootAnswer {
    ChrootStep step;
    int error;          /* errno of the step, 0: done */
    pid_t template_pid; /* of CHROOT_CLONE */
} ChrootAnswer;

/* The manager's side; begins as {.fd = -1}. */
typedef struct Changer {
    pid_t pid; /* 0: none, or gone */
    int fd;    /* -1: none, or done with */
    sd_event_source *source;
} Changer;

/* ---- the changer's side ---- */

void chroot_tell(int fd, const ChrootAnswer *answer);

/** After the clone: takes the confinement on, with SYS_CHROOT; waits for the word; changes root and
 * directory; ends the process. */
_noreturn_ void chroot_serve(int fd, const Confinement *pool, const char *root,
                             const char *directory);

/* ---- the manager's side ---- */

/** Makes the socket; *ret_peer is the changer's end. 0 or -errno. */
int chroot_open(Changer *c, int *ret_peer);

/** Waits, for microseconds, until the changer has cloned the template. Its pid or -errno. */
pid_t chroot_wait_template(const Changer *c);

/** Gives the word; on_answer is called with userdata when there is an answer to read. 0 or -errno.
 */
int chroot_order(Changer *c, sd_event *event, sd_event_io_handler_t on_answer, void *userdata);

/** The answer to the word. 0, or -errno: the changer has died. */
int chroot_read(const Changer *c, ChrootAnswer *ret);

/** Why there is no new root, for people. */
void chroot_reason(const PoolConfig *pool, const ChrootAnswer *answer, char *text, size_t size);

/** Lets the changer go, whatever it does. */
void chroot_done(Changer *c);
