#include "sandbox/sandbox.h"

#include "base/exit_status.h"
#include "conf/config.h"
#include "sandbox/capabilities.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int set_rlimit(int resource, uint64_t value)
{
    rlim_t number = value == RLIMIT_UNLIMITED ? RLIM_INFINITY : (rlim_t)value;
    struct rlimit limit = {.rlim_cur = number, .rlim_max = number};

    /* Asked of the value, since RLIM_INFINITY and RLIMIT_KEEP are the same number. */
    if (value == RLIMIT_KEEP)
        return 0;
    return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

static int set_rlimits(const Confinement *c)
{
    int r = set_rlimit(RLIMIT_NOFILE, c->rlimit_files);

    return r < 0 ? r : set_rlimit(RLIMIT_CORE, c->rlimit_core);
}

/* Without locked securebits a change of the uid from 0 would take the permitted set away. With them
 * (EPERM) it does not. */
static int keep_capabilities(const Confinement *c)
{
    if (!c->keep_capabilities || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 || errno == EPERM)
        return 0;
    return -errno;
}

/* Before the ids change: root loses SETPCAP with its uid. Who has no SETPCAP leaves the bounding
 * set as it is; no_new_privs makes it moot, since no exec can gain anything then. */
static int drop_bounding(const Confinement *c)
{
    CapabilitySets sets;
    int r = capabilities_get(&sets);

    if (r < 0 || !(sets.effective & CAP_BIT(CAP_SETPCAP)))
        return r;
    return capabilities_drop_bounding();
}

static bool is_in(gid_t gid, const gid_t *groups, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (groups[i] == gid)
            return true;
    return false;
}

/* The kernel has them in an order of its own. */
static int check_groups(const Confinement *c)
{
    int n = getgroups(0, NULL);
    _cleanup_free_ gid_t *now = n > 0 ? calloc((size_t)n, sizeof(gid_t)) : NULL;

    if (n < 0)
        return -errno;
    if (n == 0)
        return c->n_groups == 0 ? 0 : -EPERM;
    if (!now)
        return -ENOMEM;
    n = getgroups(n, now);
    if (n < 0)
        return -errno;
    for (size_t i = 0; i < (size_t)n; i++)
        if (!is_in(now[i], c->groups, c->n_groups))
            return -EPERM;
    for (size_t i = 0; i < c->n_groups; i++)
        if (!is_in(c->groups[i], now, (size_t)n))
            return -EPERM;
    return 0;
}

static int set_groups(const Confinement *c)
{
    if (!c->set_ids)
        return 0;
    return setgroups(c->n_groups, c->groups) < 0 ? -errno : check_groups(c);
}

static int set_gid(const Confinement *c)
{
    gid_t real, effective, saved;

    if (!c->set_ids)
        return 0;
    if (setresgid(c->gid, c->gid, c->gid) < 0 || getresgid(&real, &effective, &saved) < 0)
        return -errno;
    return real == c->gid && effective == c->gid && saved == c->gid ? 0 : -EPERM;
}

static int set_uid(const Confinement *c)
{
    uid_t real, effective, saved;

    if (!c->set_ids)
        return 0;
    if (setresuid(c->uid, c->uid, c->uid) < 0 || getresuid(&real, &effective, &saved) < 0)
        return -errno;
    return real == c->uid && effective == c->uid && saved == c->uid ? 0 : -EPERM;
}

/* Explicitly: under NO_SETUID_FIXUP a change of the uid takes no capability away. */
static int clear_capabilities(const Confinement *c)
{
    const CapabilitySets wanted = {.effective = c->keep_capabilities,
                                   .permitted = c->keep_capabilities};
    CapabilitySets now;
    int r = capabilities_set_ambient(0);

    if (r < 0)
        return r;
    r = capabilities_set(&wanted);
    if (r < 0)
        return r;
    r = capabilities_get(&now);
    if (r < 0)
        return r;
    if (now.effective != wanted.effective || now.permitted != wanted.permitted || now.inheritable ||
        capabilities_ambient())
        return -EPERM;
    return 0;
}

/* Once more with the capabilities gone: there is no way back to root. */
static int check_uid(const Confinement *c)
{
    if (c->set_ids && c->uid != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
        return -EPERM;
    return 0;
}

static int check_gid(const Confinement *c)
{
    if (c->set_ids && c->gid != 0 && setresgid((gid_t)-1, 0, (gid_t)-1) == 0)
        return -EPERM;
    return 0;
}

static int set_no_new_privs(const Confinement *c)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static const struct {
    int (*run)(const Confinement *c);
    ExitStatus status;
} steps[] = {
    {set_rlimits, EXIT_STATUS_RLIMITS},
    {drop_bounding, EXIT_STATUS_CAPABILITIES},
    {keep_capabilities, EXIT_STATUS_CAPABILITIES},
    {set_groups, EXIT_STATUS_GROUPS},
    {set_gid, EXIT_STATUS_GID},
    {set_uid, EXIT_STATUS_UID},
    {clear_capabilities, EXIT_STATUS_CAPABILITIES},
    {check_gid, EXIT_STATUS_GID},
    {check_uid, EXIT_STATUS_UID},
    {set_no_new_privs, EXIT_STATUS_NO_NEW_PRIVS},
};

int confine_for_exec(const Confinement *c)
{
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        int r = steps[i].run(c);

        if (r < 0) {
            errno = -r;
            return (int)steps[i].status;
        }
    }
    return 0;
}
