#pragma once

/*
 * Landlock: what files and ports the processes of a pool reach, and what they can do to each other.
 * A process may put any number of layers (up to 16) upon itself; all of them have to allow a thing.
 *
 *   template   landlock_confine() before the language starts: the lists of the pool file
 *   worker     landlock_isolate(): a layer of its own, which nobody else is in
 *   porter     landlock_renounce()
 *
 * Only the opening of files, executing, making, renaming and removing are asked for. It does not
 * cover stat(2), access(2), chdir(2), chmod(2), chown(2), utime(2), reading links, locks, extended
 * attributes, connecting to unix sockets in the file system, UDP, and what was open before.
 *
 * The version (ABI) of the kernel is an argument, so that tests can be older than their kernel.
 */

#include "base/macro.h"

/** The version of the kernel's Landlock (landlock(7)), 0: it has none, or it is switched off or
 * denied; -errno.
 */
int landlock_find_abi(void);

/**
 * Puts this process into a Landlock domain of its own that takes nothing away (handled: making
 * block devices, which nobody may anyway). Siblings are then in different domains, which the kernel
 * keeps from ptrace, process_vm_*, /proc/PID/mem and pidfd_getfd on each other (Linux 5.13), and
 * with ABI 6 from signalling each other, and from abstract sockets of all others unless
 * abstract_sockets. With ABI 1 nothing can be renamed from one folder to another any more (EXDEV).
 * Returns 1; 0 when the kernel has no Landlock, having made the process not dumpable instead;
 * -errno.
 */
int landlock_isolate(int abi, bool abstract_sockets);

/**
 * As landlock_isolate(), and takes away all that the kernel's Landlock knows: every right to files,
 * to bind and connect TCP sockets (ABI 4), to connect to abstract sockets and to signal others (ABI
 * 6). What is open stays usable. Not dumpable in any case. Returns as landlock_isolate().
 */
int landlock_renounce(void);

/* A list of the pool file: n = 0: not restricted; the only word "none": nothing but what every pool
 * needs (sandbox/needs.h). Paths are absolute; "-" before one: it may be missing. */
typedef struct LandlockList {
    const char *const *items;
    size_t n;
} LandlockList;

typedef struct LandlockWish {
    LandlockList read, write, exec; /* paths */
    LandlockList tcp;               /* numbers of ports to connect to */
    bool abstract_sockets;          /* those of others may be connected to */
    bool optional;                  /* what the kernel cannot do is left out */
    const char *root; /* where the paths of the lists begin: a root to be changed to; NULL: "/" */
    /* What the language reads besides when it starts, below "/", NULL-terminated; NULL: nothing. Of
     * folders also what links in them lead to. What is missing is passed over. */
    const char *const *language;
} LandlockWish;

typedef struct LandlockOutcome {
    unsigned moot;    /* bits of BoardMoot: what the kernel cannot do */
    unsigned n_rules; /* of the layer */
    char text[512];   /* of a failure: which directive, which value, why */
} LandlockOutcome;

/**
 * Puts this process under the wish: a layer that handles exactly what is restricted; from ABI 6 on
 * also signals to processes outside of it, and abstract sockets as wished. A link on the way to a
 * path of the lists that this user could have made, or put another in the place of, is refused
 * (sandbox/resolve.h). Returns 0, or -errno with ret->text set, having changed nothing: -ENOSYS:
 * the kernel cannot, and it was not optional.
 */
int landlock_confine(const LandlockWish *wish, int abi, LandlockOutcome *ret);
