#include "manager/access.h"
#include "manager/listeners.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT(t) ((char *)(uintptr_t)(t))

START_TEST(names)
{
    char name[64];
    uid_t uid;
    gid_t gid;

    ck_assert_int_eq(names_user("daemon", NAMES_LOCAL, &uid, &gid), 0);
    ck_assert_uint_eq(uid, getpwnam("daemon")->pw_uid);
    ck_assert_uint_eq(gid, getpwnam("daemon")->pw_gid);
    /* A number needs nobody who has it, and brings no group. */
    ck_assert_int_eq(names_user("54321", NAMES_LOCAL, &uid, &gid), 0);
    ck_assert_uint_eq(uid, 54321);
    ck_assert_uint_eq(gid, NAMES_NO_ID);
    ck_assert_int_eq(names_group("daemon", NAMES_LOCAL, &gid), 0);
    ck_assert_uint_eq(gid, getgrnam("daemon")->gr_gid);
    ck_assert_int_eq(names_group("0", NAMES_LOCAL, &gid), 0);
    ck_assert_uint_eq(gid, 0);
    ck_assert_int_eq(names_user("no-such-user", NAMES_MODULES, &uid, &gid), -ENOENT);
    ck_assert_int_eq(names_group("no-such-group", NAMES_MODULES, &gid), -ENOENT);
    /* 2^32 - 1 would mean "leave it". */
    ck_assert_int_eq(names_user("4294967295", NAMES_LOCAL, &uid, &gid), -ENOENT);
    names_of_user(0, name, sizeof(name));
    ck_assert_str_eq(name, "root");
    names_of_group(54321, name, sizeof(name));
    ck_assert_str_eq(name, "54321");
}
END_TEST

static const struct {
    const char *owner, *group;
    bool ok;
    uid_t uid;
    gid_t gid;
} owners[] = {
    {NULL, NULL, true, NAMES_NO_ID, NAMES_NO_ID},
    {"daemon", NULL, true, 1, 1}, /* with its primary group, as PHP-FPM does */
    {"daemon", "bin", true, 1, 2},
    {"1", NULL, true, 1, NAMES_NO_ID},
    {"1", "2", true, 1, 2},
    {NULL, "bin", true, NAMES_NO_ID, 2},
    {"no-such-user", NULL, false, 0, 0},
    {NULL, "no-such-group", false, 0, 0},
};

START_TEST(owner_and_group)
{
    PoolConfig c = {.listen_owner = TEXT(owners[_i].owner),
                    .listen_group = TEXT(owners[_i].group),
                    .listen_mode = 0640};
    char *reason = NULL;
    SocketAccess a;
    int r = access_resolve(&c, NAMES_MODULES, &a, &reason);

    if (owners[_i].ok) {
        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(a.uid, owners[_i].uid);
        ck_assert_uint_eq(a.gid, owners[_i].gid);
        ck_assert_uint_eq(a.mode, 0640);
        access_done(&a);
    } else {
        ck_assert_int_eq(r, -ENOENT);
        ck_assert_ptr_nonnull(strstr(reason, "no-such-"));
        free(reason);
    }
}
END_TEST

static char path[64];

/* Binds a socket file at path and looks at it. */
static struct stat bind_with(PoolConfig *c)
{
    ListenAddress address = {.kind = LISTEN_UNIX, .text = path, .path = path};
    Listeners l = {.growth_fd = -1, .diag_fd = -1};
    char *reason = NULL;
    struct stat st;

    snprintf(path, sizeof(path), "/tmp/fpmd-access-test-%d", (int)getpid());
    unlink(path);
    c->listen = &address;
    c->n_listen = 1;
    ck_assert_msg(listeners_bind(&l, c, &reason) == 0, "%s", reason);
    ck_assert_int_eq(stat(path, &st), 0);
    free(l.items[0].unlink);
    l.items[0].unlink = NULL;
    listeners_done(&l);
    return st;
}

START_TEST(files_get_owner_and_group)
{
    PoolConfig c = {.listen_owner = TEXT("daemon"), .listen_mode = 0620, .listen_backlog = -1};
    struct stat st = bind_with(&c);

    ck_assert_uint_eq(st.st_mode & 0777, 0620);
    /* /tmp lets everybody make files. */
    if (geteuid() == 0) {
        ck_assert_uint_eq(st.st_uid, 1);
        ck_assert_uint_eq(st.st_gid, 1);
    } else
        ck_assert_uint_eq(st.st_uid, geteuid());
    unlink(path);
}
END_TEST

START_TEST(access_list)
{
    char *users[] = {TEXT("bin"), TEXT("54321"), TEXT("bin")}, *groups[] = {TEXT("daemon")};
    PoolConfig c = {.listen_owner = TEXT("daemon"),
                    .listen_mode = 0600,
                    .listen_backlog = -1,
                    .listen_acl_users = {users, 3},
                    .listen_acl_groups = {groups, 1}};
    char *reason = NULL;
    SocketAccess a;
    AccessEntry *read = NULL;
    size_t n = 0;
    struct stat st = bind_with(&c);

    /* The owner does not count beside a list. */
    ck_assert_uint_eq(st.st_uid, geteuid());
    /* As chmod(1) would show it: the mask stands in the place of the group. */
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
    ck_assert_int_eq(access_read_acl(path, &read, &n), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(access_resolve(&c, NAMES_LOCAL, &a, &reason), 0);
    ck_assert_uint_eq(a.n_acl, 3);
    ck_assert(access_same_acl(read, n, a.acl, a.n_acl, false));
    ck_assert(access_same_acl(read, n, a.acl, a.n_acl, true));
    /* One user less. */
    ck_assert(!access_same_acl(read, n, a.acl + 1, a.n_acl - 1, false));
    ck_assert(access_same_acl(read, n, a.acl + 1, a.n_acl - 1, true));
    free(read);
    access_done(&a);
    unlink(path);
}
END_TEST

START_TEST(no_access_list)
{
    PoolConfig c = {.listen_mode = 0660, .listen_backlog = -1};
    AccessEntry *read = NULL;
    size_t n = 7;

    bind_with(&c);
    ck_assert_int_eq(access_read_acl(path, &read, &n), 0);
    ck_assert_uint_eq(n, 0);
    free(read);
    unlink(path);
    ck_assert_int_eq(access_read_acl(path, &read, &n), -ENOENT);
}
END_TEST

static Suite *access_suite(void)
{
    Suite *s = suite_create("manager/access");
    TCase *t = tcase_create("all");

    tcase_add_test(t, names);
    tcase_add_loop_test(t, owner_and_group, 0, ARRAY_SIZE(owners));
    tcase_add_test(t, files_get_owner_and_group);
    tcase_add_test(t, access_list);
    tcase_add_test(t, no_access_list);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(access_suite)
