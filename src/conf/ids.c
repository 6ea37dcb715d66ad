#include "conf/verify.h"
#include "base/parse.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void pool_ids_done(PoolIds *ids)
{
    free(ids->groups);
    free(ids->user_name);
    free(ids->home);
    *ids = (PoolIds){0};
}

/* Room for one entry of the user database: it says -ERANGE until there is enough. */
static int grow(char **room, size_t *n)
{
    char *grown;

    *n = *n ? *n * 2 : 1024;
    if (*n > 1024 * 1024)
        return -ENOMEM;
    grown = realloc(*room, *n);
    if (!grown)
        return -ENOMEM;
    *room = grown;
    return 0;
}

/* By name, or by number when name is NULL. 0, -ESRCH when there is none, or what the database
 * says. */
static int find_user(const char *name, uid_t uid, struct passwd *ret, char **ret_room)
{
    _cleanup_free_ char *room = NULL;
    struct passwd *found = NULL;
    size_t n = 0;
    int r = ERANGE;

    while (r == ERANGE) {
        if (grow(&room, &n) < 0)
            return -ENOMEM;
        r = name ? getpwnam_r(name, ret, room, n, &found) : getpwuid_r(uid, ret, room, n, &found);
    }
    if (!found)
        return r == 0 || r == ENOENT ? -ESRCH : -r;
    *ret_room = TAKE_PTR(room);
    return 0;
}

static int find_group(const char *name, gid_t *ret)
{
    _cleanup_free_ char *room = NULL;
    struct group entry, *found = NULL;
    size_t n = 0;
    int r = ERANGE;

    while (r == ERANGE) {
        if (grow(&room, &n) < 0)
            return -ENOMEM;
        r = getgrnam_r(name, &entry, room, n, &found);
    }
    if (!found)
        return r == 0 || r == ENOENT ? -ESRCH : -r;
    *ret = entry.gr_gid;
    return 0;
}

/* The number in a text of digits; the greatest id means "none" to the kernel. */
static bool is_number(const char *text, uint64_t *ret)
{
    return parse_u64(text, 0, UINT32_MAX - 1, ret) == 0;
}

/* Users and groups by the name or number that a directive has. */
static int find_uid(const char *text, uid_t *ret)
{
    _cleanup_free_ char *room = NULL;
    struct passwd entry;
    uint64_t number;
    int r;

    if (is_number(text, &number)) {
        *ret = (uid_t)number;
        return 0;
    }
    r = find_user(text, 0, &entry, &room);
    if (r == 0)
        *ret = entry.pw_uid;
    return r;
}

static int find_gid(const char *text, gid_t *ret)
{
    uint64_t number;

    if (!is_number(text, &number))
        return find_group(text, ret);
    *ret = (gid_t)number;
    return 0;
}

static int find_groups(const char *user, gid_t gid, PoolIds *ids)
{
    int n = 16;

    for (;;) {
        int room = n;
        gid_t *grown = reallocarray(ids->groups, (size_t)n, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        ids->groups = grown;
        if (getgrouplist(user, gid, grown, &n) >= 0)
            break;
        /* glibc says how many there are. */
        if (n <= room)
            return -ENOMEM;
    }
    ids->n_groups = (size_t)n;
    return 0;
}

/* The user's entry, or only its number when it has none. */
static int resolve_user(const PoolConfig *c, ConfigIssues *issues, PoolIds *ids, bool *ret_has_gid)
{
    _cleanup_free_ char *room = NULL;
    struct passwd entry;
    uint64_t number = 0;
    bool by_number = is_number(c->user, &number);
    int r = find_user(by_number ? NULL : c->user, (uid_t)number, &entry, &room);

    *ret_has_gid = r == 0;
    if (r == -ESRCH && by_number) {
        ids->uid = (uid_t)number;
        return 0;
    }
    if (r == -ESRCH) {
        config_issues_add_at(issues, CONFIG_ERROR, c, "user",
                             "there is no user '%s', expected the name or number of a user",
                             c->user);
        return -EINVAL;
    }
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        config_issues_add_at(issues, CONFIG_ERROR, c, "user",
                             "the user '%s' cannot be looked up: %s", c->user, strerror(-r));
        return -EINVAL;
    }
    ids->uid = entry.pw_uid;
    ids->gid = entry.pw_gid;
    ids->user_name = strdup(entry.pw_name);
    ids->home = strdup(entry.pw_dir);
    return ids->user_name && ids->home ? 0 : -ENOMEM;
}

static int resolve_group(const PoolConfig *c, ConfigIssues *issues, bool has_gid, PoolIds *ids)
{
    int r;

    if (!c->group && !has_gid) {
        config_issues_add_at(
            issues, CONFIG_ERROR, c, "group",
            "is missing, expected a group because user '%s' is a number without an entry", c->user);
        return -EINVAL;
    }
    if (!c->group)
        return 0;
    r = find_gid(c->group, &ids->gid);
    if (r == -ESRCH)
        config_issues_add_at(issues, CONFIG_ERROR, c, "group",
                             "there is no group '%s', expected the name or number of a group",
                             c->group);
    else if (r < 0 && r != -ENOMEM)
        config_issues_add_at(issues, CONFIG_ERROR, c, "group",
                             "the group '%s' cannot be looked up: %s", c->group, strerror(-r));
    return r == 0 || r == -ENOMEM ? r : -EINVAL;
}

static int resolve_privileged(const PoolConfig *c, ConfigIssues *issues, PoolIds *ids)
{
    bool has_gid = false;
    int r, k;

    if (!c->user) {
        config_issues_add_at(issues, CONFIG_ERROR, c, "user",
                             "is missing, expected the user of the workers");
        return -EINVAL;
    }
    r = resolve_user(c, issues, ids, &has_gid);
    if (r == -ENOMEM)
        return r;
    k = r < 0 && !c->group ? r : resolve_group(c, issues, has_gid, ids);
    if (r < 0 || k < 0)
        return r < 0 ? r : k;
    if (ids->uid == 0)
        config_issues_add_at(issues, CONFIG_ERROR, c, "user",
                             "is root, expected a user without privileges");
    if (ids->gid == 0)
        config_issues_add_at(issues, CONFIG_ERROR, c, c->group ? "group" : "user",
                             "the group is root's, expected a group without privileges");
    if (ids->uid == 0 || ids->gid == 0)
        return -EINVAL;
    if (ids->user_name)
        return find_groups(ids->user_name, ids->gid, ids);
    ids->groups = malloc(sizeof(*ids->groups));
    if (!ids->groups)
        return -ENOMEM;
    ids->groups[0] = ids->gid;
    ids->n_groups = 1;
    return 0;
}

static int own_groups(PoolIds *ids)
{
    int n = getgroups(0, NULL);

    if (n < 0)
        return -errno;
    ids->groups = calloc((size_t)n + 1, sizeof(*ids->groups));
    if (!ids->groups)
        return -ENOMEM;
    n = getgroups(n, ids->groups);
    if (n < 0)
        return -errno;
    ids->n_groups = (size_t)n;
    return 0;
}

/* Without privilege everything stays as it is; what the file asks for beyond that is passed over.
 */
static int resolve_own(const PoolConfig *c, ConfigIssues *issues, PoolIds *ids)
{
    _cleanup_free_ char *room = NULL;
    struct passwd entry;
    uint64_t number;
    gid_t gid = 0;
    int r;

    ids->keep = true;
    ids->uid = geteuid();
    ids->gid = getegid();
    r = find_user(NULL, ids->uid, &entry, &room);
    if (r == -ENOMEM)
        return r;
    if (r == 0) {
        ids->user_name = strdup(entry.pw_name);
        ids->home = strdup(entry.pw_dir);
        if (!ids->user_name || !ids->home)
            return -ENOMEM;
    }
    if (c->user && !(is_number(c->user, &number) && number == ids->uid) &&
        !(ids->user_name && strcmp(c->user, ids->user_name) == 0))
        config_issues_add_at(issues, CONFIG_WARNING, c, "user",
                             "is ignored, this process may not change ids");
    if (c->group && !(find_gid(c->group, &gid) == 0 && gid == ids->gid))
        config_issues_add_at(issues, CONFIG_WARNING, c, "group",
                             "is ignored, this process may not change ids");
    return own_groups(ids);
}

static bool has_group(const PoolIds *ids, gid_t gid)
{
    for (size_t i = 0; i < ids->n_groups; i++)
        if (ids->groups[i] == gid)
            return true;
    return false;
}

/* One of supplementary_groups: into the list, or, without privilege, only looked at. */
static int add_group(const PoolConfig *c, const char *name, bool privileged, ConfigIssues *issues,
                     PoolIds *ids)
{
    ConfigSeverity severity = privileged ? CONFIG_ERROR : CONFIG_WARNING;
    gid_t gid, *grown;
    int r = find_gid(name, &gid);

    if (r == -ENOMEM)
        return r;
    if (r == -ESRCH)
        config_issues_add_at(issues, severity, c, "supplementary_groups",
                             "there is no group '%s', expected names or numbers of groups", name);
    else if (r < 0)
        config_issues_add_at(issues, severity, c, "supplementary_groups",
                             "the group '%s' cannot be looked up: %s", name, strerror(-r));
    else if (privileged && gid == 0)
        config_issues_add_at(issues, CONFIG_ERROR, c, "supplementary_groups",
                             "'%s' is root's, expected groups without privileges", name);
    else if (gid == ids->gid || has_group(ids, gid))
        return 0;
    else if (!privileged)
        config_issues_add_at(issues, CONFIG_WARNING, c, "supplementary_groups",
                             "'%s' is ignored, this process is not in that group and may not "
                             "change its groups",
                             name);
    else {
        grown = reallocarray(ids->groups, ids->n_groups + 1, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        ids->groups = grown;
        ids->groups[ids->n_groups++] = gid;
        return 0;
    }
    return privileged ? -EINVAL : 0;
}

static int resolve_supplementary(const PoolConfig *c, bool privileged, ConfigIssues *issues,
                                 PoolIds *ids)
{
    int result = 0;

    for (size_t i = 0; i < c->supplementary_groups.n; i++) {
        int r = add_group(c, c->supplementary_groups.items[i], privileged, issues, ids);

        if (r == -ENOMEM)
            return r;
        result = r < 0 ? r : result;
    }
    return result;
}

static int check_socket_name(const PoolConfig *c, const char *directive, const char *name,
                             bool is_user, ConfigSeverity severity, ConfigIssues *issues)
{
    uid_t uid;
    gid_t gid;
    int r = is_user ? find_uid(name, &uid) : find_gid(name, &gid);

    if (r == -ESRCH)
        config_issues_add_at(issues, severity, c, directive,
                             "there is no %s '%s', so the socket cannot be made for it",
                             is_user ? "user" : "group", name);
    return r == -ENOMEM ? r : 0;
}

int config_verify_socket_names(const PoolConfig *c, const char *directive, ConfigSeverity severity,
                               ConfigIssues *issues)
{
    const struct {
        const char *directive;
        char *const *names;
        size_t n;
        bool is_user;
    } lists[] = {
        {"listen.owner", &c->listen_owner, c->listen_owner != NULL, true},
        {"listen.group", &c->listen_group, c->listen_group != NULL, false},
        {"listen.acl_users", c->listen_acl_users.items, c->listen_acl_users.n, true},
        {"listen.acl_groups", c->listen_acl_groups.items, c->listen_acl_groups.n, false},
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (size_t k = 0;
             r == 0 && k < lists[i].n && (!directive || strcmp(directive, lists[i].directive) == 0);
             k++)
            r = check_socket_name(c, lists[i].directive, lists[i].names[k], lists[i].is_user,
                                  severity, issues);
    return r;
}

int config_resolve_ids(const PoolConfig *c, bool privileged, ConfigIssues *issues, PoolIds *ret_ids)
{
    PoolIds ids = {0};
    int r = config_resolve_worker_ids(c, privileged, issues, &ids);

    /* Who may connect is a matter of the socket unit, and a pool can do without: only warnings. */
    if (r != -ENOMEM && config_verify_socket_names(c, NULL, CONFIG_WARNING, issues) < 0) {
        pool_ids_done(&ids);
        r = -ENOMEM;
    }
    if (r == 0)
        *ret_ids = ids;
    return r;
}

int config_resolve_worker_ids(const PoolConfig *c, bool privileged, ConfigIssues *issues,
                              PoolIds *ret_ids)
{
    _cleanup_(pool_ids_done) PoolIds ids = {0};
    int r = privileged ? resolve_privileged(c, issues, &ids) : resolve_own(c, issues, &ids);
    int k = r == -ENOMEM ? r : resolve_supplementary(c, privileged, issues, &ids);

    if (r < 0 || k < 0)
        return k == -ENOMEM ? k : r < 0 ? r : k;
    *ret_ids = ids;
    ids = (PoolIds){0};
    return 0;
}
