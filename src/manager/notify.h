#pragma once

/*
 * sd_notify(3) without ever blocking: the library's function waits when PID 1 is slow. Without
 * NOTIFY_SOCKET everything is a no-op.
 */

#include "base/macro.h"

#include <sys/socket.h>
#include <sys/un.h>

typedef struct Notifier {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un address;
    socklen_t address_size;
} Notifier;

/** Takes NOTIFY_SOCKET out of the environment. 0; a broken variable is -EINVAL. */
int notifier_init(Notifier *n);
/** The same with an address that an earlier program had. */
int notifier_set(Notifier *n, const char *path);

/** The address as NOTIFY_SOCKET has it, to be freed; NULL: none, or no memory. */
char *notifier_path(const Notifier *n);
void notifier_done(Notifier *n);

/** Sends lines of KEY=value. 0, also when nobody listens; -EAGAIN when PID 1 is too slow; another
 * -errno. */
int notifier_send(const Notifier *n, const char *format, ...) _printf_(2, 3);

/** Sends a STATUS, which may have words of strangers in it: line ends, behind which they could say
 * MAINPID= in the name of the manager, become blanks. As notifier_send(). */
int notifier_status(const Notifier *n, const char *format, ...) _printf_(2, 3);
