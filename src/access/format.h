#pragma once

/*
 * access.format: compiled once, written for each request. PHP-FPM's language (%C %d %e %f %l %m %M
 * %n %o %p %P %q %Q %r %R %s %t %T %u, with {arguments}), without a limit of length. No I/O and no
 * clock here.
 */

#include "base/buffer.h"

#include <sys/types.h>
#include <time.h>

typedef struct AccessFormat AccessFormat;

/** Compiles text. 0; -EINVAL with the reason in error, for people; -ENOMEM. */
int access_format_new(const char *text, AccessFormat **ret, char *error, size_t error_size);
AccessFormat *access_format_free(AccessFormat *f);
DEFINE_CLEANUP(AccessFormat, access_format_free)

/* One request. Texts may be NULL: none. */
typedef struct AccessValues {
    const char *pool;
    pid_t pid, manager_pid;
    const char *method, *uri, *query, *script, *user, *remote;
    unsigned status;
    uint64_t content_length;
    uint64_t begun_realtime_usec, ended_realtime_usec, duration_usec;
    uint64_t cpu_user_usec, cpu_system_usec;
    uint64_t memory_peak_bytes;
    /* A FastCGI parameter and a response header, NULL: there is none. */
    const char *(*param)(void *userdata, const char *name);
    const char *(*header)(void *userdata, const char *name);
    void *userdata;
} AccessValues;

/** Whether the format has this letter: some values are not to be had for nothing. */
bool access_format_wants(const AccessFormat *f, char code);

/** Appends the line, with its newline. Control characters in values are escaped ("\x0a"), so that
 * no request can write a line of its own. 0 or -ENOMEM. */
int access_format_write(const AccessFormat *f, const AccessValues *v, Buffer *b);
