#include "base/exit_status.h"
#include "ctl/figures.h"
#include "status/page.h"

#include <errno.h>
#include <string.h>

int verb_metrics(const Ctl *ctl, int n, char **operands)
{
    _cleanup_figures_ Figures f = {0};
    _cleanup_buffer_ Buffer b = {0};
    int status;

    if (figures_of(ctl, operands[0], &f, &status) < 0)
        return status;
    if (page_render(&b, PAGE_OPENMETRICS, f.pool, f.workers, ctl->full, localtime_r) < 0) {
        ctl_complain("%s: %s", operands[0], strerror(ENOMEM));
        return EXIT_STATUS_FAILURE;
    }
    return ctl_print(&b);
}
