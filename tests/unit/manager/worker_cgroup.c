#include "base/fd.h"
#include "manager/manager.h"
#include "../run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder tree with the files of a cgroup; what is written to them is what the kernel would get.
 */

static char root[64], mount_root[128];
static char pool_name[] = "shop";
static PoolConfig config;
static PoolIds ids;

static void put(const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void put_folder(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void expect(const char *name, const char *text)
{
    _cleanup_free_ char *has = NULL;
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    ck_assert_int_ge(fd_read_file(path, 4096, &has, NULL), 0);
    ck_assert_str_eq(has, text);
}

static bool exists(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    return access(path, F_OK) == 0;
}

static void set_up(void)
{
    strcpy(root, "/tmp/fpmd-test-cgroup.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    strcpy(mount_root, root);
    put("cgroup.controllers", "cpu memory pids\n");
    put("cgroup.subtree_control", "");
    put("cgroup.procs", "");
    put_folder("manager");
    put("manager/cgroup.procs", "");
    config = (PoolConfig){
        .name = pool_name, .pm_worker_memory_max_bytes = 64 << 20, .pm_worker_tasks_max = 20};
    ids = (PoolIds){.uid = geteuid() + 1};
}

static void tear_down(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", root);
    ck_assert_int_eq(system(command), 0);
}

/* The first error, or "". */
static int prepare(const char *folder, char *text, size_t size)
{
    _cleanup_(config_issues_done) ConfigIssues issues = {0};
    int r = worker_cgroup_prepare(folder, mount_root, &config, &ids, &issues);

    ck_assert_int_eq(r<0, issues.n> 0);
    snprintf(text, size, "%s: %s", issues.n > 0 ? issues.items[0].directive : "",
             issues.n > 0 ? issues.items[0].text : "");
    return r;
}

START_TEST(divides_the_service)
{
    char text[1024];

    ck_assert_int_eq(prepare(root, text, sizeof(text)), 0);
    /* Each controller in a write of its own, the file of the test keeps the last one's bytes. */
    expect("cgroup.subtree_control", "+pidsry");
}
END_TEST

START_TEST(nothing_is_asked_for)
{
    char text[1024];

    config.pm_worker_memory_max_bytes = config.pm_worker_tasks_max = 0;
    ck_assert(!worker_cgroup_is_wanted(&config));
    ck_assert_int_eq(prepare(NULL, text, sizeof(text)), 0);
    expect("cgroup.subtree_control", "");
}
END_TEST

START_TEST(processes_are_moved_first)
{
    char text[1024];

    /* The file of the test never gets empty. */
    put("cgroup.procs", "4711\n");
    ck_assert_int_eq(prepare(root, text, sizeof(text)), -EBUSY);
    ck_assert_int_eq(
        strncmp(text, "pm.worker_memory_max: the cgroup of the service cannot be ", 58), 0);
    expect("cgroup.subtree_control", "");
    expect("manager/cgroup.procs", "4711");
}
END_TEST

START_TEST(what_is_missing_is_said)
{
    char text[1024];

    put("cgroup.controllers", "cpu pids memoryless\n");
    ck_assert_int_eq(prepare(root, text, sizeof(text)), -EOPNOTSUPP);
    ck_assert_ptr_nonnull(
        strstr(text, "pm.worker_memory_max: this machine has no memory controller"));

    /* The machine has it, the service does not. */
    snprintf(mount_root, sizeof(mount_root), "%s/machine", root);
    put_folder("machine");
    put("machine/cgroup.controllers", "memory pids");
    ck_assert_int_eq(prepare(root, text, sizeof(text)), -EOPNOTSUPP);
    ck_assert_ptr_nonnull(strstr(text, "expected Delegate=memory: 'fpmctl apply shop' writes"));

    ck_assert_int_eq(prepare(NULL, text, sizeof(text)), -ENOTSUP);
    ck_assert_ptr_nonnull(strstr(text, "fpmd@shop.service"));
    config.pm_worker_memory_max_bytes = 0;
    ck_assert_int_eq(prepare(root, text, sizeof(text)), 0);
    expect("cgroup.subtree_control", "+pids");
}
END_TEST

/* Who has the manager's user could write what was written here. */
START_TEST(not_with_the_managers_user)
{
    char text[1024];

    ids.uid = geteuid();
    ck_assert_int_eq(prepare(root, text, sizeof(text)), -EPERM);
    ck_assert_ptr_nonnull(strstr(text, "the workers have the user of the manager"));
    ids = (PoolIds){.uid = geteuid() + 1, .keep = true};
    ck_assert_int_eq(prepare(root, text, sizeof(text)), -EPERM);
    expect("cgroup.subtree_control", "");
}
END_TEST

static void put_worker(void)
{
    static const char *const files[] = {"memory.max", "memory.oom.group", "memory.swap.max",
                                        "pids.max", "cgroup.procs"};
    char name[64];

    put_folder("worker-4711");
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(name, sizeof(name), "worker-4711/%s", files[i]);
        put(name, "");
    }
}

START_TEST(a_worker_gets_its_limits)
{
    const char *file;

    put_worker();
    ck_assert_int_eq(worker_cgroup_make(root, &config, 4711, &file), 0);
    expect("worker-4711/memory.max", "67108864");
    expect("worker-4711/memory.oom.group", "1");
    expect("worker-4711/memory.swap.max", "0");
    expect("worker-4711/pids.max", "20");
    expect("worker-4711/cgroup.procs", "4711");
}
END_TEST

START_TEST(only_what_is_asked_for)
{
    const char *file;

    config.pm_worker_memory_max_bytes = 0;
    put_worker();
    ck_assert_int_eq(worker_cgroup_make(root, &config, 4711, &file), 0);
    expect("worker-4711/memory.max", "");
    expect("worker-4711/pids.max", "20");
}
END_TEST

/* Not moved without its limits. */
START_TEST(a_limit_that_cannot_be_set)
{
    const char *file;
    char path[256];

    put_worker();
    snprintf(path, sizeof(path), "%s/worker-4711/pids.max", root);
    unlink(path);
    ck_assert_int_eq(worker_cgroup_make(root, &config, 4711, &file), -ENOENT);
    ck_assert_str_eq(file, "pids.max");
    expect("worker-4711/cgroup.procs", "");
    /* A kernel without accounting of swap. */
    put("worker-4711/pids.max", "");
    snprintf(path, sizeof(path), "%s/worker-4711/memory.swap.max", root);
    unlink(path);
    ck_assert_int_eq(worker_cgroup_make(root, &config, 4711, &file), 0);
}
END_TEST

START_TEST(who_ran_out)
{
    ck_assert(!worker_cgroup_ran_out(root, 4711));
    put_worker();
    put("worker-4711/memory.events", "low 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n");
    ck_assert(!worker_cgroup_ran_out(root, 4711));
    put("worker-4711/memory.events", "low 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n");
    ck_assert(worker_cgroup_ran_out(root, 4711));
}
END_TEST

START_TEST(empty_groups_go)
{
    put_folder("worker-1");
    put_folder("worker-2");
    put_folder("other");
    put("worker-2/cgroup.procs", "2\n"); /* ENOTEMPTY here, EBUSY of the kernel */
    worker_cgroups_trim(root);
    ck_assert(!exists("worker-1"));
    ck_assert(exists("worker-2"));
    ck_assert(exists("other"));
    ck_assert(exists("manager"));
}
END_TEST

START_TEST(the_next_manager_can_begin)
{
    worker_cgroups_release(root);
    expect("cgroup.subtree_control", "");
    put("cgroup.subtree_control", "memory");
    worker_cgroups_release(root);
    expect("cgroup.subtree_control", "-memory");
}
END_TEST

static const struct {
    const char *lines, *folder;
} paths[] = {
    {"0::/system.slice/system-fpmd.slice/fpmd@a.service\n",
     "/sys/fs/cgroup/system.slice/system-fpmd.slice/fpmd@a.service"},
    {"1:cpu:/\n0::/s/fpmd@a.service/manager\n", "/sys/fs/cgroup/s/fpmd@a.service"},
    {"0::/s/fpmd@a.service/.control", "/sys/fs/cgroup/s/fpmd@a.service"},
    {"0::/s/fpmd@a.service/worker-12/fpmd@b.service\n", "/sys/fs/cgroup/s/fpmd@a.service"},
    {"0::/fpmd@a.service\n", "/sys/fs/cgroup/fpmd@a.service"},
    {"0::/user.slice/session-1.scope\n", NULL},
    {"0::/s/fpmd@a.socket/x.service\n", NULL},
    {"0::/\n1:name=systemd:/fpmd@a.service\n", NULL},
    {"", NULL},
};

START_TEST(the_folder_of_the_service)
{
    _cleanup_free_ char *folder = cgroup_folder_of(paths[_i].lines);

    if (!paths[_i].folder)
        ck_assert_ptr_null(folder);
    else
        ck_assert_pstr_eq(folder, paths[_i].folder);
}
END_TEST

START_TEST(processes_of_all_groups)
{
    pid_t pids[8];
    size_t n;
    unsigned seen = 0;

    put("cgroup.procs", "1\n0\n");
    put("manager/cgroup.procs", "2\n3\n");
    put_worker();
    put("worker-4711/cgroup.procs", "4\n");
    n = cgroup_list_tree(root, 0, pids, ARRAY_SIZE(pids));
    ck_assert_uint_eq(n, 4);
    for (size_t i = 0; i < n; i++)
        seen |= 1U << pids[i];
    ck_assert_uint_eq(seen, 2 | 4 | 8 | 16);
    ck_assert_uint_eq(cgroup_list_group(root, pids, ARRAY_SIZE(pids)), 1);
    ck_assert_uint_eq(cgroup_list_tree(root, 0, pids, 3), 3);
}
END_TEST

static Suite *worker_cgroup_suite(void)
{
    Suite *s = suite_create("manager/worker_cgroup");
    TCase *t = tcase_create("groups");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, divides_the_service);
    tcase_add_test(t, nothing_is_asked_for);
    tcase_add_test(t, processes_are_moved_first);
    tcase_add_test(t, what_is_missing_is_said);
    tcase_add_test(t, not_with_the_managers_user);
    tcase_add_test(t, a_worker_gets_its_limits);
    tcase_add_test(t, only_what_is_asked_for);
    tcase_add_test(t, a_limit_that_cannot_be_set);
    tcase_add_test(t, who_ran_out);
    tcase_add_test(t, empty_groups_go);
    tcase_add_test(t, the_next_manager_can_begin);
    tcase_add_test(t, processes_of_all_groups);
    tcase_add_loop_test(t, the_folder_of_the_service, 0, ARRAY_SIZE(paths));
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(worker_cgroup_suite)
