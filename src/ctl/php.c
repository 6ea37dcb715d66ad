#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/verify.h"
#include "ctl/capabilities.h"
#include "ctl/compare.h"
#include "ctl/pools.h"
#include "ctl/units.h"
#include "link/spec.h"
#include "manager/environment.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int print_issues(const ConfigIssues *issues)
{
    _cleanup_buffer_ Buffer b = {0};
    int r = ctl_write_issues(&b, issues);

    if (r == 0 && b.size > 0)
        fwrite(b.data, 1, b.size, stderr);
    return r;
}

/* With User= in its unit a pool is that user's, whatever its file says. 0 or -ENOMEM. */
static int take_unit_user(const Ctl *ctl, PoolConfig *c)
{
    _cleanup_(units_closep) Units *units = NULL;
    char *user = NULL;

    if (ctl->user || !compare_has_dropins(ctl, c->name) || units_open(&units, false) < 0 ||
        compare_user(units, c->name, &user) < 0 || !user)
        return 0;
    free(c->user);
    free(c->group);
    c->user = user;
    c->group = NULL;
    return 0;
}

/* What the runtime gets to know is what a template would. The spec's fd or -errno. */
static int make_spec(PoolConfig *c, const PoolIds *ids)
{
    static const char *const no_fds[] = {NULL};
    _cleanup_(environment_freep) char **env = environment_make(c, ids);
    _cleanup_buffer_ Buffer b = {0};
    int r;

    if (!env)
        return -ENOMEM;
    if (c->chroot) {
        /* It starts outside, and goes inside before the first request. */
        free(c->chdir);
        c->chdir = NULL;
    }
    r = spec_write(&b, c, 0, 0, no_fds, (const char *const *)env);
    return r < 0 ? r : fd_make_sealed("fpmd-spec", b.data, b.size);
}

/* From here on we are the pool's user, for good. */
static int become(const PoolIds *ids)
{
    if (ids->keep)
        return 0;
    if (setgroups(ids->n_groups, ids->groups) < 0 || setresgid(ids->gid, ids->gid, ids->gid) < 0 ||
        setresuid(ids->uid, ids->uid, ids->uid) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return 0;
}

static int execute(const Ctl *ctl, const PoolConfig *c, const PoolIds *ids, int spec_fd,
                   const char *option)
{
    static char *const env[] = {NULL};
    _cleanup_free_ char *path = NULL;
    int r;

    if (asprintf(&path, "%s/%s", ctl->libexec_dir, c->runtime) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    fflush(NULL);
    r = fd_arrange(&spec_fd, 1, SPEC_FD);
    if (r < 0)
        return r;
    r = become(ids);
    if (r < 0) {
        ctl_complain("%s: cannot become the user %s of the pool: %s", c->name,
                     ids->user_name ? ids->user_name : "", strerror(-r));
        return r;
    }
    execve(path, (char *const[]){path, (char *)(uintptr_t)option, NULL}, env);
    r = -errno;
    ctl_complain("%s: the runtime %s: %s", c->name, path, strerror(-r));
    return r;
}

static int run(const Ctl *ctl, PoolConfig *c, const char *option)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    _cleanup_fd_ int spec_fd = -1;
    PoolIds ids = {0};
    int r = take_unit_user(ctl, c);

    if (r == 0)
        r = config_resolve_worker_ids(c, !ctl->user && capabilities_has_ids(), &issues, &ids);
    if (print_issues(&issues) < 0)
        r = -ENOMEM;
    if (r == -EINVAL)
        return EXIT_STATUS_CONFIG;
    if (r == 0)
        r = spec_fd = make_spec(c, &ids);
    if (r < 0) {
        ctl_complain("%s: %s", c->name, strerror(-r));
        return EXIT_STATUS_FAILURE;
    }
    execute(ctl, c, &ids, spec_fd, option);
    pool_ids_done(&ids);
    return EXIT_STATUS_FAILURE;
}

int verb_php(const Ctl *ctl, int n, char **operands)
{
    _cleanup_(pool_config_freep) PoolConfig *c = NULL;
    int status;

    if (ctl->info + ctl->modules + ctl->verbose != 1) {
        ctl_complain("usage: fpmctl php POOL -i|-m|-v");
        return EXIT_STATUS_USAGE;
    }
    status = pool_file_require(ctl, operands[0], &c);
    if (status != 0)
        return status;
    return run(ctl, c,
               ctl->info      ? "--tell=settings"
               : ctl->modules ? "--tell=modules"
                              : "--tell=version");
}
