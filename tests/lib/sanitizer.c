/*
 * Linked into every program of a build with sanitizers (see SANITIZE in run.py): what they need to
 * work in the processes of a pool, whose environment is empty and whose stderr is somewhere else.
 *
 * Reports go into one file, where it exists: opened when a program starts, since none of them can
 * open files later. Signals are left to the program, which says in its own words what it died of.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REPORTS "/run/sanitizer/reports"

/* Above those that a program arranges for the one that it executes, below most limits. */
#define REPORTS_FD 200

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* Weak: meson tries linker arguments with a program that has no sanitizer. */
void *__interceptor_dlopen(const char *path, int flags) __attribute__((weak));
void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

static bool is_named(const char *name, const char *wanted)
{
    while (*name && *name == *wanted)
        name++, wanted++;
    return *name == *wanted;
}

/* Leaks are found by ptrace, which none of a pool's processes may. This comes before the sanitizer
 * has prepared the functions that it wraps: prctl() and strcmp() cannot be called. */
const char *__asan_default_options(void)
{
#define OPTIONS                                                                                    \
    "abort_on_error=1:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:"              \
    "handle_abort=0:disable_coredump=0"
    char name[16] = "";

    syscall(SYS_prctl, PR_GET_NAME, name, 0, 0, 0);
    return is_named(name, "fpmd") || is_named(name, "fpmctl") ? OPTIONS ":detect_leaks=1"
                                                              : OPTIONS ":detect_leaks=0";
}

const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}

/* The language loads its extensions with RTLD_DEEPBIND, at which AddressSanitizer ends a program.
 */
void *dlopen(const char *path, int flags)
{
    return __interceptor_dlopen(path, flags & ~RTLD_DEEPBIND);
}

static bool reporting;

static struct {
    int (*function)(void *);
    void *argument;
} cloned;

/* Per process: for a child it would open another file. A manager that takes over closes what it
 * does not know. */
static void use_reports(void)
{
    if (fcntl(REPORTS_FD, F_GETFD) < 0) {
        int fd = open(REPORTS, O_WRONLY | O_APPEND | O_CLOEXEC);

        if (fd >= 0)
            dup3(fd, REPORTS_FD, O_CLOEXEC);
        if (fd >= 0)
            close(fd);
    }
    __sanitizer_set_report_fd((void *)(intptr_t)REPORTS_FD);
}

static int run_cloned(void *unused)
{
    if (reporting)
        use_reports();
    return cloned.function(cloned.argument);
}

/* The library's handlers of forks do not know of it. One call at a time. */
int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    int (*original)(int (*)(void *), void *, int, void *, ...) = dlsym(RTLD_NEXT, "clone");

    cloned.function = function;
    cloned.argument = argument;
    return original(run_cloned, stack, flags, NULL);
}

__attribute__((constructor)) static void open_reports(void)
{
    int saved = errno;

    if (&__sanitizer_set_report_fd && access(REPORTS, W_OK) == 0) {
        reporting = true;
        use_reports();
        pthread_atfork(NULL, NULL, use_reports);
    }
    errno = saved;
}
