/* privileges_reduce() and confine_for_exec(). Every test is a process of its own (CK_FORK). */
#include "base/exit_status.h"
#include "base/fd.h"
#include "conf/config.h"
#include "sandbox/capabilities.h"
#include "sandbox/sandbox.h"
#include "../run.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOBODY       65534
#define MANAGER_CAPS UINT64_C(0xe0)
#define CHROOT_CAP   (UINT64_C(1) << 18)

/* A line of /proc/self/status: of this process, or of a program that it executes. */
static uint64_t status_of(bool executed, const char *key)
{
    FILE *f = executed ? popen("cat /proc/self/status", "r") : fopen("/proc/self/status", "r");
    unsigned long long value = 0;
    char line[256];
    bool found = false;

    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f)) {
        size_t n = strlen(key);

        if (strncmp(line, key, n) == 0 && line[n] == ':')
            found = sscanf(line + n + 1, "%llx", &value) == 1;
    }
    if (executed)
        pclose(f);
    else
        fclose(f);
    ck_assert_msg(found, "no %s", key);
    return value;
}

static void expect_caps(bool executed, uint64_t caps, uint64_t bounding)
{
    ck_assert_uint_eq(status_of(executed, "CapInh"), caps);
    ck_assert_uint_eq(status_of(executed, "CapPrm"), caps);
    ck_assert_uint_eq(status_of(executed, "CapEff"), caps);
    ck_assert_uint_eq(status_of(executed, "CapAmb"), caps);
    ck_assert_uint_eq(status_of(executed, "CapBnd"), bounding);
}

/* The test needs root with SETPCAP; says so and is passed over otherwise. */
static bool is_able(const char *test)
{
    CapabilitySets sets;

    ck_assert_int_eq(capabilities_get(&sets), 0);
    if (geteuid() == 0 && (sets.effective & CAP_BIT(CAP_SETPCAP)))
        return true;
    fprintf(stderr, "%s: skipped, needs root\n", test);
    return false;
}
#define NEED_ROOT()                                                                                \
    do {                                                                                           \
        if (!is_able(__func__))                                                                    \
            return;                                                                                \
    } while (0)

/* As systemd starts a service with User= and AmbientCapabilities=. */
static void become_user_with(uint64_t ambient)
{
    CapabilitySets sets = {.effective = ambient, .permitted = ambient, .inheritable = ambient};

    ck_assert_int_eq(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(setgroups(0, NULL), 0);
    ck_assert_int_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
    ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
    ck_assert_int_eq(capabilities_set(&sets), 0);
    ck_assert_int_eq(capabilities_set_ambient(ambient), 0);
}

static void expect_full(const Privileges *p, uint64_t caps)
{
    ck_assert(p->may_chroot == (caps == (MANAGER_CAPS | CHROOT_CAP)));
    ck_assert(p->may_change_ids && p->may_kill && p->bounding_empty && p->securebits_locked);
    ck_assert_int_eq(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0), 0xef);
    expect_caps(false, caps, 0);
}

START_TEST(root_keeps_four)
{
    Privileges p = {0};

    NEED_ROOT();
    ck_assert_int_eq(privileges_reduce(&p), 0);
    expect_full(&p, MANAGER_CAPS | CHROOT_CAP);
    expect_caps(true, MANAGER_CAPS | CHROOT_CAP, 0);
}
END_TEST

static const uint64_t granted[] = {MANAGER_CAPS, MANAGER_CAPS | CHROOT_CAP};

/* As the unit grants them, with and without the drop-in for chroot; what else it grants goes. */
START_TEST(service_user_keeps_what_it_has)
{
    uint64_t caps = granted[_i];
    Privileges p = {0};

    NEED_ROOT();
    become_user_with(caps | CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_NET_BIND_SERVICE));
    ck_assert_int_eq(privileges_reduce(&p), 0);
    expect_full(&p, caps);
    expect_caps(true, caps, 0);

    /* Executed again: nothing left to do, nothing lost. */
    p = (Privileges){0};
    ck_assert_int_eq(privileges_reduce(&p), 0);
    expect_full(&p, caps);
}
END_TEST

START_TEST(without_setpcap_says_so)
{
    Privileges p = {0};

    NEED_ROOT();
    become_user_with(MANAGER_CAPS);
    ck_assert_int_eq(privileges_reduce(&p), 0);
    ck_assert(p.may_change_ids && p.may_kill);
    ck_assert(!p.bounding_empty && !p.securebits_locked);
    expect_caps(false, MANAGER_CAPS, capabilities_bounding());
}
END_TEST

/* A container's root with few capabilities: only what is there is kept. */
START_TEST(root_with_a_reduced_bounding_set)
{
    const uint64_t caps = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP);
    CapabilitySets sets = {.effective = caps, .permitted = caps};
    Privileges p = {0};

    NEED_ROOT();
    for (int cap = 0; cap <= capability_last(); cap++)
        if (!(caps & CAP_BIT(cap)))
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    ck_assert_int_eq(capabilities_set(&sets), 0);
    ck_assert_int_eq(privileges_reduce(&p), 0);
    ck_assert(p.may_change_ids && !p.may_kill && p.bounding_empty && p.securebits_locked);
    expect_caps(false, caps & MANAGER_CAPS, 0);
}
END_TEST

static void become_ordinary(void)
{
    if (geteuid() == 0)
        become_user_with(0);
}

START_TEST(ordinary_user_has_nothing)
{
    Privileges p = {.may_kill = true};

    become_ordinary();
    ck_assert_int_eq(privileges_reduce(&p), 0);
    ck_assert(!p.may_change_ids && !p.may_kill && !p.may_chroot);
    expect_caps(false, 0, capabilities_bounding());
}
END_TEST

static const gid_t groups[] = {60001, 60002};

static const Confinement to_pool_user = {
    .set_ids = true,
    .uid = 60000,
    .gid = 60000,
    .groups = groups,
    .n_groups = ARRAY_SIZE(groups),
    .rlimit_files = 512,
    .rlimit_core = 0,
};

static void expect_confined(void)
{
    gid_t got[8];
    uid_t r, e, s;
    struct rlimit limit;

    expect_caps(false, 0, 0);
    expect_caps(true, 0, 0);
    ck_assert_uint_eq(status_of(false, "NoNewPrivs"), 1);
    getresuid(&r, &e, &s);
    ck_assert(r == 60000 && e == 60000 && s == 60000);
    getresgid(&r, &e, &s);
    ck_assert(r == 60000 && e == 60000 && s == 60000);
    ck_assert_int_eq(getgroups(ARRAY_SIZE(got), got), 2);
    ck_assert_mem_eq(got, groups, sizeof(groups));
    ck_assert_int_eq(setuid(0), -1);
    ck_assert_int_eq(setgid(0), -1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert(limit.rlim_cur == 512 && limit.rlim_max == 512);
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    ck_assert(limit.rlim_cur == 0 && limit.rlim_max == 0);
}

/* With locked securebits the uid takes no capability away; they must be cleared by hand. */
START_TEST(service_confines)
{
    Privileges p;

    NEED_ROOT();
    become_user_with(MANAGER_CAPS | CAP_BIT(CAP_SETPCAP));
    ck_assert_int_eq(privileges_reduce(&p), 0);
    ck_assert_int_eq(confine_for_exec(&to_pool_user), 0);
    expect_confined();
}
END_TEST

START_TEST(plain_root_confines)
{
    NEED_ROOT();
    ck_assert_int_eq(confine_for_exec(&to_pool_user), 0);
    expect_confined();
}
END_TEST

static void expect_only_chroot(void)
{
    CapabilitySets now;
    uid_t r, e, s;

    ck_assert_int_eq(capabilities_get(&now), 0);
    ck_assert_uint_eq(now.effective, CHROOT_CAP);
    ck_assert_uint_eq(now.permitted, CHROOT_CAP);
    ck_assert_uint_eq(now.inheritable, 0);
    ck_assert_uint_eq(capabilities_ambient(), 0);
    ck_assert_uint_eq(capabilities_bounding(), 0);
    ck_assert_uint_eq(status_of(false, "NoNewPrivs"), 1);
    getresuid(&r, &e, &s);
    ck_assert(r == 60000 && e == 60000 && s == 60000);
    ck_assert_int_eq(setuid(0), -1);
    /* No program that it executes has it. */
    expect_caps(true, 0, 0);
    ck_assert_int_eq(chroot("/"), 0);
}

/* What changes a template's root: by the user's rights, and with one capability of its own. */
START_TEST(service_confines_and_keeps_one)
{
    Confinement c = to_pool_user;
    Privileges p;

    NEED_ROOT();
    c.keep_capabilities = CHROOT_CAP;
    become_user_with(MANAGER_CAPS | CHROOT_CAP | CAP_BIT(CAP_SETPCAP));
    ck_assert_int_eq(privileges_reduce(&p), 0);
    ck_assert_int_eq(confine_for_exec(&c), 0);
    expect_only_chroot();
}
END_TEST

START_TEST(plain_root_confines_and_keeps_one)
{
    Confinement c = to_pool_user;

    NEED_ROOT();
    c.keep_capabilities = CHROOT_CAP;
    ck_assert_int_eq(confine_for_exec(&c), 0);
    expect_only_chroot();
}
END_TEST

START_TEST(what_is_not_there_cannot_be_kept)
{
    Confinement c = to_pool_user;
    Privileges p;

    NEED_ROOT();
    c.keep_capabilities = CHROOT_CAP;
    become_user_with(MANAGER_CAPS | CAP_BIT(CAP_SETPCAP));
    ck_assert_int_eq(privileges_reduce(&p), 0);
    ck_assert_int_eq(confine_for_exec(&c), EXIT_STATUS_CAPABILITIES);
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

/* A pool of root's own, where the manager is root: the program has no capability either. */
START_TEST(root_pool_has_no_capabilities)
{
    const Confinement c = {
        .set_ids = true, .rlimit_files = RLIMIT_KEEP, .rlimit_core = RLIMIT_KEEP};
    Privileges p;

    NEED_ROOT();
    ck_assert_int_eq(privileges_reduce(&p), 0);
    ck_assert_int_eq(confine_for_exec(&c), 0);
    expect_caps(true, 0, 0);
}
END_TEST

START_TEST(ordinary_user_confines)
{
    const Confinement c = {.rlimit_files = RLIMIT_KEEP, .rlimit_core = 0};
    struct rlimit before, after;
    uid_t uid;

    become_ordinary();
    uid = getuid();
    getrlimit(RLIMIT_NOFILE, &before);
    ck_assert_int_eq(confine_for_exec(&c), 0);
    getrlimit(RLIMIT_NOFILE, &after);
    ck_assert_mem_eq(&before, &after, sizeof(before));
    ck_assert_uint_eq(getuid(), uid);
    ck_assert_uint_eq(status_of(false, "NoNewPrivs"), 1);
    expect_caps(true, 0, capabilities_bounding());
}
END_TEST

START_TEST(unlimited_is_not_kept)
{
    const Confinement c = {.rlimit_files = RLIMIT_KEEP, .rlimit_core = RLIMIT_UNLIMITED};
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    limit.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limit), 0);
    if (limit.rlim_max != RLIM_INFINITY)
        return; /* nothing to raise to */
    ck_assert_int_eq(confine_for_exec(&c), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    ck_assert(limit.rlim_cur == RLIM_INFINITY);
}
END_TEST

START_TEST(failed_step_has_its_status)
{
    const Confinement ids = {.set_ids = true,
                             .uid = 60000,
                             .gid = 60000,
                             .rlimit_files = RLIMIT_KEEP,
                             .rlimit_core = RLIMIT_KEEP};
    Confinement files = {.rlimit_files = 64, .rlimit_core = RLIMIT_KEEP};

    become_ordinary();
    ck_assert_int_eq(confine_for_exec(&ids), EXIT_STATUS_GROUPS);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_uint_eq(status_of(false, "NoNewPrivs"), 0);
    ck_assert_int_eq(confine_for_exec(&files), 0);
    files.rlimit_files = 65;
    ck_assert_int_eq(confine_for_exec(&files), EXIT_STATUS_RLIMITS);
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

/* SETUID without SETGID: the later steps fail with their own statuses. */
START_TEST(half_the_privileges_are_not_enough)
{
    NEED_ROOT();
    become_user_with(CAP_BIT(CAP_SETGID));
    ck_assert_int_eq(confine_for_exec(&to_pool_user), EXIT_STATUS_UID);
}
END_TEST

static Suite *privileges_suite(void)
{
    Suite *s = suite_create("sandbox/privileges");
    TCase *t = tcase_create("all");

    tcase_add_test(t, root_keeps_four);
    tcase_add_loop_test(t, service_user_keeps_what_it_has, 0, ARRAY_SIZE(granted));
    tcase_add_test(t, without_setpcap_says_so);
    tcase_add_test(t, root_with_a_reduced_bounding_set);
    tcase_add_test(t, ordinary_user_has_nothing);
    tcase_add_test(t, service_confines);
    tcase_add_test(t, plain_root_confines);
    tcase_add_test(t, service_confines_and_keeps_one);
    tcase_add_test(t, plain_root_confines_and_keeps_one);
    tcase_add_test(t, what_is_not_there_cannot_be_kept);
    tcase_add_test(t, root_pool_has_no_capabilities);
    tcase_add_test(t, ordinary_user_confines);
    tcase_add_test(t, unlimited_is_not_kept);
    tcase_add_test(t, failed_step_has_its_status);
    tcase_add_test(t, half_the_privileges_are_not_enough);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(privileges_suite)
