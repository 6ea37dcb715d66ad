#include "conf/verify.h"
#include "load.h"
#include "../run.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int resolve(const char *lines, bool privileged, ConfigIssues *issues, PoolIds *ids)
{
    _cleanup_free_ char *text = calloc(1, strlen(MINIMAL) + strlen(lines) + 1);
    _cleanup_loaded_ Loaded l = {0};

    stpcpy(stpcpy(text, MINIMAL), lines);
    l = parse(text);
    ck_assert_int_eq(l.r, 0);
    return config_resolve_ids(l.c, privileged, issues, ids);
}

START_TEST(bad_users)
{
    static const struct {
        const char *lines, *issue;
    } cases[] = {
        {"", "t.conf:1: user: is missing, expected the user of the workers"},
        {"user = no_such_one\n", "t.conf:4: user: there is no user 'no_such_one', expected the "
                                 "name or number of a user"},
        {"user = root\n", "t.conf:4: user: is root, expected a user without privileges"},
        {"user = 0\n", "t.conf:4: user: is root, expected a user without privileges"},
        {"user = daemon\ngroup = 0\n",
         "t.conf:5: group: the group is root's, expected a group without privileges"},
        {"user = daemon\ngroup = no_such_one\n",
         "t.conf:5: group: there is no group 'no_such_one', expected the name or number of a "
         "group"},
        {"user = 4000000\n", "t.conf:1: group: is missing, expected a group because user '4000000' "
                             "is a number without an entry"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ConfigIssues issues = {0};
        PoolIds ids = {0};

        ck_assert_int_eq(resolve(cases[i].lines, true, &issues, &ids), -EINVAL);
        ck_assert_msg(has_issue(&issues, cases[i].issue), "%s", cases[i].issue);
        config_issues_done(&issues);
    }
}
END_TEST

START_TEST(good_users)
{
    struct passwd *daemon = getpwnam("daemon");
    ConfigIssues issues = {0};
    PoolIds ids = {0};

    ck_assert_ptr_nonnull(daemon);
    ck_assert_int_eq(resolve("user = daemon\n", true, &issues, &ids), 0);
    ck_assert_uint_eq(ids.uid, daemon->pw_uid);
    ck_assert_uint_eq(ids.gid, daemon->pw_gid);
    ck_assert_str_eq(ids.user_name, "daemon");
    ck_assert_str_eq(ids.home, daemon->pw_dir);
    ck_assert_uint_ge(ids.n_groups, 1);
    ck_assert(!ids.keep);
    pool_ids_done(&ids);

    ck_assert_int_eq(resolve("user = daemon\ngroup = 4000001\n", true, &issues, &ids), 0);
    ck_assert_uint_eq(ids.gid, 4000001);
    pool_ids_done(&ids);

    ck_assert_int_eq(resolve("user = 4000000\ngroup = 4000001\n", true, &issues, &ids), 0);
    ck_assert_uint_eq(ids.uid, 4000000);
    ck_assert_ptr_null(ids.user_name);
    ck_assert_uint_eq(ids.n_groups, 1);
    ck_assert_uint_eq(ids.groups[0], 4000001);
    pool_ids_done(&ids);
    ck_assert_uint_eq(issues.n, 0);
}
END_TEST

START_TEST(without_privilege_ids_stay)
{
    ConfigIssues issues = {0};
    PoolIds ids = {0};
    char own[64];

    snprintf(own, sizeof(own), "user = %u\ngroup = %u\n", geteuid(), getegid());
    ck_assert_int_eq(resolve(own, false, &issues, &ids), 0);
    ck_assert_uint_eq(issues.n, 0);
    ck_assert(ids.keep);
    ck_assert_uint_eq(ids.uid, geteuid());
    pool_ids_done(&ids);

    ck_assert_int_eq(resolve("user = no_such_one\n", false, &issues, &ids), 0);
    ck_assert_uint_eq(issues.n, 1);
    ck_assert(has_issue(&issues, "t.conf:4: user: is ignored, this process may not change ids"));
    ck_assert_uint_eq(ids.uid, geteuid());
    pool_ids_done(&ids);
    config_issues_done(&issues);
}
END_TEST

START_TEST(paths)
{
    static const struct {
        const char *lines, *issue; /* NULL: none */
    } cases[] = {
        {"runtime = true\nchdir = /tmp\nphp_ini = /etc/passwd\nphp_ini_scan_dir = /etc:/usr\n",
         NULL},
        {"runtime = none\n",
         "t.conf:4: runtime: /usr/bin/none: No such file or directory, expected a file"},
        {"runtime = true\nchdir = /none\n",
         "t.conf:5: chdir: /none: No such file or directory, expected a folder"},
        {"runtime = true\nchdir = /etc/passwd\n", "t.conf:5: chdir: /etc/passwd is not a folder"},
        {"runtime = true\nphp_ini = /none\n",
         "t.conf:5: php_ini: /none: No such file or directory, expected a file"},
        {"runtime = true\nphp_ini = /etc\n", "t.conf:5: php_ini: /etc is not a regular file"},
        {"runtime = true\nphp_ini_scan_dir = /etc:/none\n",
         "t.conf:5: php_ini_scan_dir: /none: No such file or directory, expected a folder"},
        {"runtime = true\nprefix = /none\n",
         "t.conf:5: prefix: /none: No such file or directory, expected a folder"},
        {"runtime = true\nprefix = /etc/passwd\n", "t.conf:5: prefix: /etc/passwd is not a folder"},
        {"runtime = true\nchroot = /none\nchdir = /none\n",
         "t.conf:5: chroot: /none: No such file or directory, expected a folder"},
        {"runtime = true\nchroot = /usr\nchdir = /bin\n", NULL},
        {"runtime = true\nchroot = /usr\nchdir = /none\n",
         "t.conf:6: chdir: /none: No such file or directory, expected a folder below chroot = "
         "/usr"},
        {"runtime = true\nchroot = /etc\nchdir = /passwd\n",
         "t.conf:6: chdir: /passwd is not a folder below chroot = /etc"},
        {"runtime = true\nsecurity.body_file_paths = /none\n", NULL},
        {"runtime = true\nsandbox.read = /etc/passwd -/none /\nsandbox.write = none\n", NULL},
        {"runtime = true\nsandbox.read = /etc /none\n",
         "t.conf:5: sandbox.read: /none: No such file or directory, expected a folder or a file, "
         "or "
         "-/none for one that may be missing"},
        {"runtime = true\nsandbox.write = /etc/passwd/x\n",
         "t.conf:5: sandbox.write: /etc/passwd/x: Not a directory, expected a folder or a file, or "
         "-/etc/passwd/x for one that may be missing"},
        {"runtime = true\nsandbox.exec_paths = /none\n",
         "t.conf:5: sandbox.exec_paths: /none: No such file or directory, expected a folder or a "
         "file, or -/none for one that may be missing"},
        {"runtime = true\nchroot = /usr\nsandbox.read = /bin\n", NULL},
        {"runtime = true\nchroot = /usr\nsandbox.read = /home/x\n",
         "t.conf:6: sandbox.read: /home/x below chroot = /usr: No such file or directory, expected "
         "a "
         "folder or a file, or -/home/x for one that may be missing"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[300];
        _cleanup_loaded_ Loaded l = {0};

        snprintf(text, sizeof(text), MINIMAL "%s", cases[i].lines);
        l = parse(text);
        ck_assert_int_eq(l.r, 0);
        ck_assert_int_eq(config_verify_paths(l.c, "/usr/bin", &l.issues),
                         cases[i].issue ? -EINVAL : 0);
        if (cases[i].issue)
            ck_assert_msg(has_issue(&l.issues, cases[i].issue), "%s", cases[i].issue);
        ck_assert_uint_eq(l.issues.n, cases[i].issue ? 1 : 0);
    }
}
END_TEST

/* A link with an absolute target ends below the root, as it will for the workers. */
START_TEST(links_end_below_the_root)
{
    char root[] = "/tmp/fpmd-verify-XXXXXX", path[64], text[200];
    _cleanup_loaded_ Loaded l = {0};

    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(path, sizeof(path), "%s/inside", root);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/link", root);
    ck_assert_int_eq(symlink("/inside", path), 0);
    snprintf(text, sizeof(text), MINIMAL "runtime = true\nchroot = %s\nchdir = /link\n", root);
    l = parse(text);
    ck_assert_int_eq(l.r, 0);
    ck_assert_int_eq(config_verify_paths(l.c, "/usr/bin", &l.issues), 0);

    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/usr", path), 0);
    ck_assert_int_eq(config_verify_paths(l.c, "/usr/bin", &l.issues), -EINVAL);
    unlink(path);
    snprintf(path, sizeof(path), "%s/inside", root);
    rmdir(path);
    rmdir(root);
}
END_TEST

/* What the manager may not look into is for the template to try; in the unit's sandbox a home is
 * hidden from all. */
START_TEST(closed_folders)
{
    char closed[] = "/tmp/fpmd-verify-XXXXXX", text[200];
    _cleanup_loaded_ Loaded l = {0};

    ck_assert_ptr_nonnull(mkdtemp(closed));
    snprintf(text, sizeof(text), MINIMAL "runtime = true\nchdir = %s/a\n", closed);
    l = parse(text);
    ck_assert_int_eq(l.r, 0);
    ck_assert_int_eq(config_verify_paths(l.c, "/usr/bin", &l.issues), -EINVAL);
    ck_assert_int_eq(chmod(closed, 0), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(config_verify_paths(l.c, "/usr/bin", &l.issues), 0);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    rmdir(closed);
}
END_TEST

START_TEST(supplementary_groups)
{
    struct group *adm = getgrnam("adm");
    ConfigIssues issues = {0};
    PoolIds ids = {0};
    size_t n;

    ck_assert_ptr_nonnull(adm);
    ck_assert_int_eq(resolve("user = daemon\n", true, &issues, &ids), 0);
    n = ids.n_groups;
    pool_ids_done(&ids);
    ck_assert_int_eq(resolve("user = daemon\nsupplementary_groups = adm, adm daemon 4000001\n",
                             true, &issues, &ids),
                     0);
    ck_assert_uint_eq(ids.n_groups, n + 2);
    ck_assert_uint_eq(ids.groups[n], adm->gr_gid);
    ck_assert_uint_eq(ids.groups[n + 1], 4000001);
    pool_ids_done(&ids);
    ck_assert_uint_eq(issues.n, 0);

    ck_assert_int_eq(resolve("user = no_such_one\nsupplementary_groups = none_1 mail none_2 root\n",
                             true, &issues, &ids),
                     -EINVAL);
    ck_assert_uint_eq(issues.n_errors, 4);
    ck_assert(has_issue(&issues, "t.conf:5: supplementary_groups: there is no group 'none_1', "
                                 "expected names or numbers of groups"));
    ck_assert(has_issue(&issues, "t.conf:5: supplementary_groups: there is no group 'none_2', "
                                 "expected names or numbers of groups"));
    ck_assert(has_issue(&issues,
                        "t.conf:5: supplementary_groups: 'root' is root's, expected groups "
                        "without privileges"));
    config_issues_done(&issues);

    /* Nobody here is in so great a group. */
    ck_assert_int_eq(resolve("supplementary_groups = 4000001 none_1\n", false, &issues, &ids), 0);
    ck_assert_uint_eq(issues.n_errors, 0);
    ck_assert_uint_eq(issues.n, 2);
    ck_assert(has_issue(&issues,
                        "t.conf:4: supplementary_groups: '4000001' is ignored, this process "
                        "is not in that group and may not change its groups"));
    pool_ids_done(&ids);
    config_issues_done(&issues);
}
END_TEST

START_TEST(names_of_sockets)
{
    ConfigIssues issues = {0};
    PoolIds ids = {0};

    ck_assert_int_eq(resolve("user = daemon\nlisten.owner = daemon\nlisten.group = 4000000\n"
                             "listen.acl_users = 0,daemon\nlisten.acl_groups = mail\n",
                             true, &issues, &ids),
                     0);
    ck_assert_uint_eq(issues.n, 0);
    pool_ids_done(&ids);
    ck_assert_int_eq(resolve("user = daemon\nlisten.owner = none_1\nlisten.group = none_2\n"
                             "listen.acl_users = daemon,none_3\nlisten.acl_groups = none_4\n",
                             true, &issues, &ids),
                     0);
    ck_assert_uint_eq(issues.n_errors, 0);
    ck_assert_uint_eq(issues.n, 4);
    ck_assert(has_issue(&issues, "t.conf:5: listen.owner: there is no user 'none_1', so the socket "
                                 "cannot be made for it"));
    ck_assert(has_issue(&issues, "t.conf:8: listen.acl_groups: there is no group 'none_4', so the "
                                 "socket cannot be made for it"));
    pool_ids_done(&ids);
    config_issues_done(&issues);
}
END_TEST

static Suite *verify_suite(void)
{
    Suite *s = suite_create("conf/verify");
    TCase *t = tcase_create("all");

    tcase_add_test(t, bad_users);
    tcase_add_test(t, good_users);
    tcase_add_test(t, without_privilege_ids_stay);
    tcase_add_test(t, supplementary_groups);
    tcase_add_test(t, names_of_sockets);
    tcase_add_test(t, paths);
    tcase_add_test(t, links_end_below_the_root);
    tcase_add_test(t, closed_folders);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(verify_suite)
