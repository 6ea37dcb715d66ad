/*
 * Which calls a pool allows.
 */

#include "syscall/set.h"
#include "../run.h"

#include <errno.h>
#include <string.h>

#define CHANGES_MAX 4

static const struct {
    SyscallProfile profile;
    const char *changes[CHANGES_MAX];
    bool no_exec;
    const char *call;
    bool allowed;
} cases[] = {
    {.profile = SYSCALL_PROFILE_STRICT, .call = "read", .allowed = true},
    {.profile = SYSCALL_PROFILE_STRICT, .call = "execve", .allowed = true},
    {.profile = SYSCALL_PROFILE_STRICT, .call = "splice"},
    {.profile = SYSCALL_PROFILE_STRICT, .call = "mount"},
    {.profile = SYSCALL_PROFILE_DEFAULT, .call = "read", .allowed = true},
    {.profile = SYSCALL_PROFILE_DEFAULT, .call = "splice", .allowed = true},
    {.profile = SYSCALL_PROFILE_DEFAULT, .call = "mount"},
    {.profile = SYSCALL_PROFILE_DEFAULT, .call = "clone3"},
    {.profile = SYSCALL_PROFILE_DEFAULT, .call = "ptrace"},
    {.profile = SYSCALL_PROFILE_DEFAULT, .call = "no_such"},
    {SYSCALL_PROFILE_DEFAULT, {"+ptrace"}, .call = "ptrace", .allowed = true},
    {SYSCALL_PROFILE_DEFAULT, {"+ptrace"}, .call = "perf_event_open"},
    {SYSCALL_PROFILE_DEFAULT, {"+@debug"}, .call = "perf_event_open", .allowed = true},
    {SYSCALL_PROFILE_DEFAULT, {"+@debug", "-ptrace"}, .call = "ptrace"},
    {SYSCALL_PROFILE_DEFAULT, {"-ptrace", "+@debug"}, .call = "ptrace", .allowed = true},
    {SYSCALL_PROFILE_DEFAULT, {"-@splice"}, .call = "tee"},
    {SYSCALL_PROFILE_DEFAULT, {"-@splice", "+tee"}, .call = "tee", .allowed = true},
    {SYSCALL_PROFILE_DEFAULT, {"-@splice", "+tee"}, .call = "splice"},
    {SYSCALL_PROFILE_STRICT, {"+@splice"}, .call = "splice", .allowed = true},
    {SYSCALL_PROFILE_DEFAULT, {NULL}, .no_exec = true, .call = "execve"},
    {SYSCALL_PROFILE_DEFAULT, {NULL}, .no_exec = true, .call = "execveat"},
    {SYSCALL_PROFILE_DEFAULT, {NULL}, .no_exec = true, .call = "vfork"},
    {SYSCALL_PROFILE_DEFAULT, {NULL}, .no_exec = true, .call = "fork"},
    {SYSCALL_PROFILE_DEFAULT, {NULL}, .no_exec = true, .call = "clone", .allowed = true},
    /* What sandbox.exec forbids no addition allows. */
    {SYSCALL_PROFILE_DEFAULT, {"+execve", "+@fork"}, .no_exec = true, .call = "execve"},
};

START_TEST(test_call)
{
    SyscallSet set;
    const char *bad = NULL;
    size_t n = 0;

    while (n < CHANGES_MAX && cases[_i].changes[n])
        n++;
    ck_assert_int_eq(
        syscall_set_build(cases[_i].profile, cases[_i].changes, n, !cases[_i].no_exec, &set, &bad),
        0);
    ck_assert_ptr_null(bad);
    ck_assert_int_eq(syscall_set_has(&set, cases[_i].call), cases[_i].allowed);
}
END_TEST

static const struct {
    const char *word;
    SyscallChange change;
} words[] = {
    {"+mount", SYSCALL_CHANGE_OK},      {"+@mount", SYSCALL_CHANGE_OK},
    {"-splice", SYSCALL_CHANGE_OK},     {"-@exec", SYSCALL_CHANGE_OK},
    {"+read", SYSCALL_CHANGE_OK},       {"+@io", SYSCALL_CHANGE_OK},
    {"-clone3", SYSCALL_CHANGE_OK},     {"mount", SYSCALL_CHANGE_UNKNOWN},
    {"", SYSCALL_CHANGE_UNKNOWN},       {"+", SYSCALL_CHANGE_UNKNOWN},
    {"-@", SYSCALL_CHANGE_UNKNOWN},     {"+@ptrace", SYSCALL_CHANGE_UNKNOWN},
    {"+debug", SYSCALL_CHANGE_UNKNOWN}, {"+MOUNT", SYSCALL_CHANGE_UNKNOWN},
    {"~mount", SYSCALL_CHANGE_UNKNOWN}, {"-read", SYSCALL_CHANGE_VITAL},
    {"-@events", SYSCALL_CHANGE_VITAL}, {"+clone3", SYSCALL_CHANGE_NEVER},
    {"+@clone3", SYSCALL_CHANGE_NEVER},
};

START_TEST(test_word)
{
    const char *bad = NULL;
    SyscallSet set = {.bits = {UINT64_MAX}};
    int r;

    ck_assert_int_eq(syscall_set_change(NULL, words[_i].word), words[_i].change);
    r = syscall_set_build(SYSCALL_PROFILE_DEFAULT, &words[_i].word, 1, true, &set, &bad);
    if (words[_i].change == SYSCALL_CHANGE_OK)
        ck_assert_int_eq(r, 0);
    else {
        ck_assert_int_eq(r, -EINVAL);
        ck_assert_pstr_eq(bad, words[_i].word);
        ck_assert(set.bits[0] == UINT64_MAX);
    }
}
END_TEST

START_TEST(test_strict_is_less)
{
    SyscallSet strict, usual;
    const char *bad;

    ck_assert_int_eq(syscall_set_build(SYSCALL_PROFILE_STRICT, NULL, 0, true, &strict, &bad), 0);
    ck_assert_int_eq(syscall_set_build(SYSCALL_PROFILE_DEFAULT, NULL, 0, true, &usual, &bad), 0);
    ck_assert(memcmp(&strict, &usual, sizeof(strict)) != 0);
    for (size_t i = 0; i < ARRAY_SIZE(strict.bits); i++)
        ck_assert((strict.bits[i] & ~usual.bits[i]) == 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("syscall/set");
    TCase *t = tcase_create("set");

    tcase_add_loop_test(t, test_call, 0, ARRAY_SIZE(cases));
    tcase_add_loop_test(t, test_word, 0, ARRAY_SIZE(words));
    tcase_add_test(t, test_strict_is_less);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
