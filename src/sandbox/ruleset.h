#pragma once

/*
 * A ruleset of the kernel's Landlock (landlock(7)), by raw calls: the kernel's header of older
 * systems lacks half of it. What the kernel does not know is left out of what is asked for; callers
 * decide by its version (ABI) whether that is good enough.
 */

#include "base/macro.h"

/* Rights to files. */
#define ACCESS_FS_EXECUTE     (UINT64_C(1) << 0)
#define ACCESS_FS_WRITE_FILE  (UINT64_C(1) << 1)
#define ACCESS_FS_READ_FILE   (UINT64_C(1) << 2)
#define ACCESS_FS_READ_DIR    (UINT64_C(1) << 3)
#define ACCESS_FS_REMOVE_DIR  (UINT64_C(1) << 4)
#define ACCESS_FS_REMOVE_FILE (UINT64_C(1) << 5)
#define ACCESS_FS_MAKE_CHAR   (UINT64_C(1) << 6)
#define ACCESS_FS_MAKE_DIR    (UINT64_C(1) << 7)
#define ACCESS_FS_MAKE_REG    (UINT64_C(1) << 8)
#define ACCESS_FS_MAKE_SOCK   (UINT64_C(1) << 9)
#define ACCESS_FS_MAKE_FIFO   (UINT64_C(1) << 10)
#define ACCESS_FS_MAKE_BLOCK  (UINT64_C(1) << 11)
#define ACCESS_FS_MAKE_SYM    (UINT64_C(1) << 12)
/* Renames and links from one folder to another: denied by every layer that does not grant it, as
 * soon as any layer of a process handles any right to files (seen with Linux 6.18; the manual says
 * so only of layers that handle some). */
#define ACCESS_FS_REFER        (UINT64_C(1) << 13)
#define ACCESS_FS_TRUNCATE     (UINT64_C(1) << 14)
#define ACCESS_FS_IOCTL_DEV    (UINT64_C(1) << 15)

#define ACCESS_NET_BIND_TCP    (UINT64_C(1) << 0)
#define ACCESS_NET_CONNECT_TCP (UINT64_C(1) << 1)

#define SCOPE_ABSTRACT_SOCKET  (UINT64_C(1) << 0)
#define SCOPE_SIGNAL           (UINT64_C(1) << 1)

/* From which ABI on the kernel has them: Linux 5.13, 5.19, 6.2, 6.7, 6.10, 6.12. */
#define ABI_WITH_FILES     1
#define ABI_WITH_REFER     2
#define ABI_WITH_TRUNCATE  3
#define ABI_WITH_NET       4
#define ABI_WITH_IOCTL_DEV 5
#define ABI_WITH_SCOPES    6

/* What a ruleset denies wherever no rule of it allows it. */
typedef struct RulesetHandled {
    uint64_t files;
    uint64_t net;
    uint64_t scoped;
} RulesetHandled;

/** The kernel's version, 0: it has no Landlock, or it is switched off or denied; -errno. */
int ruleset_find_abi(void);

/** The members of wanted that a kernel of this ABI knows. */
RulesetHandled ruleset_known(const RulesetHandled *wanted, int abi);

/** Makes one of what is known, which must not be empty. Its fd (close-on-exec) or -errno. */
int ruleset_create(const RulesetHandled *known, int abi);

/** Allows rights, those that are handled, on the file fd (O_PATH does) and all below it. Rights
 * that mean nothing for a file that is no folder are left out. 0 or -errno. */
int ruleset_allow_path(int ruleset, const RulesetHandled *known, int fd, uint64_t rights);

/** Allows rights on a TCP port. 0 or -errno. */
int ruleset_allow_port(int ruleset, uint64_t port, uint64_t rights);

/** Puts this thread under it, for good (needs no_new_privs). 0 or -errno. */
int ruleset_enforce(int ruleset);
