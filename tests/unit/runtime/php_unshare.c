#include "runtime/php/unshare.h"
#include "../run.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define SIZE (512 * PAGE)

static char *make_shared(void)
{
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(p, MAP_FAILED);
    strcpy(p, "first");
    strcpy(p + SIZE - PAGE, "last");
    return p;
}

/* In a child of its own; the parent then looks what it sees of it. */
static void write_in_child(char *p, const char *text)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        strcpy(p, text);
        _exit(strcmp(p, text) == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* The rights of the mapping that begins at p, as /proc says it: "r-xp". */
static void find_rights(const char *p, char *ret)
{
    FILE *file = fopen("/proc/self/maps", "re");
    char line[512];
    bool found = false;

    ck_assert_ptr_nonnull(file);
    while (!found && fgets(line, sizeof(line), file)) {
        uintptr_t start, end;

        if (sscanf(line, "%zx-%zx %4s", &start, &end, ret) == 3)
            found = start <= (uintptr_t)p && (uintptr_t)p < end;
    }
    fclose(file);
    ck_assert(found);
}

static size_t count_resident(const char *p)
{
    static unsigned char resident[SIZE / PAGE];
    size_t n = 0;

    ck_assert_int_eq(mincore((void *)(uintptr_t)p, SIZE, resident), 0);
    for (size_t i = 0; i < SIZE / PAGE; i++)
        n += resident[i] & 1;
    return n;
}

START_TEST(what_others_write_is_not_seen)
{
    char *p = make_shared();
    uintptr_t words[] = {0, 1, UINTPTR_MAX, (uintptr_t)p + SIZE / 2};

    write_in_child(p, "shared");
    ck_assert_str_eq(p, "shared");
    ck_assert_int_eq(unshare_memory(words, ARRAY_SIZE(words)), SIZE);
    ck_assert_str_eq(p, "shared");
    ck_assert_str_eq(p + SIZE - PAGE, "last");
    write_in_child(p, "private");
    ck_assert_str_eq(p, "shared");
    strcpy(p, "own");
    ck_assert_str_eq(p, "own");
}
END_TEST

START_TEST(other_shared_memory_stays)
{
    char *p = make_shared(), *other = make_shared();
    uintptr_t word = (uintptr_t)p;

    ck_assert_int_eq(unshare_memory(&word, 1), SIZE);
    write_in_child(other, "shared");
    ck_assert_str_eq(other, "shared");
    ck_assert_int_eq(unshare_memory(&word, 1), 0); /* it is private already */
    ck_assert_int_eq(unshare_memory(NULL, 0), 0);
}
END_TEST

/* As the data and the code of OPcache: one memory, several mappings, one of them pointed to. */
START_TEST(parts_keep_their_rights)
{
    char *p = make_shared(), rights[5];
    uintptr_t word = (uintptr_t)p + 1;

    ck_assert_int_eq(mprotect(p + SIZE / 2, SIZE / 4, PROT_READ), 0);
    strcpy(p + SIZE - 2 * PAGE, "code");
    ck_assert_int_eq(mprotect(p + 3 * SIZE / 4, SIZE / 4, PROT_READ | PROT_EXEC), 0);
    ck_assert_int_eq(unshare_memory(&word, 1), SIZE);
    find_rights(p, rights);
    ck_assert_str_eq(rights, "rw-p");
    find_rights(p + SIZE / 2, rights);
    ck_assert_str_eq(rights, "r--p");
    find_rights(p + 3 * SIZE / 4, rights);
    ck_assert_str_eq(rights, "r-xp");
    ck_assert_str_eq(p + SIZE - 2 * PAGE, "code");
    ck_assert_int_eq(mprotect(p + 3 * SIZE / 4, SIZE / 4, PROT_READ | PROT_WRITE), 0);
    write_in_child(p + SIZE - 2 * PAGE, "edoc");
    ck_assert_str_eq(p + SIZE - 2 * PAGE, "code");
}
END_TEST

START_TEST(memory_that_may_not_be_read)
{
    char *p = make_shared(), rights[5];
    uintptr_t word = (uintptr_t)p;

    ck_assert_int_eq(mprotect(p, SIZE, PROT_NONE), 0);
    ck_assert_int_eq(unshare_memory(&word, 1), SIZE);
    find_rights(p, rights);
    ck_assert_str_eq(rights, "---p");
    ck_assert_int_eq(mprotect(p, SIZE, PROT_READ), 0);
    ck_assert_str_eq(p, "first");
}
END_TEST

START_TEST(untouched_pages_cost_nothing)
{
    char *p = make_shared();
    uintptr_t word = (uintptr_t)p;

    ck_assert_uint_eq(count_resident(p), 2);
    ck_assert_int_eq(unshare_memory(&word, 1), SIZE);
    ck_assert_uint_le(count_resident(p), 2);
    ck_assert_int_eq(p[PAGE], 0);
    ck_assert_mem_eq(p + PAGE, p + PAGE + 1, SIZE - 2 * PAGE - 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("runtime/php_unshare");
    TCase *t = tcase_create("unshare");

    tcase_add_test(t, what_others_write_is_not_seen);
    tcase_add_test(t, other_shared_memory_stays);
    tcase_add_test(t, parts_keep_their_rights);
    tcase_add_test(t, memory_that_may_not_be_read);
    tcase_add_test(t, untouched_pages_cost_nothing);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
