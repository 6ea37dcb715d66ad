#include "runtime/php/engine.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/*
 * The engine inside PHP's own command-line program (architecture.md, "Which PHP").
 *
 * launch.c starts that program with this module in front of its libraries. A program begins with a
 * call of __libc_start_main() (Linux Standard Base, Core, "Process Initialization"), which the
 * linker finds here first: when all libraries are ready, our main() runs instead of the program's.
 * What is used of the program from then on is what extensions use of it as well, the functions and
 * data of PHP that it exports.
 */

#define PRELOAD "LD_PRELOAD"

typedef int Main(int argc, char **argv, char **env);
typedef int Start(Main *program, int argc, char **argv, void (*init)(void), void (*fini)(void),
                  void (*rtld_fini)(void), void *stack_end);

static int run(int argc, char **argv, char **env)
{
    char *list = getenv(PRELOAD);

    unsetenv(PRELOAD); /* programs that are started from here are programs, not runtimes */
    if (list)          /* nor does /proc/self/environ have it */
        memset(list - sizeof(PRELOAD), 0, sizeof(PRELOAD) + strlen(list));
    return runtime_main(argc, argv, &php_engine);
}

__attribute__((visibility("default"))) Start __libc_start_main;

int __libc_start_main(Main *program, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
    Start *start = NULL;

    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    if (!start)
        abort();
    return start(run, argc, argv, init, fini, rtld_fini, stack_end);
}
