#include "base/exit_status.h"
#include "base/macro.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * The runtime of PHP as a program: becomes PHP's own command-line program with our engine loaded in
 * front of its libraries, see host.c. The engine is beside this file, and so is a link that says
 * which program it is; before an installation, it is the one of the build.
 */

#define MODULE FPMD_PHP_RUNTIME ".so"
#define LINK   FPMD_PHP_RUNTIME ".program"

static int fail(const char *what, const char *path, const char *why, const char *hint)
{
    fprintf(stderr, "%s %s: %s%s\n", what, path, why, hint);
    return EXIT_STATUS_EXEC;
}

/* Folder of this program, with the slash. */
static const char *find_folder(char *ret, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", ret, size - 1);
    char *slash;

    ret[MAX(n, 0)] = '\0';
    slash = strrchr(ret, '/');
    if (!slash)
        return FPMD_LIBEXEC_DIR "/";
    slash[1] = '\0';
    return ret;
}

/* Puts the module in front of what LD_PRELOAD has already, ld.so(8). */
static int preload(const char *module)
{
    const char *earlier = getenv("LD_PRELOAD");
    _cleanup_free_ char *list = NULL;

    if (asprintf(&list, "%s%s%s", module, earlier ? ":" : "", earlier ? earlier : "") < 0) {
        list = NULL;
        return -1;
    }
    return setenv("LD_PRELOAD", list, true);
}

/* In front of a program that has capabilities of its own the linker puts nothing (AT_SECURE), even
 * where the kernel does not give it any: PHP would be a command line. */
static bool is_privileged(const char *program)
{
    struct statvfs fs;

    return getxattr(program, "security.capability", NULL, 0) > 0 && statvfs(program, &fs) == 0 &&
           !(fs.f_flag & ST_NOSUID);
}

int main(int argc, char **argv)
{
    char folder_of_program[PATH_MAX], module[PATH_MAX + sizeof(MODULE)],
        program[PATH_MAX + sizeof(LINK)], target[2];
    const char *folder = find_folder(folder_of_program, sizeof(folder_of_program));

    snprintf(module, sizeof(module), "%s" MODULE, folder);
    snprintf(program, sizeof(program), "%s" LINK, folder);
    /* The linker goes on without a module that it cannot find, and PHP would take our arguments. */
    if (access(module, R_OK) < 0)
        return fail("cannot load", module, strerror(errno), ", part of fpmd");
    if (strpbrk(module, " :"))
        return fail("cannot load", module, "spaces and colons part names in LD_PRELOAD", "");
    if (preload(module) < 0)
        return fail("cannot load", module, strerror(errno), "");
    if (readlink(program, target, sizeof(target)) < 0)
        snprintf(program, sizeof(program), "%s", FPMD_PHP_PROGRAM);
    if (is_privileged(program))
        return fail("cannot load the runtime into", program,
                    "the file has capabilities, see setcap(8)", "");
    execv(program, argv);
    return fail("cannot execute", program, strerror(errno),
                ", the command-line program of PHP " FPMD_PHP_VERSION
                " that the runtime is made of (Debian: php" FPMD_PHP_VERSION "-cli)");
}
