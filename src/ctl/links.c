#include "ctl/compare.h"

#include <stdlib.h>
#include <string.h>

void links_check(const PoolConfig *c, const UnitSettings *s, ConfigIssues *issues)
{
    for (size_t i = 0; i < s->n; i++) {
        const UnitSetting *setting = &s->items[i];
        _cleanup_free_ char *real = NULL;

        if (!setting->plain || strncmp(setting->name, "Bind", strlen("Bind")) != 0)
            continue;
        real = realpath(setting->plain, NULL);
        if (real && strcmp(real, setting->plain) != 0)
            unit_issue(issues, CONFIG_WARNING, c, setting->directive,
                       "%s is or goes through a symbolic link: the service sees what it meant when "
                       "the service started (%s), and not where a deployment points it later; "
                       "expected the folder that holds the link in unit.read_write_paths",
                       setting->plain, real);
    }
}
