#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/config.h"
#include "ctl/compare.h"
#include "ctl/peer.h"
#include "ctl/pools.h"
#include "link/control.h"
#include "status/escape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool reload(const Ctl *ctl, const char *pool)
{
    _cleanup_fd_ int fd = control_connect(ctl->control_dir, pool);
    _cleanup_fd_ int extra = -1;
    _cleanup_buffer_ Buffer text = {0};
    ControlReply reply;
    int r;

    if (fd == -ENOENT || fd == -ECONNREFUSED) {
        ctl_complain("%s: not running, nothing to reload (nobody listens at %s/%s/control)", pool,
                     ctl->control_dir, pool);
        return false;
    }
    if (fd >= 0 && !peer_is_manager(ctl, pool, fd))
        return false;
    r = fd < 0 ? fd : control_call(fd, CONTROL_RELOAD, &reply, &extra);
    if (r == 0)
        r = escape_text(&text, reply.text);
    if (r == 0)
        r = buffer_append(&text, "", 1);
    if (r < 0) {
        ctl_complain_control(ctl, pool, r);
        return false;
    }
    if (reply.result < 0) {
        ctl_complain("%s: reload was refused: %s", pool,
                     *text.data ? text.data : strerror(-reply.result));
        return false;
    }
    printf("%s: %s\n", pool, *text.data ? text.data : "reloaded");
    return true;
}

/* The reload has been done; what only the units could do is said besides. */
static void warn_of_units(const Ctl *ctl, int n, char **operands)
{
    _cleanup_(units_closep) Units *units = NULL;

    /* As ExecReload= of a pool it is the manager that looks, and that knows whose the units are. */
    if ((geteuid() != 0 && !ctl->user) || units_open(&units, ctl->user) < 0)
        return;
    for (int i = 0; i < n; i++) {
        _cleanup_(config_issues_done) ConfigIssues loading = {0}, issues = {0};
        _cleanup_(pool_config_freep) PoolConfig *c = NULL;
        _cleanup_buffer_ Buffer b = {0};
        PoolFile file = {.name = operands[i]};

        if (pool_file_load(ctl, &file, &loading, &c) == 0 &&
            compare_units(ctl, units, c, &issues) == 0 && ctl_write_issues(&b, &issues) == 0 &&
            b.size > 0)
            fwrite(b.data, 1, b.size, stderr);
    }
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
    warn_of_units(ctl, n, operands);
    return all && fflush(stdout) == 0 ? EXIT_STATUS_OK : EXIT_STATUS_FAILURE;
}
