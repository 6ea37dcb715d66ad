#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/config.h"
#include "ctl/ctl.h"
#include "ctl/peer.h"
#include "ctl/units.h"
#include "link/control.h"
#include "status/escape.h"
#include "status/render.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static int render(const Ctl *ctl, Buffer *b, int fd)
{
    const StatusPool *pool;
    const StatusWorker *workers;
    size_t size;
    int r = status_open(fd, &pool, &workers, &size);

    if (r < 0)
        return r;
    r = status_render(b, ctl->json ? STATUS_JSON : STATUS_TEXT, pool, workers, ctl->full);
    munmap((void *)pool, size);
    return r;
}

static int show(const Ctl *ctl, const char *pool, int fd)
{
    _cleanup_buffer_ Buffer b = {0};
    _cleanup_fd_ int snapshot = -1;
    ControlReply reply;
    int r = control_call(fd, CONTROL_STATUS, &reply, &snapshot);

    if (r == 0 && reply.result < 0) {
        if (escape_text(&b, *reply.text ? reply.text : strerror(-reply.result)) == 0)
            ctl_complain("%s: %.*s", pool, (int)b.size, b.data);
        return CTL_EXIT_UNKNOWN;
    }
    if (r == 0)
        r = snapshot < 0 ? -EBADMSG : render(ctl, &b, snapshot);
    if (r == -EBADMSG)
        ctl_complain("%s: its manager is of another version than this fpmctl: systemctl restart "
                     "fpmd@%s",
                     pool, pool);
    else if (r < 0)
        ctl_complain_control(ctl, pool, r);
    return r < 0 ? CTL_EXIT_UNKNOWN : ctl_print(&b);
}

/* state: of the socket unit, NULL when nobody could tell. */
static int print_stopped(const char *pool, const char *state)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = buffer_printf(
        &b, "{\n  \"pool\": \"%s\",\n  \"state\": \"stopped\",\n  \"socket\": \"%s\"\n}\n", pool,
        state ? state : "unknown");

    if (r == 0)
        r = ctl_print(&b);
    return r == 0 ? CTL_EXIT_NOT_RUNNING : EXIT_STATUS_FAILURE;
}

static void complain_stopped(const Ctl *ctl, const char *pool, const char *state)
{
    if (!state)
        ctl_complain("%s: not running (nobody listens at %s/%s/control); systemd cannot be asked "
                     "about its socket",
                     pool, ctl->control_dir, pool);
    else
        ctl_complain("%s: not running; fpmd@%s.socket is %s%s", pool, pool, state,
                     strcmp(state, "active") == 0 ? ", the next connection starts the pool" : "");
}

static int show_stopped(const Ctl *ctl, const char *pool)
{
    _cleanup_(units_closep) Units *units = NULL;
    UnitState state;
    int r = units_open(&units, ctl->user);

    if (r == 0)
        r = units_get(units, pool, "socket", &state);
    if (ctl->json)
        return print_stopped(pool, r == 0 ? state.active : NULL);
    complain_stopped(ctl, pool, r == 0 ? state.active : NULL);
    return CTL_EXIT_NOT_RUNNING;
}

int verb_status(const Ctl *ctl, int n, char **operands)
{
    const char *pool = operands[0];
    _cleanup_fd_ int fd = -1;

    if (config_check_pool_name(pool) < 0) {
        ctl_complain("'%s' cannot be the name of a pool", pool);
        return EXIT_STATUS_USAGE;
    }
    fd = control_connect(ctl->control_dir, pool);
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        return show_stopped(ctl, pool);
    if (fd < 0) {
        ctl_complain_control(ctl, pool, fd);
        return CTL_EXIT_UNKNOWN;
    }
    return peer_is_manager(ctl, pool, fd) ? show(ctl, pool, fd) : CTL_EXIT_UNKNOWN;
}
