#include "manager/lookup.h"
#include "../run.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static PoolConfig *config_of(const char *user, const char *group)
{
    PoolConfig *c = pool_config_new("www");

    ck_assert_ptr_nonnull(c);
    c->user = user ? strdup(user) : NULL;
    c->group = group ? strdup(group) : NULL;
    return c;
}

/* The child finds what we find, to the last group. */
START_TEST(same_as_here)
{
    PoolConfig *c = config_of("daemon", "www-data");
    ConfigIssues issues = {0}, own_issues = {0};
    PoolIds ids = {0}, own = {0};

    ck_assert_int_eq(config_resolve_ids(c, true, &own_issues, &own), 0);
    ck_assert_int_eq(lookup_ids(c, true, &issues, &ids), 0);
    ck_assert_uint_eq(ids.uid, own.uid);
    ck_assert_uint_eq(ids.gid, own.gid);
    ck_assert_uint_eq(ids.n_groups, own.n_groups);
    ck_assert_uint_ge(ids.n_groups, 1);
    ck_assert_int_eq(memcmp(ids.groups, own.groups, own.n_groups * sizeof(gid_t)), 0);
    ck_assert_str_eq(ids.user_name, "daemon");
    ck_assert_str_eq(ids.home, own.home);
    ck_assert(!ids.keep);
    ck_assert_uint_eq(issues.n, 0);
    pool_ids_done(&ids);
    pool_ids_done(&own);
    pool_config_free(c);
}
END_TEST

/* Those of the pool file come through the wire as well. */
START_TEST(groups_of_the_file)
{
    PoolConfig *c = config_of("54321", "www-data");
    ConfigIssues issues = {0};
    PoolIds ids = {0};
    bool found = false;

    c->supplementary_groups.items = calloc(2, sizeof(char *));
    ck_assert_ptr_nonnull(c->supplementary_groups.items);
    c->supplementary_groups.items[0] = strdup("4711");
    c->supplementary_groups.items[1] = strdup("daemon");
    c->supplementary_groups.n = 2;
    ck_assert_int_eq(lookup_ids(c, true, &issues, &ids), 0);
    ck_assert_uint_eq(issues.n, 0);
    ck_assert_uint_eq(ids.uid, 54321);
    ck_assert_ptr_null(ids.user_name);
    ck_assert_uint_ge(ids.n_groups, 2);
    for (size_t i = 0; i < ids.n_groups; i++)
        found |= ids.groups[i] == 4711;
    ck_assert(found);
    ck_assert_uint_ne(ids.groups[ids.n_groups - 1], ids.groups[ids.n_groups - 2]);
    pool_ids_done(&ids);
    pool_config_free(c);
}
END_TEST

START_TEST(problems_arrive_as_they_are)
{
    PoolConfig *c = config_of("no-such-user", NULL);
    ConfigIssues issues = {0}, own_issues = {0};
    PoolIds ids = {0}, own = {0};

    ck_assert_int_eq(config_resolve_ids(c, true, &own_issues, &own), -EINVAL);
    ck_assert_int_eq(lookup_ids(c, true, &issues, &ids), -EINVAL);
    ck_assert_uint_eq(issues.n, own_issues.n);
    ck_assert_uint_eq(issues.n_errors, own_issues.n_errors);
    ck_assert_str_eq(issues.items[0].text, own_issues.items[0].text);
    ck_assert_str_eq(issues.items[0].directive, "user");
    ck_assert_uint_eq(ids.uid, 0);
    ck_assert_ptr_null(ids.user_name);
    config_issues_done(&issues);
    config_issues_done(&own_issues);
    pool_config_free(c);
}
END_TEST

START_TEST(nobody_is_left_behind)
{
    PoolConfig *c = config_of("daemon", NULL);
    ConfigIssues issues = {0};
    PoolIds ids = {0};
    int fd = dup(0);

    close(fd);
    ck_assert_int_eq(lookup_ids(c, true, &issues, &ids), 0);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(dup(0), fd);
    pool_ids_done(&ids);
    pool_config_free(c);
}
END_TEST

static Suite *lookup_suite(void)
{
    Suite *s = suite_create("manager/lookup");
    TCase *t = tcase_create("all");

    tcase_add_test(t, same_as_here);
    tcase_add_test(t, groups_of_the_file);
    tcase_add_test(t, problems_arrive_as_they_are);
    tcase_add_test(t, nobody_is_left_behind);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(lookup_suite)
