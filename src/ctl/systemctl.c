#include "ctl/ctl.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

/* systemctl and not the bus: fpmctl has given up what changing units takes, and systemctl waits for
 * jobs and says what came of them. */
int ctl_systemctl(const Ctl *ctl, char *const *words)
{
    _cleanup_free_ char **argv = NULL;
    size_t n = 0, k = 0;
    int r, status;
    pid_t pid;

    while (words[n])
        n++;
    argv = calloc(n + 3, sizeof(*argv));
    if (!argv)
        return -ENOMEM;
    argv[k++] = (char *)(uintptr_t) "systemctl";
    if (ctl->user)
        argv[k++] = (char *)(uintptr_t) "--user";
    memcpy(argv + k, words, n * sizeof(*argv));
    fflush(NULL);
    r = -posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    if (r < 0)
        return r;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}
