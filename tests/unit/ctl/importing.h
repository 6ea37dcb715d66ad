#pragma once

/*
 * Besides: a folder of PHP-FPM's pool files to import, and units to write to.
 */

#include "fpmctl.h"

#include <stdio.h>
#include <sys/stat.h>

static char old[128], units[160]; /* the folder that is imported, and --unit-dir= */

#define IMPORTING(...)                                                                             \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, "--libexec-dir=/bin", units, NULL                                             \
    }

/* conf/NAME, with "../" anywhere. */
static inline const char *path(const char *name)
{
    static char paths[4][192];
    static unsigned i;
    char *p = paths[i++ % 4];

    snprintf(p, sizeof(paths[0]), "%s/conf/%s", server.dir, name);
    return p;
}

static inline void set_up_folders(void)
{
    char bin[160];

    server_init(&server);
    snprintf(old, sizeof(old), "%s/old", server.dir);
    snprintf(units, sizeof(units), "--unit-dir=%s/units", server.dir);
    ck_assert_int_eq(mkdir(old, 0755), 0);
    ck_assert_int_eq(mkdir(path("../units"), 0755), 0);
    ck_assert_int_eq(mkdir(path("../bin"), 0755), 0);
    /* The machine's own systemd has nothing to do with it. */
    server_write(&server, "../bin/systemctl", "#!/bin/sh\nexit 0\n");
    ck_assert_int_eq(chmod(path("../bin/systemctl"), 0755), 0);
    snprintf(bin, sizeof(bin), "%s/bin:/usr/bin:/bin", server.dir);
    setenv("PATH", bin, 1);
}

static inline void tear_down(void)
{
    server_done(&server);
}
