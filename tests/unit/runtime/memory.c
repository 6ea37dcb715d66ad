#include "runtime/memory.h"

#include "../run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY (64u << 20)

START_TEST(what_is_touched_counts)
{
    uint64_t before, after;
    char *memory;

    memory_init();
    before = memory_resident_bytes();
    ck_assert_uint_gt(before, 0);
    memory = mmap(NULL, MANY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    memset(memory, 1, MANY);
    after = memory_resident_bytes();
    ck_assert_uint_ge(after, before + MANY / 2);
    ck_assert_uint_lt(after, before + 2 * (uint64_t)MANY);
    ck_assert_int_eq(memory[MANY / 3], 1);
    munmap(memory, MANY);
    ck_assert_uint_lt(memory_resident_bytes(), before + MANY / 2);
}
END_TEST

/* Below a root without /proc. */
START_TEST(without_proc)
{
    pid_t pid;
    int status;

    if (geteuid() != 0)
        return;
    pid = fork();
    if (pid == 0) {
        uint64_t bytes;

        if (chroot("/usr/share") < 0)
            _exit(2);
        memory_init();
        bytes = memory_resident_bytes();
        _exit(bytes > 0 && bytes < (uint64_t)1 << 40 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

static Suite *memory_suite(void)
{
    Suite *s = suite_create("runtime/memory");
    TCase *t = tcase_create("all");

    tcase_add_test(t, what_is_touched_counts);
    tcase_add_test(t, without_proc);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(memory_suite)
