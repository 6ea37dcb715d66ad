#include "manager/manager.h"

#include "log/log.h"
#include "manager/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void log_issue(const ConfigIssue *issue)
{
    _cleanup_free_ char *text = config_issue_to_string(issue);
    LogRecord r;

    log_record_begin(&r, issue->severity == CONFIG_ERROR ? LOG_ERR : LOG_WARNING,
                     LOG_MESSAGE_CONFIG_ERROR);
    log_record_field(&r, "CONFIG_FILE", "%s", issue->file ? issue->file : "");
    log_record_field(&r, "CONFIG_LINE", "%u", issue->line);
    if (issue->directive)
        log_record_field(&r, "DIRECTIVE", "%s", issue->directive);
    log_record_send(&r, "%s", text ? text : issue->text);
}

static char *first_error(const ConfigIssues *issues)
{
    for (size_t i = 0; i < issues->n; i++)
        if (issues->items[i].severity == CONFIG_ERROR)
            return config_issue_to_string(&issues->items[i]);
    return NULL;
}

int manager_load_config(Manager *m, bool quiet, PoolConfig **ret_config, PoolIds *ret_ids,
                        char **ret_reason)
{
    _cleanup_(pool_config_freep) PoolConfig *config = NULL;
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_(pool_ids_done) PoolIds ids = {0};
    _cleanup_free_ char *path = NULL;
    int r;

    if (asprintf(&path, "%s/%s.conf", m->options.config_dir, m->options.pool) < 0)
        return -ENOMEM;
    r = config_load(path, m->options.pool, &issues, &config);
    if (r == 0)
        r = config_verify_paths(config, m->options.libexec_dir, &issues);
    if (config) {
        int k = lookup_ids(config, m->privileges.may_change_ids, &issues, &ids);

        r = r < 0 ? r : k;
    }
    for (size_t i = 0; i < issues.n && !(quiet && r == 0); i++)
        log_issue(&issues.items[i]);
    if (r < 0) {
        *ret_reason = first_error(&issues);
        return r;
    }
    *ret_config = TAKE_PTR(config);
    *ret_ids = ids;
    ids = (PoolIds){0};
    return 0;
}
