#include "runtime/remote.h"

#include "../run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096
#define PAGES 64

/* At the same place in the other process, with other content. */
static uint8_t *area;
static pid_t other;
static Remote *remote;

static void setup(void)
{
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(area, MAP_FAILED);
    other = fork();
    if (other == 0) {
        for (size_t i = 0; i < PAGES * PAGE; i++)
            area[i] = (uint8_t)(i * 7 + i / PAGE);
        mprotect(area + 10 * PAGE, PAGE, PROT_NONE);
        munmap(area + 40 * PAGE, PAGE);
        raise(SIGSTOP);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(other, NULL, WUNTRACED), other);
    remote = remote_new(other);
    ck_assert_ptr_nonnull(remote);
}

static void teardown(void)
{
    remote = remote_free(remote);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    munmap(area, PAGES * PAGE);
}

static bool holds(size_t offset, size_t n)
{
    uint8_t got[2 * PAGE];

    ck_assert_uint_le(n, sizeof(got));
    if (!remote_read(remote, (uintptr_t)area + offset, got, n))
        return false;
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(got[i], (uint8_t)((offset + i) * 7 + (offset + i) / PAGE));
    return true;
}

START_TEST(reads_across_pages)
{
    ck_assert(holds(0, 16));
    ck_assert(holds(PAGE - 5, 10));
    ck_assert(holds(3 * PAGE - 1, PAGE + 2));
    ck_assert(holds(7, 0));
}
END_TEST

START_TEST(missing_pages)
{
    ck_assert(!holds(40 * PAGE, 1));
    ck_assert(!holds(40 * PAGE - 4, 8));
    ck_assert(!holds(10 * PAGE + 8, 8));
    ck_assert(holds(40 * PAGE - 8, 8));
    ck_assert(holds(41 * PAGE, 8));
}
END_TEST

/* A stack is gone down with few calls, and what is missing on the way stays missing only there. */
START_TEST(downwards_in_few_calls)
{
    for (size_t offset = PAGES * PAGE - 64; offset > 64; offset -= 64)
        ck_assert_int_eq(holds(offset, 64), offset / PAGE != 10 && offset / PAGE != 40);
    ck_assert_uint_lt(remote_calls(remote), PAGES / 4);
}
END_TEST

START_TEST(neighbours_cost_nothing)
{
    for (size_t i = 0; i < 100; i++)
        ck_assert(holds(5 * PAGE + i * 16, 16));
    ck_assert_uint_eq(remote_calls(remote), 1);
    remote_forget(remote);
    ck_assert(holds(5 * PAGE, 16));
    ck_assert_uint_eq(remote_calls(remote), 2);
}
END_TEST

START_TEST(absurd_addresses)
{
    static const uint64_t addresses[] = {
        0,
        1,
        4095,
        4096,
        UINT64_MAX,
        UINT64_MAX - 7,
        UINT64_C(1) << 63,
        UINT64_C(1) << 56,
        (UINT64_C(1) << 56) - 4,
        (UINT64_C(1) << 47) - 4,
        UINT64_C(0xdeadbeefdead),
    };
    char got[64];

    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
        ck_assert(!remote_read(remote, addresses[i], got, sizeof(got)));
    ck_assert(!remote_read(remote, (uintptr_t)area, got, SIZE_MAX));
}
END_TEST

START_TEST(copies_and_stores)
{
    uint32_t value = 0x12345678, got = 0;

    ck_assert_int_eq(remote_store(other, area + 100, &value, sizeof(value)), 0);
    ck_assert_int_eq(remote_copy(other, area + 100, &got, sizeof(got)), 0);
    ck_assert_uint_eq(got, value);
    ck_assert_uint_eq(area[100], 0);
    ck_assert_int_eq(remote_copy(other, area + 40 * PAGE, &got, sizeof(got)), -EFAULT);
    ck_assert_int_eq(remote_copy(other, area + 40 * PAGE - 2, &got, sizeof(got)), -EFAULT);
    ck_assert_int_eq(remote_store(other, NULL, &value, sizeof(value)), -EFAULT);
}
END_TEST

START_TEST(gone)
{
    uint32_t got;

    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    ck_assert_int_eq(remote_copy(other, area, &got, sizeof(got)), -ESRCH);
    ck_assert(!holds(0, 4));
}
END_TEST

static Suite *remote_suite(void)
{
    Suite *s = suite_create("runtime/remote");
    TCase *t = tcase_create("memory");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reads_across_pages);
    tcase_add_test(t, missing_pages);
    tcase_add_test(t, downwards_in_few_calls);
    tcase_add_test(t, neighbours_cost_nothing);
    tcase_add_test(t, absurd_addresses);
    tcase_add_test(t, copies_and_stores);
    tcase_add_test(t, gone);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(remote_suite)
