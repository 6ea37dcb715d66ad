#include "manager/manager.h"

#include "link/spec.h"
#include "log/log.h"
#include "manager/environment.h"
#include "manager/logfile.h"
#include "manager/lookup.h"
#include "unit/wants.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* life line, slot, stdout, stderr */
#define DESCRIPTORS_PER_WORKER 4
/* loop, listeners, templates, control peers, and an order under way */
#define DESCRIPTORS_SPARE 256

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

PoolSetup *pool_setup_ref(PoolSetup *s)
{
    s->n_refs++;
    return s;
}

PoolSetup *pool_setup_unref(PoolSetup *s)
{
    if (!s || --s->n_refs > 0)
        return NULL;
    pool_config_free(s->config);
    pool_ids_done(&s->ids);
    buffer_done(&s->spec);
    logfiles_setup_done(s);
    free(s);
    return NULL;
}

/* A pool that cannot have the descriptors for its workers would fail when it is needed most. */
static int check_descriptors(const Manager *m, const PoolConfig *c, ConfigIssues *issues)
{
    uint64_t needed = (uint64_t)c->pm_max_children * DESCRIPTORS_PER_WORKER + DESCRIPTORS_SPARE;

    if (needed <= m->nofile_hard)
        return 0;
    config_issues_add_at(issues, CONFIG_ERROR, c, "pm.max_children",
                         "%u workers need %llu descriptors, but the limit of the service "
                         "(LimitNOFILE=) is %llu",
                         c->pm_max_children, (unsigned long long)needed,
                         (unsigned long long)m->nofile_hard);
    return -EINVAL;
}

/* applies: whether fpmctl writes a drop-in that asks for as much. */
static int check_limit(const PoolConfig *c, const char *directive, const char *unit_setting,
                       uint64_t wanted, uint64_t hard, bool applies, ConfigIssues *issues)
{
    char text[32], apply[320] = "";

    if (wanted == RLIMIT_KEEP || hard == RLIM_INFINITY ||
        (wanted != RLIMIT_UNLIMITED && wanted <= hard))
        return 0;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)wanted);
    /* systemd.exec(5): MANAGERPID is only there in what a service manager of a user has started,
     * whose limits a unit cannot raise. */
    if (applies && !getenv("MANAGERPID"))
        snprintf(apply, sizeof(apply),
                 "; 'fpmctl apply %s' writes a drop-in that raises %s=", c->name, unit_setting);
    config_issues_add_at(issues, CONFIG_ERROR, c, directive,
                         "%s is above the hard limit of the service, %llu, expected at most that: "
                         "%s= of the service, or the limit of systemd itself (of a container), is "
                         "lower than this%s",
                         wanted == RLIMIT_UNLIMITED ? "unlimited" : text, (unsigned long long)hard,
                         unit_setting, apply);
    return -EINVAL;
}

/* Only systemd can give more than it gave: the manager has no SYS_RESOURCE. */
static int check_limits(const Manager *m, const PoolConfig *c, ConfigIssues *issues)
{
    struct rlimit core = {.rlim_max = RLIM_INFINITY};
    int r = check_limit(c, "rlimit_files", "LimitNOFILE", c->rlimit_files, m->nofile_hard,
                        c->rlimit_files > UNIT_FILES_HARD, issues);
    int k;

    if (!c->process_dumpable || getrlimit(RLIMIT_CORE, &core) < 0)
        return r;
    k = check_limit(c, "rlimit_core", "LimitCORE", c->rlimit_core, core.rlim_max, true, issues);
    return r < 0 ? r : k;
}

/* A pool that asks for a root of its own and serves from the whole system would be worse than one
 * that does not start. */
static int check_chroot(const Manager *m, const PoolConfig *c, ConfigIssues *issues)
{
    if (!c->chroot || m->privileges.may_chroot)
        return 0;
    /* systemd.exec(5): only in what a service manager of a user has started. */
    if (getenv("MANAGERPID")) {
        config_issues_add_at(issues, CONFIG_ERROR, c, "chroot",
                             "a user's own pool may not change its root, expected a pool of the "
                             "system, or no chroot");
        return -EPERM;
    }
    config_issues_add_at(issues, CONFIG_ERROR, c, "chroot",
                         "the manager may not change the root, expected CAP_SYS_CHROOT of the "
                         "service: 'fpmctl apply %s' writes the drop-in "
                         "(fpmd@%s.service.d/50-pool-file.conf), then restart the service",
                         c->name, c->name);
    return -EPERM;
}

static int check_cgroup(const PoolSetup *s, ConfigIssues *issues)
{
    _cleanup_free_ char *folder = cgroup_folder();

    return worker_cgroup_prepare(folder, CGROUP_MOUNT, s->config, &s->ids, issues);
}

static int load(Manager *m, PoolSetup *s, ConfigIssues *issues)
{
    int r = config_load_pool(m->options.config_folders, m->options.pool, issues, &s->config);
    int k;

    if (!s->config)
        return r;
    k = config_verify_paths(s->config, m->options.libexec_dir, issues);
    r = r < 0 ? r : k;
    k = lookup_ids(s->config, m->privileges.may_change_ids, issues, &s->ids);
    r = r < 0 ? r : k;
    k = check_descriptors(m, s->config, issues);
    r = r < 0 ? r : k;
    k = check_limits(m, s->config, issues);
    r = r < 0 ? r : k;
    k = check_chroot(m, s->config, issues);
    r = r < 0 ? r : k;
    k = check_cgroup(s, issues);
    r = r < 0 ? r : k;
    k = logfiles_open(s, issues);
    return r < 0 ? r : k;
}

/* What templates are told of the file. It is kept as a text: another template from this setup, also
 * by a program that takes over, gets the same. */
static int make_spec(PoolSetup *s)
{
    _cleanup_(environment_freep) char **env = environment_make(s->config, &s->ids);
    PoolConfig c = *s->config;

    if (!env)
        return -ENOMEM;
    /* It is below the new root: who changes that changes the directory as well. */
    if (c.chroot)
        c.chdir = NULL;
    return spec_write_setup(&s->spec, &c, (const char *const *)env);
}

int pool_setup_load(Manager *m, bool quiet, PoolSetup **ret, char **ret_reason)
{
    _cleanup_(pool_setup_unrefp) PoolSetup *s = calloc(1, sizeof(*s));
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    int r;

    if (!s)
        return -ENOMEM;
    s->n_refs = 1;
    r = load(m, s, &issues);
    for (size_t i = 0; i < issues.n && !(quiet && r == 0); i++)
        log_issue(&issues.items[i]);
    if (r < 0) {
        *ret_reason = first_error(&issues);
        return r;
    }
    r = make_spec(s);
    if (r < 0)
        return r;
    s->limits = policy_limits(s->config);
    *ret = TAKE_PTR(s);
    return 0;
}
