#include "sandbox/landlock.h"

#include "base/fd.h"
#include "sandbox/ruleset.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

int landlock_find_abi(void)
{
    return ruleset_find_abi();
}

/* A ruleset that leaves renames and links between folders as they are. 1 or -errno. */
static int enforce_referring(const RulesetHandled *known, int abi)
{
    _cleanup_fd_ int ruleset = ruleset_create(known, abi), root = -1;
    int r;

    if (ruleset < 0)
        return ruleset;
    if (known->files & ACCESS_FS_REFER) {
        root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = root < 0 ? -errno : ruleset_allow_path(ruleset, known, root, ACCESS_FS_REFER);
        if (r < 0)
            return r;
    }
    r = ruleset_enforce(ruleset);
    return r < 0 ? r : 1;
}

int landlock_isolate(int abi, bool abstract_sockets)
{
    /* A layer has to handle something: a right that nobody has anyway. */
    RulesetHandled wanted = {.files = ACCESS_FS_MAKE_BLOCK | ACCESS_FS_REFER}, known;

    if (abi < 0)
        return abi;
    if (abi == 0)
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
    wanted.scoped = SCOPE_SIGNAL | (abstract_sockets ? 0 : SCOPE_ABSTRACT_SOCKET);
    known = ruleset_known(&wanted, abi);
    return enforce_referring(&known, abi);
}

int landlock_renounce(void)
{
    static const RulesetHandled all = {UINT64_MAX, ACCESS_NET_BIND_TCP | ACCESS_NET_CONNECT_TCP,
                                       SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL};
    _cleanup_fd_ int ruleset = -1;
    RulesetHandled known;
    int abi = ruleset_find_abi();

    if (abi < 0)
        return abi;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    if (abi == 0)
        return 0;
    known = ruleset_known(&all, abi);
    ruleset = ruleset_create(&known, abi);
    if (ruleset < 0)
        return ruleset;
    abi = ruleset_enforce(ruleset);
    return abi < 0 ? abi : 1;
}
