#include "runtime/filter.h"

#include "base/fd.h"
#include "board/slot.h"
#include "link/message.h"
#include "sandbox/landlock.h"
#include "sandbox/ruleset.h"

#include <errno.h>
#include <unistd.h>

_Static_assert((int)SANDBOX_SECCOMP_STRICT == (int)SYSCALL_PROFILE_STRICT &&
                   (int)SANDBOX_SECCOMP_DEFAULT == (int)SYSCALL_PROFILE_DEFAULT,
               "the profiles are those of the pool file");

static int make_rules(const RuntimeSpec *spec, SeccompRules *ret)
{
    const int abi = landlock_find_abi();
    SeccompRules rules = {
        .may_exec = spec->exec,
        .report = spec->report_fd >= 0,
        .tcp_ports = spec->n_tcp_ports > 0,
        .truncate_covered = spec->n_write_paths == 0 || abi >= ABI_WITH_TRUNCATE,
        .signals_scoped = abi >= ABI_WITH_SCOPES,
        .template_pid = getpid(),
        .manager_pid = getppid(),
    };
    const char *bad;
    int r = syscall_set_build((SyscallProfile)spec->seccomp, spec->syscalls, spec->n_syscalls,
                              spec->exec, &rules.calls, &bad);

    if (r == 0)
        *ret = rules;
    return r;
}

/* The manager reads it when it likes: until then calls wait that it has to answer. */
static int hand_over(RuntimeSpec *spec, int listener)
{
    const LinkMessage m = {.type = LINK_READY};
    int r = link_send(spec->report_fd, &m, &listener, 1);

    fd_close(listener);
    spec->report_fd = fd_close(spec->report_fd);
    return r;
}

int filter_enter(RuntimeSpec *spec, SeccompFilter **ret_worker, const char **ret_error)
{
    _cleanup_(seccomp_filter_freep) SeccompFilter *own = NULL, *worker = NULL;
    SeccompRules rules;
    int listener = -1, r;

    if (spec->seccomp == SANDBOX_SECCOMP_OFF) {
        spec->moot |= BOARD_MOOT_SECCOMP;
        *ret_worker = NULL;
        return 0;
    }
    *ret_error = "the system call filter cannot be built";
    r = make_rules(spec, &rules);
    if (r == 0)
        r = seccomp_filter_new(SECCOMP_TEMPLATE, &rules, &own);
    if (r == 0)
        r = seccomp_filter_new(SECCOMP_WORKER, &rules, &worker);
    if (r < 0)
        return r;
    *ret_error = "the system call filter cannot be installed";
    r = seccomp_filter_install(own, &listener);
    if (r < 0)
        return r;
    *ret_error = "the manager does not take the listener of denied system calls";
    if (listener >= 0)
        r = hand_over(spec, listener);
    if (r < 0)
        return r;
    *ret_worker = TAKE_PTR(worker);
    return 0;
}
