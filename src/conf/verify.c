#include "conf/verify.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The folder that ProtectHome= hides (systemd.exec(5)) and that may have the path. NULL: none. */
static const char *hidden_folder(const char *path)
{
    static const char *const hidden[] = {"/home/", "/root/", "/run/user/"};

    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
        if (strncmp(path, hidden[i], strlen(hidden[i])) == 0)
            return hidden[i];
    return NULL;
}

/* A folder that this process may not enter may be open to the user of the pool; but what the unit
 * hides is hidden from all. */
static bool may_be_there(const char *path, int error)
{
    const char *hidden = hidden_folder(path);

    return error == EACCES && geteuid() != 0 && !(hidden && access(hidden, X_OK) < 0);
}

/* What stat() says about path below root; links end there as they will in the chroot. */
static int stat_below(const char *root, const char *path, struct stat *ret)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    _cleanup_fd_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_fd_ int fd = -1;

    if (root_fd < 0)
        return -errno;
    /* Linux 5.6; no wrapper in glibc. */
    fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
    if (fd < 0)
        return -errno;
    return fstat(fd, ret) < 0 ? -errno : 0;
}

/* root: the path is below it; NULL: nothing is. */
static bool check_kind(const PoolConfig *c, ConfigIssues *issues, const char *directive,
                       const char *root, const char *path, mode_t kind)
{
    const char *hidden = hidden_folder(path);
    struct stat st;
    int r = root ? stat_below(root, path, &st) : stat(path, &st) < 0 ? -errno : 0;

    /* RestrictSUIDSGID= of the unit refuses openat2(2), whose flags no filter can see. Who enters
     * the chroot tells then. */
    if (r == -ENOSYS && root)
        return true;
    if (r < 0 && may_be_there(root ? root : path, -r))
        return true;
    if (r < 0)
        config_issues_add_at(
            issues, CONFIG_ERROR, c, directive, "%s: %s, expected %s%s%s%s", path, strerror(-r),
            kind == S_IFDIR ? "a folder" : "a file", root ? " below chroot = " : "",
            root ? root : "",
            hidden && !root ? "; ProtectHome= of the service unit hides it, see fpmd(8)" : "");
    else if ((st.st_mode & S_IFMT) != kind)
        config_issues_add_at(issues, CONFIG_ERROR, c, directive, "%s is not %s%s%s", path,
                             kind == S_IFDIR ? "a folder" : "a regular file",
                             root ? " below chroot = " : "", root ? root : "");
    else
        return true;
    return false;
}

/* Paths that Landlock opens at the start: those without "-" have to be there. The user of the pool,
 * who may see less or more than this process, has the last word then. */
static bool check_grants(const PoolConfig *c, ConfigIssues *issues, const char *directive,
                         const WordList *list)
{
    bool ok = true;

    for (size_t i = 0; i < list->n && !config_list_is_none(list); i++) {
        const char *path = list->items[i];
        struct stat st;
        int r;

        if (path[0] == '-')
            continue;
        r = c->chroot ? stat_below(c->chroot, path, &st) : stat(path, &st) < 0 ? -errno : 0;
        if (r >= 0 || (r == -ENOSYS && c->chroot) || may_be_there(c->chroot ? c->chroot : path, -r))
            continue;
        ok = false;
        config_issues_add_at(issues, CONFIG_ERROR, c, directive,
                             "%s%s%s: %s, expected a folder or a file, or -%s for one that may be "
                             "missing%s",
                             path, c->chroot ? " below chroot = " : "", c->chroot ? c->chroot : "",
                             strerror(-r), path,
                             !c->chroot && hidden_folder(path)
                                 ? "; ProtectHome= of the service unit hides it, see fpmd(8)"
                                 : "");
    }
    return ok;
}

static bool check_scan_dirs(const PoolConfig *c, ConfigIssues *issues)
{
    _cleanup_free_ char *copy = strdup(c->php_ini_scan_dir);
    char *state = NULL;
    bool ok = copy;

    for (char *p = copy ? strtok_r(copy, ":", &state) : NULL; p; p = strtok_r(NULL, ":", &state))
        ok &= check_kind(c, issues, "php_ini_scan_dir", NULL, p, S_IFDIR);
    return ok;
}

static bool check_runtime(const PoolConfig *c, const char *libexec_dir, ConfigIssues *issues)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", libexec_dir, c->runtime) < 0) {
        path = NULL;
        return false;
    }
    if (!check_kind(c, issues, "runtime", NULL, path, S_IFREG))
        return false;
    if (access(path, X_OK) == 0)
        return true;
    config_issues_add_at(issues, CONFIG_ERROR, c, "runtime", "%s: %s, expected a program", path,
                         strerror(errno));
    return false;
}

int config_verify_paths(const PoolConfig *c, const char *libexec_dir, ConfigIssues *issues)
{
    bool ok = true, chroot_ok = true;

    if (c->prefix)
        ok &= check_kind(c, issues, "prefix", NULL, c->prefix, S_IFDIR);
    if (c->chroot)
        chroot_ok = check_kind(c, issues, "chroot", NULL, c->chroot, S_IFDIR);
    ok &= chroot_ok;
    if (c->chdir && chroot_ok)
        ok &= check_kind(c, issues, "chdir", c->chroot, c->chdir, S_IFDIR);
    if (c->php_ini)
        ok &= check_kind(c, issues, "php_ini", NULL, c->php_ini, S_IFREG);
    if (c->php_ini_scan_dir)
        ok &= check_scan_dirs(c, issues);
    if (chroot_ok) {
        ok &= check_grants(c, issues, "sandbox.read", &c->sandbox_read);
        ok &= check_grants(c, issues, "sandbox.write", &c->sandbox_write);
        ok &= check_grants(c, issues, "sandbox.exec_paths", &c->sandbox_exec_paths);
    }
    ok &= check_runtime(c, libexec_dir, issues);
    return ok ? 0 : -EINVAL;
}
