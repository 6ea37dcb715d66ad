#include "ctl/former.h"
#include "ctl/apply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int former_settings(const char *unit_dir, const UnitView *unit)
{
    _cleanup_free_ char *path = NULL, *state = NULL, *entered = NULL;
    uint64_t written;
    struct timespec tick = {0};
    struct stat st;
    int r = 0;

    if (asprintf(&path, "%s/%s.d/" APPLY_DROPIN, unit_dir, unit->name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    if (stat(path, &st) < 0)
        return 0;
    written = (uint64_t)st.st_mtim.tv_sec * USEC_PER_SEC + (uint64_t)st.st_mtim.tv_nsec / 1000;
    /* Times of files come from the coarse clock and are up to a tick behind those of systemd, which
     * takes far longer than that to read a drop-in and restart a unit. */
    if (clock_getres(CLOCK_REALTIME_COARSE, &tick) == 0)
        written += (uint64_t)tick.tv_nsec / 1000;
    state = match_read(unit, "ActiveState", &r);
    /* Settings are those of the moment at which its start began: a service becomes active later. */
    entered = state ? match_read(unit, "InactiveExitTimestamp", &r) : NULL;
    if (!entered)
        return r;
    return strcmp(state, "active") == 0 && strtoull(entered, NULL, 10) < written;
}
