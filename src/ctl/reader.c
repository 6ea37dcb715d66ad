#include "ctl/reader.h"

#include <grp.h>
#include <pwd.h>
#include <sys/xattr.h>

bool reader_find(const char *name, Reader *ret)
{
    const struct passwd *entry = getpwnam(name);

    ret->name = name;
    ret->n_groups = READER_MAX_GROUPS;
    if (!entry)
        return false;
    ret->uid = entry->pw_uid;
    return getgrouplist(name, entry->pw_gid, ret->groups, &ret->n_groups) >= 0;
}

bool reader_has_group(const Reader *reader, gid_t gid)
{
    for (int i = 0; i < reader->n_groups; i++)
        if (reader->groups[i] == gid)
            return true;
    return false;
}

static bool may(const Reader *reader, const struct stat *st, unsigned wanted)
{
    unsigned shift = reader_has_group(reader, st->st_gid) ? 3 : 0;

    if (reader->uid == 0)
        return true;
    if (reader->uid == st->st_uid)
        shift = 6;
    return (st->st_mode >> shift & wanted) == wanted;
}

bool reader_may(const Reader *reader, const char *path, unsigned wanted, struct stat *ret)
{
    return stat(path, ret) < 0 || may(reader, ret, wanted) ||
           getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}
