#pragma once

/*
 * For tests that run the program fpmctl: the folder and the managers that it sees, and what it
 * said last.
 */

#include "server.h"
#include "../run.h"

#include <string.h>
#include <unistd.h>

#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static Server server;
static char output[65536], errors[65536];

static inline int run(const char *const *words)
{
    return server_run(&server, words, output, errors, sizeof(output));
}

static inline void assert_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no '%s' in:\n%s", part, text);
}

/* Good wherever the tests run: "user" only where ids can be changed, the runtime a file that is
 * there. */
static inline const char *good_file(void)
{
    return geteuid() == 0 ? "[good]\nuser = nobody\npm = static\npm.max_children = 2\n"
                            "runtime = true\n"
                          : "[good]\npm = static\npm.max_children = 2\nruntime = true\n";
}
