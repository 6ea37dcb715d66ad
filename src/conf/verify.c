#include "conf/verify.h"
#include "base/parse.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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
    uint64_t number;
    int r;

    if (!c->group && !has_gid) {
        config_issues_add_at(
            issues, CONFIG_ERROR, c, "group",
            "is missing, expected a group because user '%s' is a number without an entry", c->user);
        return -EINVAL;
    }
    if (!c->group)
        return 0;
    if (is_number(c->group, &number)) {
        ids->gid = (gid_t)number;
        return 0;
    }
    r = find_group(c->group, &ids->gid);
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
    if (c->group && !(is_number(c->group, &number) && number == ids->gid) &&
        !(find_group(c->group, &gid) == 0 && gid == ids->gid))
        config_issues_add_at(issues, CONFIG_WARNING, c, "group",
                             "is ignored, this process may not change ids");
    return own_groups(ids);
}

int config_resolve_ids(const PoolConfig *c, bool privileged, ConfigIssues *issues, PoolIds *ret_ids)
{
    _cleanup_(pool_ids_done) PoolIds ids = {0};
    int r = privileged ? resolve_privileged(c, issues, &ids) : resolve_own(c, issues, &ids);

    if (r < 0)
        return r;
    *ret_ids = ids;
    ids = (PoolIds){0};
    return 0;
}

/* The folders that ProtectHome= hides (systemd.exec(5)): the most likely reason in the unit's
 * sandbox. */
static const char *hidden_hint(const char *path)
{
    static const char *const hidden[] = {"/home/", "/root/", "/run/user/"};

    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        if (strncmp(path, hidden[i], strlen(hidden[i])) == 0)
            return "; ProtectHome= of the service unit hides it, see fpmd(8)";
    return "";
}

static bool check_kind(const PoolConfig *c, ConfigIssues *issues, const char *directive,
                       const char *path, mode_t kind)
{
    struct stat st;

    if (stat(path, &st) < 0)
        config_issues_add_at(issues, CONFIG_ERROR, c, directive, "%s: %s, expected %s%s", path,
                             strerror(errno), kind == S_IFDIR ? "a folder" : "a file",
                             hidden_hint(path));
    else if ((st.st_mode & S_IFMT) != kind)
        config_issues_add_at(issues, CONFIG_ERROR, c, directive, "%s is not %s", path,
                             kind == S_IFDIR ? "a folder" : "a regular file");
    else
        return true;
    return false;
}

static bool check_scan_dirs(const PoolConfig *c, ConfigIssues *issues)
{
    _cleanup_free_ char *copy = strdup(c->php_ini_scan_dir);
    char *state = NULL;
    bool ok = copy;

    for (char *p = copy ? strtok_r(copy, ":", &state) : NULL; p; p = strtok_r(NULL, ":", &state))
        ok &= check_kind(c, issues, "php_ini_scan_dir", p, S_IFDIR);
    return ok;
}

static bool check_runtime(const PoolConfig *c, const char *libexec_dir, ConfigIssues *issues)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", libexec_dir, c->runtime) < 0) {
        path = NULL;
        return false;
    }
    if (!check_kind(c, issues, "runtime", path, S_IFREG))
        return false;
    if (access(path, X_OK) == 0)
        return true;
    config_issues_add_at(issues, CONFIG_ERROR, c, "runtime", "%s: %s, expected a program", path,
                         strerror(errno));
    return false;
}

int config_verify_paths(const PoolConfig *c, const char *libexec_dir, ConfigIssues *issues)
{
    bool ok = true;

    if (c->chdir)
        ok &= check_kind(c, issues, "chdir", c->chdir, S_IFDIR);
    if (c->php_ini)
        ok &= check_kind(c, issues, "php_ini", c->php_ini, S_IFREG);
    if (c->php_ini_scan_dir)
        ok &= check_scan_dirs(c, issues);
    ok &= check_runtime(c, libexec_dir, issues);
    return ok ? 0 : -EINVAL;
}
