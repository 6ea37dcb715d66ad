#include "conf/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A pool file from anywhere: no byte of it may harm, and what is refused has its reasons. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ConfigIssues issues = {0};
    PoolConfig *c = NULL;
    int r = config_parse((const char *)data, size, "fuzz.conf", "www", &issues, &c);

    if ((r == 0) != (c != NULL) || (r == 0) != (issues.n_errors == 0))
        abort();
    for (size_t i = 0; i < issues.n; i++) {
        char *text = config_issue_to_string(&issues.items[i]);

        if (!text)
            abort();
        free(text);
    }
    if (c && (c->pm_max_children == 0 || !c->runtime || !c->path))
        abort();
    if (c && c->pm == POOL_MODE_DYNAMIC &&
        (c->pm_min_spare_servers > c->pm_start_servers ||
         c->pm_start_servers > c->pm_max_spare_servers))
        abort();
    pool_config_free(c);
    config_issues_done(&issues);
    return 0;
}
