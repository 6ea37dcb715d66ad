#include "base/trim.h"

#include "base/fd.h"

#include "../run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sanitizers have an allocator of their own. */
#ifdef __SANITIZE_ADDRESS__
#define WITH_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_SANITIZER
#endif
#endif

#define PAGE 4096
#define DEEP (1024 * 1024)
/* A page whose neighbours, which the kernel maps with a page that is used, are used by nobody. */
#define MIDDLE   (48 * PAGE)
#define N_BLOCKS 1000
#define BLOCK    (16 * 1024)
#define PRESENT  (UINT64_C(1) << 63)

static bool is_present(const void *address)
{
    uint64_t entry = 0;
    int fd = trim_open();

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(
        pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)address / PAGE * sizeof(entry))),
        sizeof(entry));
    fd_close(fd);
    return entry & PRESENT;
}

/* Code that runs nowhere else, alone in its pages. */
__attribute__((noinline, aligned(PAGE))) static int lonely(int n)
{
    return n * 3 + 1;
}

static _Alignas(PAGE) const char constants[96 * PAGE] = {[MIDDLE] = 7};
/* What the loader has written is no page of a file. */
static int (*const volatile relocated)(int) = lonely;

static void trim(void)
{
    int fd = trim_open();

    ck_assert_int_ge(fd, 0);
    trim_code(fd);
    fd_close(fd);
}

START_TEST(code_goes_and_comes_back)
{
    ck_assert_int_eq(lonely(2), 7);
    ck_assert_int_eq(((const volatile char *)constants)[MIDDLE], 7);
    ck_assert(is_present(&constants[MIDDLE]));
    trim();
    ck_assert(!is_present(&constants[MIDDLE]));
    ck_assert_int_eq(((const volatile char *)constants)[MIDDLE], 7);
    ck_assert_int_eq(lonely(3), 10);
    ck_assert_int_eq(relocated(4), 13);
}
END_TEST

/* A debugger's breakpoint, say. */
START_TEST(changed_code_stays)
{
    uintptr_t page = (uintptr_t)&constants[8 * PAGE];

    ck_assert_int_eq(mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE), 0);
    *(volatile char *)page = 42;
    ck_assert_int_eq(mprotect((void *)page, PAGE, PROT_READ), 0);
    trim();
    ck_assert_int_eq(*(const volatile char *)page, 42);
}
END_TEST

START_TEST(without_a_descriptor)
{
    ck_assert_int_eq(((const volatile char *)constants)[MIDDLE], 7);
    trim_code(-ENOENT);
    ck_assert(is_present(&constants[MIDDLE]));
}
END_TEST

static volatile uintptr_t used;

__attribute__((noinline)) static void use_stack(void)
{
    volatile char room[DEEP];

    for (size_t i = 0; i < DEEP; i += PAGE)
        room[i] = 1;
    used = (uintptr_t)room;
}

START_TEST(stack_goes_below_the_caller)
{
    volatile char mine[4 * PAGE];
    uintptr_t below;

    memset((char *)(uintptr_t)mine, 5, sizeof(mine));
    use_stack();
    below = used;
    ck_assert(is_present((void *)(below + DEEP / 2)));
    trim_stack();
    ck_assert(!is_present((void *)(below + DEEP / 2)));
    ck_assert(!is_present((void *)below));
    for (size_t i = 0; i < sizeof(mine); i++)
        ck_assert_int_eq(mine[i], 5);
    use_stack();
    ck_assert_uint_eq(used, below);
}
END_TEST

#ifndef WITH_SANITIZER
START_TEST(freed_memory_goes)
{
    static char *blocks[N_BLOCKS];
    char *middle;

    for (int i = 0; i < N_BLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        ck_assert_ptr_nonnull(blocks[i]);
        memset(blocks[i], 1, BLOCK);
    }
    middle = blocks[N_BLOCKS / 2];
    for (int i = 0; i < N_BLOCKS - 1; i++) /* the last one holds the heap where it is */
        free(blocks[i]);
    ck_assert(is_present(middle));
    trim_heap();
    ck_assert(!is_present(middle));
    ck_assert_int_eq(blocks[N_BLOCKS - 1][0], 1);
    free(blocks[N_BLOCKS - 1]);
}
END_TEST
#endif

static Suite *trim_suite(void)
{
    Suite *s = suite_create("base/trim");
    TCase *t = tcase_create("all");

    tcase_add_test(t, code_goes_and_comes_back);
    tcase_add_test(t, changed_code_stays);
    tcase_add_test(t, without_a_descriptor);
    tcase_add_test(t, stack_goes_below_the_caller);
#ifndef WITH_SANITIZER
    tcase_add_test(t, freed_memory_goes);
#endif
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(trim_suite)
