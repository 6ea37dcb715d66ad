#include "base/fd.h"
#include "ctl/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FILES_LINE "\nMax open files"

/* The hard limit of PID 1, which is systemd's; UINT64_MAX: none, or not known. */
static uint64_t hard_limit(void)
{
    _cleanup_free_ char *text = NULL;
    uint64_t soft, hard;
    const char *line;

    if (fd_read_file("/proc/1/limits", 4096, &text, NULL) < 0)
        return UINT64_MAX;
    line = strstr(text, FILES_LINE);
    if (!line || sscanf(line + strlen(FILES_LINE), "%" SCNu64 " %" SCNu64, &soft, &hard) != 2)
        return UINT64_MAX;
    return hard;
}

/* systemd raises its own limit as far as it may: what it has not, in a container, it cannot give.
 */
void limits_check(const PoolConfig *c, ConfigIssues *issues)
{
    uint64_t hard = c->rlimit_files < RLIMIT_UNLIMITED ? hard_limit() : UINT64_MAX;

    if (c->rlimit_files < RLIMIT_UNLIMITED && c->rlimit_files > hard)
        config_issues_add_at(issues, CONFIG_WARNING, c, "rlimit_files",
                             "%" PRIu64 " is above the hard limit of systemd itself, %" PRIu64
                             ", the pool will not start here",
                             c->rlimit_files, hard);
}
