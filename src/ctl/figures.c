#include "ctl/figures.h"

#include "base/fd.h"
#include "ctl/ask.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void figures_done(Figures *figures)
{
    if (figures->pool)
        munmap((void *)(uintptr_t)figures->pool, figures->size);
    *figures = (Figures){0};
}

int figures_ask(const Ctl *ctl, const char *pool, int fd, Figures *ret)
{
    _cleanup_answer_ Answer answer = ANSWER_NONE;
    Figures f = {0};
    int r = ask(ctl, pool, fd, CONTROL_STATUS, 0, &answer);

    if (r < 0)
        return r;
    r = answer.fd < 0 ? -EBADMSG : status_open(answer.fd, &f.pool, &f.workers, &f.size);
    if (r == 0)
        *ret = f;
    else if (r == -EBADMSG)
        ctl_complain("%s: its manager is of another version than this fpmctl: systemctl restart "
                     "fpmd@%s",
                     pool, pool);
    else
        ctl_complain("%s: %s", pool, strerror(-r));
    return r;
}

int figures_of(const Ctl *ctl, const char *pool, Figures *ret, int *ret_status)
{
    _cleanup_fd_ int fd = ask_open(ctl, pool, ret_status);
    int r = fd < 0 ? fd : figures_ask(ctl, pool, fd, ret);

    if (fd >= 0 && r < 0)
        *ret_status = CTL_EXIT_UNKNOWN;
    return r;
}
