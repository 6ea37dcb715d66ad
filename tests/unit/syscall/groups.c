/*
 * The table of groups against libseccomp: every call that it knows is in exactly one group, with
 * the number that it has there.
 */

#include "syscall/groups.h"
#include "syscall/numbers.h"
#include "../run.h"

#include <ctype.h>
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/syscall.h>

/* Above all numbers that x86_64 and the generic table use. */
#define NUMBER_MAX 1024

static const struct {
    uint32_t token;
    const char *name;
    size_t number;   /* in SyscallNumber */
    bool lacks_some; /* calls of the table that no program there knows */
} machines[] = {
    {SCMP_ARCH_X86_64, "x86_64", offsetof(SyscallNumber, x86_64), false},
    {SCMP_ARCH_AARCH64, "aarch64", offsetof(SyscallNumber, generic), false},
    {SCMP_ARCH_RISCV64, "riscv64", offsetof(SyscallNumber, generic), true},
};

/* Numbers that the generic table leaves to each machine (asm-generic/unistd.h). */
static bool is_of_machine(int number)
{
    return number >= 244 && number < 260;
}

static int number_of(const SyscallNumber *row, size_t machine)
{
    return *(const int *)(const void *)((const char *)row + machines[machine].number);
}

START_TEST(test_libseccomp_knows_no_more)
{
    unsigned seen = 0;

    for (int number = 0; number < NUMBER_MAX; number++) {
        char *name = seccomp_syscall_resolve_num_arch(machines[_i].token, number);
        int row;

        if (!name)
            continue;
        seen++;
        ck_assert_msg(syscall_group_of(name), "%s of %s is in no group", name, machines[_i].name);
        row = syscall_find(name);
        ck_assert_msg(row >= 0, "%s has no numbers", name);
        ck_assert_msg(number_of(&syscall_numbers[row], (size_t)_i) == number,
                      "%s of %s is number %d, not %d", name, machines[_i].name, number,
                      number_of(&syscall_numbers[row], (size_t)_i));
        free(name);
    }
    ck_assert_uint_gt(seen, 250);
}
END_TEST

/* Numbers that libseccomp has too are the same; later ones are unknown to it. */
START_TEST(test_numbers_are_those_of_libseccomp)
{
    for (size_t i = 0; i < n_syscall_numbers; i++) {
        const SyscallNumber *row = &syscall_numbers[i];
        int theirs = seccomp_syscall_resolve_name_arch(machines[_i].token, row->name);

        if (theirs == __NR_SCMP_ERROR ||
            (theirs < 0 && (machines[_i].lacks_some || is_of_machine(number_of(row, (size_t)_i)))))
            continue;
        ck_assert_msg(MAX(theirs, -1) == number_of(row, (size_t)_i), "%s of %s is %d, not %d",
                      row->name, machines[_i].name, theirs, number_of(row, (size_t)_i));
    }
}
END_TEST

START_TEST(test_each_call_is_in_one_group)
{
    for (size_t i = 0; i < n_syscall_numbers; i++) {
        unsigned n = 0;

        for (size_t g = 0; g < n_syscall_groups; g++)
            for (size_t k = 0; k < syscall_groups[g].n_calls; k++)
                n += strcmp(syscall_groups[g].calls[k], syscall_numbers[i].name) == 0;
        ck_assert_msg(n == 1, "%s is in %u groups", syscall_numbers[i].name, n);
    }
    for (size_t g = 0; g < n_syscall_groups; g++)
        for (size_t k = 0; k < syscall_groups[g].n_calls; k++)
            ck_assert_msg(syscall_is_known(syscall_groups[g].calls[k]), "%s has no numbers",
                          syscall_groups[g].calls[k]);
}
END_TEST

START_TEST(test_rows_are_in_order)
{
    for (size_t i = 1; i < n_syscall_numbers; i++)
        ck_assert_msg(strcmp(syscall_numbers[i - 1].name, syscall_numbers[i].name) < 0,
                      "%s stands behind %s", syscall_numbers[i].name, syscall_numbers[i - 1].name);
    for (size_t i = 0; i < n_syscall_numbers; i++)
        for (size_t k = 0; k < i; k++) {
            const SyscallNumber *a = &syscall_numbers[i], *b = &syscall_numbers[k];

            ck_assert(a->x86_64 < 0 || a->x86_64 != b->x86_64);
            ck_assert(a->generic < 0 || a->generic != b->generic);
        }
}
END_TEST

/* A name that can stand behind an @, once, a reason, calls in their order. */
START_TEST(test_groups_are_whole)
{
    for (size_t g = 0; g < n_syscall_groups; g++) {
        const SyscallGroup *group = &syscall_groups[g];

        for (const char *c = group->name; *c; c++)
            ck_assert_msg(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '-',
                          "%s", group->name);
        ck_assert_ptr_eq(syscall_group_find(group->name), group);
        ck_assert_msg(strlen(group->reason) > 10, "%s has no reason", group->name);
        ck_assert_uint_gt(group->n_calls, 0);
        ck_assert_msg(!group->vital || group->from == SYSCALL_PROFILE_STRICT, "%s", group->name);
        ck_assert_msg(group->fate != SYSCALL_FATAL || group->from == _SYSCALL_PROFILE_MAX, "%s",
                      group->name);
        ck_assert_ptr_nonnull(syscall_fate_to_string(group->fate));
        for (size_t k = 1; k < group->n_calls; k++)
            ck_assert_msg(strcmp(group->calls[k - 1], group->calls[k]) < 0, "%s: %s", group->name,
                          group->calls[k]);
    }
    ck_assert_ptr_null(syscall_group_find("no-such"));
    ck_assert_ptr_null(syscall_group_of("no_such"));
    ck_assert_ptr_null(syscall_fate_to_string(_SYSCALL_FATE_MAX));
}
END_TEST

START_TEST(test_numbers_of_this_machine)
{
    ck_assert_int_eq(syscall_to_number("openat"), SYS_openat);
    ck_assert_int_eq(syscall_to_number("ptrace"), SYS_ptrace);
    ck_assert_int_eq(syscall_to_number("no_such"), -ENOENT);
    ck_assert_int_eq(syscall_find("no_such"), -ENOENT);
    ck_assert_int_eq(syscall_find(""), -ENOENT);
    ck_assert_str_eq(syscall_to_name(SYS_openat), "openat");
    ck_assert_str_eq(syscall_to_name(SYS_seccomp), "seccomp");
    ck_assert_ptr_null(syscall_to_name(4095));
    ck_assert_ptr_null(syscall_to_name(UINT32_MAX));
#ifdef __x86_64__
    ck_assert_int_eq(syscall_to_number("open"), 2);
#else
    ck_assert_int_eq(syscall_to_number("open"), -ENOENT);
#endif
}
END_TEST

static const struct {
    const char *name, *nearest;
} misspelt[] = {
    {"ptarce", "ptrace"},
    {"opennat", "openat"},
    {"Mount", "mount"},
    {"@raw_io", "raw-io"},
    {"@namespace", "namespaces"},
    {"sendfille", "sendfile"},
    {"@xatr", "xattr"},
    {"@", NULL},
    {"", NULL},
    {"@ptrace", NULL},
    {"entirely", NULL},
    {"qq", NULL},
    {"0123456789012345678901234567890123456789012345678901234567890123456789", NULL},
};

START_TEST(test_nearest)
{
    const char *found = syscall_nearest(misspelt[_i].name);

    if (misspelt[_i].nearest)
        ck_assert_pstr_eq(found, misspelt[_i].nearest);
    else
        ck_assert_msg(!found, "%s: %s", misspelt[_i].name, found);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("syscall/groups");
    TCase *t = tcase_create("groups");

    tcase_add_loop_test(t, test_libseccomp_knows_no_more, 0, ARRAY_SIZE(machines));
    tcase_add_loop_test(t, test_numbers_are_those_of_libseccomp, 0, ARRAY_SIZE(machines));
    tcase_add_test(t, test_each_call_is_in_one_group);
    tcase_add_test(t, test_rows_are_in_order);
    tcase_add_test(t, test_groups_are_whole);
    tcase_add_test(t, test_numbers_of_this_machine);
    tcase_add_loop_test(t, test_nearest, 0, ARRAY_SIZE(misspelt));
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
