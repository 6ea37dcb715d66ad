#include "sandbox/ruleset.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CREATE_RULESET_VERSION (1U << 0)
#define RULE_PATH_BENEATH      1
#define RULE_NET_PORT          2

/* The kernel refuses the other rights on what is no folder. */
#define RIGHTS_OF_FILES                                                                            \
    (ACCESS_FS_EXECUTE | ACCESS_FS_WRITE_FILE | ACCESS_FS_READ_FILE | ACCESS_FS_TRUNCATE |         \
     ACCESS_FS_IOCTL_DEV)

typedef struct PathRule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed)) PathRule;

typedef struct PortRule {
    uint64_t allowed, port;
} PortRule;

/* How many rights to files each ABI knows. */
static const struct {
    int abi;
    unsigned n_bits;
} file_rights[] = {
    {ABI_WITH_FILES, 13}, {ABI_WITH_REFER, 14}, {ABI_WITH_TRUNCATE, 15}, {ABI_WITH_IOCTL_DEV, 16}};

static int create(const RulesetHandled *handled, size_t size, unsigned flags)
{
    long r = syscall(SYS_landlock_create_ruleset, handled, size, flags);

    return r < 0 ? -errno : (int)r;
}

int ruleset_find_abi(void)
{
    int abi = create(NULL, 0, CREATE_RULESET_VERSION);

    /* EPERM is no answer of Landlock's, but of the filter of a container around us. */
    return abi == -ENOSYS || abi == -EOPNOTSUPP || abi == -EPERM ? 0 : abi;
}

RulesetHandled ruleset_known(const RulesetHandled *wanted, int abi)
{
    RulesetHandled known = {0};

    for (size_t i = 0; i < ARRAY_SIZE(file_rights); i++)
        if (abi >= file_rights[i].abi)
            known.files = wanted->files & ((UINT64_C(1) << file_rights[i].n_bits) - 1);
    if (abi >= ABI_WITH_NET)
        known.net = wanted->net;
    if (abi >= ABI_WITH_SCOPES)
        known.scoped = wanted->scoped;
    return known;
}

int ruleset_create(const RulesetHandled *known, int abi)
{
    /* Older kernels know only the first members: they take a shorter structure. */
    size_t size = abi >= ABI_WITH_SCOPES ? sizeof(*known)
                  : abi >= ABI_WITH_NET  ? offsetof(RulesetHandled, scoped)
                                         : sizeof(known->files);

    return create(known, size, 0);
}

int ruleset_allow_path(int ruleset, const RulesetHandled *known, int fd, uint64_t rights)
{
    PathRule rule = {.allowed = rights & known->files, .fd = fd};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= RIGHTS_OF_FILES;
    if (rule.allowed == 0)
        return 0;
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

int ruleset_allow_port(int ruleset, uint64_t port, uint64_t rights)
{
    PortRule rule = {.allowed = rights, .port = port};

    return syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) < 0 ? -errno : 0;
}

int ruleset_enforce(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
