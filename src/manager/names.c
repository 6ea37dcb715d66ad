#include "manager/names.h"

#include "base/parse.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

/* The local user of that name, or of that id when the name is NULL. False: there is none. */
static bool local_user(const char *name, uid_t uid, struct passwd *ret)
{
    FILE *f = fopen("/etc/passwd", "re");
    const struct passwd *p = NULL;

    if (!f)
        return false;
    while ((p = fgetpwent(f)) && (name ? strcmp(p->pw_name, name) != 0 : p->pw_uid != uid))
        ;
    if (p)
        *ret = *p; /* its texts live until the next call */
    fclose(f);
    return p != NULL;
}

static bool local_group(const char *name, gid_t gid, struct group *ret)
{
    FILE *f = fopen("/etc/group", "re");
    const struct group *g = NULL;

    if (!f)
        return false;
    while ((g = fgetgrent(f)) && (name ? strcmp(g->gr_name, name) != 0 : g->gr_gid != gid))
        ;
    if (g)
        *ret = *g;
    fclose(f);
    return g != NULL;
}

/* 2^32 - 1 is no id: chown(2). */
static bool is_number(const char *text, uint32_t *ret)
{
    uint64_t number;

    if (parse_u64(text, 0, UINT32_MAX - 1, &number) < 0)
        return false;
    *ret = (uint32_t)number;
    return true;
}

int names_user(const char *text, NamesSource source, uid_t *ret_uid, gid_t *ret_gid)
{
    struct passwd local;
    const struct passwd *p = NULL;
    uint32_t number;

    if (is_number(text, &number)) {
        *ret_uid = number;
        *ret_gid = NAMES_NO_ID;
        return 0;
    }
    if (local_user(text, 0, &local))
        p = &local;
    else if (source == NAMES_MODULES)
        p = getpwnam(text);
    if (!p)
        return -ENOENT;
    *ret_uid = p->pw_uid;
    *ret_gid = p->pw_gid;
    return 0;
}

int names_group(const char *text, NamesSource source, gid_t *ret_gid)
{
    struct group local;
    const struct group *g = NULL;
    uint32_t number;

    if (is_number(text, &number)) {
        *ret_gid = number;
        return 0;
    }
    if (local_group(text, 0, &local))
        g = &local;
    else if (source == NAMES_MODULES)
        g = getgrnam(text);
    if (!g)
        return -ENOENT;
    *ret_gid = g->gr_gid;
    return 0;
}

void names_of_user(uid_t uid, char *ret, size_t size)
{
    struct passwd p;

    if (local_user(NULL, uid, &p))
        snprintf(ret, size, "%s", p.pw_name);
    else
        snprintf(ret, size, "%u", (unsigned)uid);
}

void names_of_group(gid_t gid, char *ret, size_t size)
{
    struct group g;

    if (local_group(NULL, gid, &g))
        snprintf(ret, size, "%s", g.gr_name);
    else
        snprintf(ret, size, "%u", (unsigned)gid);
}
