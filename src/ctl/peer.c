#include "ctl/peer.h"

#include "base/fd.h"
#include "base/parse.h"
#include "ctl/units.h"
#include "link/control.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether it is the units' managers that have their sockets in that folder. */
static bool is_folder_of_units(const Ctl *ctl)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    _cleanup_free_ char *folder = NULL;

    if (!ctl->user)
        return strcmp(ctl->control_dir, CONTROL_DIR) == 0;
    if (!runtime || asprintf(&folder, "%s/fpmd-control", runtime) < 0) {
        folder = NULL;
        return false;
    }
    return strcmp(ctl->control_dir, folder) == 0;
}

/* MainPID= of the service, 0: it does not run; -1: systemd does not say. */
static pid_t main_pid_of(const Ctl *ctl, const char *pool)
{
    _cleanup_(units_closep) Units *units = NULL;
    _cleanup_buffer_ Buffer b = {0};
    uint64_t pid;
    char unit[256];
    int n = snprintf(unit, sizeof(unit), "fpmd@%s.service", pool);

    if (n < 0 || (size_t)n >= sizeof(unit) || !is_folder_of_units(ctl) ||
        units_open(&units, ctl->user) < 0 || units_read(units, unit, "MainPID", &b) < 0 ||
        buffer_append(&b, "", 1) < 0 || parse_u64(b.data, 0, INT32_MAX, &pid) < 0)
        return -1;
    return (pid_t)pid;
}

static uid_t dir_owner(const Ctl *ctl, const char *pool)
{
    _cleanup_free_ char *path = NULL;
    struct stat st;

    if (asprintf(&path, "%s/%s", ctl->control_dir, pool) < 0) {
        path = NULL;
        return 0;
    }
    return stat(path, &st) < 0 ? 0 : st.st_uid;
}

bool peer_may_be_manager(pid_t pid, uid_t uid, pid_t main_pid, uid_t owner)
{
    const struct passwd *fpmd;

    /* Of another pid namespace: 0. */
    if (main_pid > 0 && pid > 0)
        return pid == main_pid;
    /* In the foreground, or where there is no systemd: another process of its user could be taken
     * for it, but then the pool has nothing that this user has not. */
    if (uid == 0 || uid == geteuid() || (main_pid != 0 && uid == owner))
        return true;
    fpmd = getpwnam(FPMD_MANAGER_USER);
    return fpmd && uid == fpmd->pw_uid;
}

bool peer_is_manager(const Ctl *ctl, const char *pool, int fd)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);
    pid_t main_pid;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0) {
        ctl_complain_control(ctl, pool, -errno);
        return false;
    }
    main_pid = main_pid_of(ctl, pool);
    if (peer_may_be_manager(cred.pid, cred.uid, main_pid, dir_owner(ctl, pool)))
        return true;
    if (main_pid > 0)
        ctl_complain(
            "%s: process %d of user %u listens at %s/%s/control, but the manager is %d "
            "(MainPID= of fpmd@%s.service); unless the pool is just being restarted, that "
            "process pretends to be it: look at what it is, then systemctl restart fpmd@%s",
            pool, (int)cred.pid, (unsigned)cred.uid, ctl->control_dir, pool, (int)main_pid, pool,
            pool);
    else
        ctl_complain("%s: process %d of user %u listens at %s/%s/control, which is neither root "
                     "nor the user of the manager",
                     pool, (int)cred.pid, (unsigned)cred.uid, ctl->control_dir, pool);
    return false;
}

bool peer_is_of_unit(const Ctl *ctl, const char *pool, int fd)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 && cred.pid > 0 &&
           cred.pid == main_pid_of(ctl, pool);
}
