#include "sandbox/sandbox.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's interface, newer than the headers of older systems: linux/landlock.h. */
#define CREATE_RULESET_VERSION (1U << 0)
#define ACCESS_FS_MAKE_BLOCK   (UINT64_C(1) << 11)
#define SCOPE_SIGNAL           (UINT64_C(1) << 1)
#define ABI_WITH_SCOPES        6

typedef struct RulesetAttributes {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
} RulesetAttributes;

static int create_ruleset(const RulesetAttributes *attributes, size_t size, unsigned flags)
{
    long r = syscall(SYS_landlock_create_ruleset, attributes, size, flags);

    return r < 0 ? -errno : (int)r;
}

int landlock_isolate(void)
{
    RulesetAttributes attributes = {.handled_access_fs = ACCESS_FS_MAKE_BLOCK};
    /* Older kernels know only the first members: they take a shorter structure. */
    size_t size = sizeof(attributes.handled_access_fs);
    _cleanup_fd_ int ruleset = -1;
    int abi = create_ruleset(NULL, 0, CREATE_RULESET_VERSION);

    if (abi == -ENOSYS || abi == -EOPNOTSUPP)
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
    if (abi < 0)
        return abi;
    if (abi >= ABI_WITH_SCOPES) {
        attributes.scoped = SCOPE_SIGNAL;
        size = sizeof(attributes);
    }
    ruleset = create_ruleset(&attributes, size, 0);
    if (ruleset < 0)
        return ruleset;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 1;
}
