#include "manager/stop_limit.h"

#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/config.h"
#include "manager/spawn.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define SYSTEMD         "org.freedesktop.systemd1"
#define ASK_LIMIT_SEC   5
#define CALL_LIMIT_USEC (2 * USEC_PER_SEC)

/* systemd.exec(5): MANAGERPID is only there in what a service manager of a user has started. */
static int open_bus(sd_bus **ret)
{
    return getenv("MANAGERPID") ? sd_bus_open_user(ret) : sd_bus_open_system(ret);
}

static int ask(sd_bus *bus, pid_t pid, uint64_t *ret_usec)
{
    sd_bus_message *unit = NULL;
    const char *path;
    int r = sd_bus_set_method_call_timeout(bus, CALL_LIMIT_USEC);

    if (r >= 0)
        r = sd_bus_call_method(bus, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
                               "GetUnitByPID", NULL, &unit, "u", (uint32_t)pid);
    if (r >= 0)
        r = sd_bus_message_read(unit, "o", &path);
    if (r >= 0)
        r = sd_bus_get_property_trivial(bus, SYSTEMD, path, SYSTEMD ".Service", "TimeoutStopUSec",
                                        NULL, 't', ret_usec);
    sd_bus_message_unref(unit);
    return r;
}

_noreturn_ static void child(int fd, void *userdata)
{
    Confinement nothing = {.rlimit_files = RLIMIT_KEEP, .rlimit_core = RLIMIT_KEEP};
    const pid_t *pid = userdata;
    sd_bus *bus = NULL;
    uint64_t usec;
    int status;

    alarm(ASK_LIMIT_SEC);
    /* Nobody else may hold the life lines of workers. */
    if (fd_arrange(&fd, 1, STDERR_FILENO + 1) < 0)
        _exit(EXIT_STATUS_FDS);
    fd = STDERR_FILENO + 1;
    status = confine_for_exec(&nothing);
    if (status != 0)
        _exit(status);
    if (open_bus(&bus) < 0 || ask(bus, *pid, &usec) < 0 ||
        write(fd, &usec, sizeof(usec)) != (ssize_t)sizeof(usec))
        _exit(EXIT_STATUS_FAILURE);
    _exit(EXIT_STATUS_OK);
}

pid_t stop_limit_ask(int *ret_fd)
{
    pid_t manager = getpid();
    pid_t pid = spawn_child(child, &manager, ret_fd);

    if (pid > 0)
        fd_set_nonblock(*ret_fd, true);
    return pid;
}

int stop_limit_read(int fd, uint64_t *ret_usec)
{
    uint64_t usec;
    ssize_t n = read(fd, &usec, sizeof(usec));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return -EAGAIN;
    if (n != (ssize_t)sizeof(usec))
        return -ENODATA;
    *ret_usec = usec;
    return 0;
}
