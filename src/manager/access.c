#include "manager/access.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

/* The value of the attribute, little endian (linux/posix_acl_xattr.h): a version, then the entries
 * in the order of their tags (posix_acl_valid() of the kernel). */
#define ACL_BYTES(n) (sizeof(struct posix_acl_xattr_header) + (n) * sizeof(AclXattr))

typedef struct posix_acl_xattr_entry AclXattr;

/* More than a file may have in any file system. */
#define ACL_MAX_BYTES 65536

static bool has_entry(const AccessEntry *entries, size_t n, const AccessEntry *e)
{
    for (size_t i = 0; i < n; i++)
        if (entries[i].is_group == e->is_group && entries[i].id == e->id)
            return true;
    return false;
}

static int fail_lookup(const char *directive, const char *kind, const char *name, char **ret_reason)
{
    if (asprintf(ret_reason, "%s: there is no %s \"%s\"", directive, kind, name) < 0)
        *ret_reason = NULL;
    return -ENOENT;
}

/* Adds the entries of one of the two lists. */
static int resolve_list(const WordList *names, bool is_group, NamesSource source, SocketAccess *a,
                        char **ret_reason)
{
    for (size_t i = 0; i < names->n; i++) {
        AccessEntry e = {.is_group = is_group};
        gid_t primary;
        int r = is_group ? names_group(names->items[i], source, &e.id)
                         : names_user(names->items[i], source, &e.id, &primary);

        if (r < 0)
            return fail_lookup(is_group ? "listen.acl_groups" : "listen.acl_users",
                               is_group ? "group" : "user", names->items[i], ret_reason);
        if (!has_entry(a->acl, a->n_acl, &e))
            a->acl[a->n_acl++] = e;
    }
    return 0;
}

int access_resolve(const PoolConfig *c, NamesSource source, SocketAccess *ret, char **ret_reason)
{
    _cleanup_(access_done) SocketAccess a = {
        .uid = NAMES_NO_ID,
        .gid = NAMES_NO_ID,
        .mode = c->listen_mode & 0777,
    };
    size_t n = c->listen_acl_users.n + c->listen_acl_groups.n;
    int r;

    if (n > 0) {
        a.acl = calloc(n, sizeof(*a.acl));
        if (!a.acl)
            return -ENOMEM;
        r = resolve_list(&c->listen_acl_users, false, source, &a, ret_reason);
        if (r == 0)
            r = resolve_list(&c->listen_acl_groups, true, source, &a, ret_reason);
        if (r < 0)
            return r;
    }
    if (c->listen_owner && names_user(c->listen_owner, source, &a.uid, &a.gid) < 0)
        return fail_lookup("listen.owner", "user", c->listen_owner, ret_reason);
    if (c->listen_group && names_group(c->listen_group, source, &a.gid) < 0)
        return fail_lookup("listen.group", "group", c->listen_group, ret_reason);
    *ret = a;
    a.acl = NULL;
    return 0;
}

void access_done(SocketAccess *a)
{
    free(a->acl);
    a->acl = NULL;
    a->n_acl = 0;
}

static void put_entry(AclXattr **next, unsigned tag, unsigned perm, uint32_t id)
{
    *(*next)++ = (AclXattr){
        .e_tag = htole16((uint16_t)tag), .e_perm = htole16((uint16_t)perm), .e_id = htole32(id)};
}

int access_write_acl(const SocketAccess *a, const char *path)
{
    size_t size = ACL_BYTES(a->n_acl + 4);
    _cleanup_free_ struct posix_acl_xattr_header *header = calloc(1, size);
    AclXattr *next;

    if (!header)
        return -ENOMEM;
    header->a_version = htole32(POSIX_ACL_XATTR_VERSION);
    next = (AclXattr *)(header + 1);
    put_entry(&next, ACL_USER_OBJ, a->mode >> 6 & 7, (uint32_t)ACL_UNDEFINED_ID);
    for (size_t i = 0; i < a->n_acl; i++)
        if (!a->acl[i].is_group)
            put_entry(&next, ACL_USER, ACL_READ | ACL_WRITE, a->acl[i].id);
    put_entry(&next, ACL_GROUP_OBJ, a->mode >> 3 & 7, (uint32_t)ACL_UNDEFINED_ID);
    for (size_t i = 0; i < a->n_acl; i++)
        if (a->acl[i].is_group)
            put_entry(&next, ACL_GROUP, ACL_READ | ACL_WRITE, a->acl[i].id);
    put_entry(&next, ACL_MASK, (a->mode >> 3 & 7) | ACL_READ | ACL_WRITE,
              (uint32_t)ACL_UNDEFINED_ID);
    put_entry(&next, ACL_OTHER, a->mode & 7, (uint32_t)ACL_UNDEFINED_ID);
    return setxattr(path, XATTR_NAME_POSIX_ACL_ACCESS, header, size, 0) < 0 ? -errno : 0;
}

int access_read_acl(const char *path, AccessEntry **ret, size_t *ret_n)
{
    _cleanup_free_ struct posix_acl_xattr_header *header = malloc(ACL_MAX_BYTES);
    _cleanup_free_ AccessEntry *entries = NULL;
    const AclXattr *e;
    size_t n, n_entries = 0;
    ssize_t size;

    if (!header)
        return -ENOMEM;
    size = getxattr(path, XATTR_NAME_POSIX_ACL_ACCESS, header, ACL_MAX_BYTES);
    if (size < 0 && errno != ENODATA)
        return -errno;
    n = size < (ssize_t)sizeof(*header) ? 0 : ((size_t)size - sizeof(*header)) / sizeof(AclXattr);
    if (n > 0 && le32toh(header->a_version) != POSIX_ACL_XATTR_VERSION)
        return -EOPNOTSUPP;
    entries = calloc(n + 1, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    e = (const AclXattr *)(header + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned tag = le16toh(e[i].e_tag);

        if ((tag == ACL_USER || tag == ACL_GROUP) && (le16toh(e[i].e_perm) & ACL_WRITE))
            entries[n_entries++] =
                (AccessEntry){.is_group = tag == ACL_GROUP, .id = le32toh(e[i].e_id)};
    }
    *ret = TAKE_PTR(entries);
    *ret_n = n_entries;
    return 0;
}

/* Each entry of a for users, or for groups, is one of b. */
static bool is_part(const AccessEntry *a, size_t n_a, const AccessEntry *b, size_t n_b,
                    bool of_groups)
{
    for (size_t i = 0; i < n_a; i++)
        if (a[i].is_group == of_groups && !has_entry(b, n_b, &a[i]))
            return false;
    return true;
}

bool access_same_acl(const AccessEntry *a, size_t n_a, const AccessEntry *b, size_t n_b,
                     bool of_groups)
{
    return is_part(a, n_a, b, n_b, of_groups) && is_part(b, n_b, a, n_a, of_groups);
}
