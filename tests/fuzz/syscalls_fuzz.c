/*
 * Words of sandbox.syscalls: each is taken or named as the wrong one, and what a pool must not have
 * stays away.
 */

#include "fuzz.h"

#include "syscall/set.h"

#include <errno.h>

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input in = {data, size};
    SyscallProfile profile = input_byte(&in) % _SYSCALL_PROFILE_MAX;
    bool may_exec = input_byte(&in) & 1;
    const char *words[WORDS_MAX] = {0}, *bad = NULL;
    SyscallChange first = SYSCALL_CHANGE_OK;
    size_t n = 0, n_good = 0;
    SyscallSet set;
    int r;

    while (in.size > 0 && n < WORDS_MAX)
        words[n++] = input_line(&in);
    for (; n_good < n && first == SYSCALL_CHANGE_OK; n_good += first == SYSCALL_CHANGE_OK)
        first = syscall_set_change(NULL, words[n_good]);
    r = syscall_set_build(profile, words, n, may_exec, &set, &bad);
    check_that(first == SYSCALL_CHANGE_OK ? r == 0 : r == -EINVAL && bad == words[n_good]);
    if (r == 0) {
        check_that(syscall_set_has(&set, "read") && syscall_set_has(&set, "accept4"));
        check_that(may_exec || !syscall_set_has(&set, "execve"));
    }
    for (size_t i = 0; i < n; i++) {
        if (r == 0)
            syscall_set_has(&set, words[i]);
        free((char *)(uintptr_t)words[i]);
    }
    return 0;
}
