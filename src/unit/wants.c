#include "unit/private.h"

#include <errno.h>

int unit_settings_make(const PoolConfig *c, UnitScope scope, ConfigIssues *issues,
                       UnitSettings *ret)
{
    _cleanup_unit_settings_ UnitSettings s = {0};
    size_t errors_before = issues->n_errors;
    int r = socket_settings_make(c, scope, issues, &s);

    if (r == 0)
        r = service_settings_make(c, scope, issues, &s);
    if (r < 0)
        return r;
    *ret = s;
    s = (UnitSettings){0};
    return issues->n_errors > errors_before ? -EINVAL : 0;
}
