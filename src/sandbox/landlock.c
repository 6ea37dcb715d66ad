#include "sandbox/sandbox.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's interface, newer than the headers of older systems: linux/landlock.h. */
#define CREATE_RULESET_VERSION (1U << 0)
#define ACCESS_FS_MAKE_BLOCK   (UINT64_C(1) << 11)
#define SCOPE_ABSTRACT_SOCKET  (UINT64_C(1) << 0)
#define SCOPE_SIGNAL           (UINT64_C(1) << 1)
#define ACCESS_NET_TCP         UINT64_C(3) /* bind, connect */
#define ABI_WITH_NET           4
#define ABI_WITH_SCOPES        6

typedef struct RulesetAttributes {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
} RulesetAttributes;

/* The rights to files that each ABI knows: 2 has REFER, 3 TRUNCATE, 5 IOCTL_DEV. */
static const struct {
    int abi;
    unsigned n_bits;
} file_rights[] = {{1, 13}, {2, 14}, {3, 15}, {5, 16}};

static int create_ruleset(const RulesetAttributes *attributes, size_t size, unsigned flags)
{
    long r = syscall(SYS_landlock_create_ruleset, attributes, size, flags);

    return r < 0 ? -errno : (int)r;
}

int landlock_find_abi(void)
{
    int abi = create_ruleset(NULL, 0, CREATE_RULESET_VERSION);

    return abi == -ENOSYS || abi == -EOPNOTSUPP ? 0 : abi;
}

/* The version that the kernel has; 0: none, and the process is not dumpable instead; -errno. */
static int find_abi(void)
{
    int abi = landlock_find_abi();

    if (abi == 0)
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
    return abi;
}

static int restrict_self(const RulesetAttributes *attributes, int abi)
{
    /* Older kernels know only the first members: they take a shorter structure. */
    size_t size = abi >= ABI_WITH_SCOPES ? sizeof(*attributes)
                  : abi >= ABI_WITH_NET  ? offsetof(RulesetAttributes, scoped)
                                         : sizeof(attributes->handled_access_fs);
    _cleanup_fd_ int ruleset = create_ruleset(attributes, size, 0);

    if (ruleset < 0)
        return ruleset;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 1;
}

int landlock_isolate(void)
{
    RulesetAttributes attributes = {.handled_access_fs = ACCESS_FS_MAKE_BLOCK};
    int abi = find_abi();

    if (abi <= 0)
        return abi;
    if (abi >= ABI_WITH_SCOPES)
        attributes.scoped = SCOPE_SIGNAL;
    return restrict_self(&attributes, abi);
}

int landlock_renounce(void)
{
    RulesetAttributes attributes = {0};
    int abi = find_abi();

    if (abi < 0)
        return abi;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    if (abi == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(file_rights); i++)
        if (abi >= file_rights[i].abi)
            attributes.handled_access_fs = (UINT64_C(1) << file_rights[i].n_bits) - 1;
    if (abi >= ABI_WITH_NET)
        attributes.handled_access_net = ACCESS_NET_TCP;
    if (abi >= ABI_WITH_SCOPES)
        attributes.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
    return restrict_self(&attributes, abi);
}
