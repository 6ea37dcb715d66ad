#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/config.h"
#include "ctl/ask.h"
#include "ctl/figures.h"
#include "ctl/units.h"
#include "status/render.h"

#include <errno.h>
#include <string.h>

static int show(const Ctl *ctl, const char *pool, int fd)
{
    _cleanup_figures_ Figures f = {0};
    _cleanup_buffer_ Buffer b = {0};

    if (figures_ask(ctl, pool, fd, &f) < 0)
        return CTL_EXIT_UNKNOWN;
    if (status_render(&b, ctl->json ? STATUS_JSON : STATUS_TEXT, f.pool, f.workers, ctl->full) <
        0) {
        ctl_complain("%s: %s", pool, strerror(ENOMEM));
        return CTL_EXIT_UNKNOWN;
    }
    return ctl_print(&b);
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

static int show_stopped(const Ctl *ctl, const char *pool)
{
    _cleanup_(units_closep) Units *units = NULL;
    UnitState state;
    int r = units_open(&units, ctl->user);

    if (r == 0)
        r = units_get(units, pool, "socket", &state);
    if ((r < 0 || strcmp(state.active, "active") != 0) && !ask_has_pool(ctl, pool)) {
        ask_complain_nobody(ctl, pool);
        return CTL_EXIT_UNKNOWN;
    }
    if (ctl->json)
        return print_stopped(pool, r == 0 ? state.active : NULL);
    if (r < 0)
        ask_complain_nobody(ctl, pool);
    else
        ctl_complain("%s: not running; fpmd@%s.socket is %s%s", pool, pool, state.active,
                     strcmp(state.active, "active") == 0 ? ", the next connection starts the pool"
                                                         : "");
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
    fd = ask_connect(ctl, pool);
    if (fd == -ENOENT)
        return show_stopped(ctl, pool);
    return fd < 0 ? CTL_EXIT_UNKNOWN : show(ctl, pool, fd);
}
