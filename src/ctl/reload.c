#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/config.h"
#include "ctl/ctl.h"
#include "link/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool reload(const Ctl *ctl, const char *pool)
{
    _cleanup_fd_ int fd = control_connect(ctl->control_dir, pool);
    _cleanup_fd_ int extra = -1;
    ControlReply reply;
    int r;

    if (fd == -ENOENT || fd == -ECONNREFUSED) {
        ctl_complain("%s: not running, nothing to reload (nobody listens at %s/%s/control)", pool,
                     ctl->control_dir, pool);
        return false;
    }
    r = fd < 0 ? fd : control_call(fd, CONTROL_RELOAD, &reply, &extra);
    if (r < 0) {
        ctl_complain_control(ctl, pool, r);
        return false;
    }
    if (reply.result < 0) {
        ctl_complain("%s: reload was refused: %s", pool,
                     *reply.text ? reply.text : strerror(-reply.result));
        return false;
    }
    printf("%s: %s\n", pool, *reply.text ? reply.text : "reloaded");
    return true;
}

int verb_reload(const Ctl *ctl, int n, char **operands)
{
    bool all = true;

    for (int i = 0; i < n; i++)
        if (config_check_pool_name(operands[i]) < 0) {
            ctl_complain("'%s' cannot be the name of a pool", operands[i]);
            return EXIT_STATUS_USAGE;
        }
    for (int i = 0; i < n; i++)
        all = reload(ctl, operands[i]) && all;
    return all && fflush(stdout) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_FAILURE;
}
