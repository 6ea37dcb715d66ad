#include "sandbox/sandbox.h"

#include "sandbox/capabilities.h"

#include <errno.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

/* SYS_CHROOT is there only when the unit grants it, for pools with chroot (or for root). The
 * manager keeps it, because a reload may bring such a pool file; it reaches nobody but the process
 * that changes the root of a template (manager/chroot.h). */
#define MANAGER_CAPABILITIES                                                                       \
    (CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SYS_CHROOT))

/* uid 0 means nothing, changing ids neither gives nor takes capabilities, and nobody behind us can
 * raise ambient ones; all for good. 0xef. */
#define MANAGER_SECUREBITS                                                                         \
    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                               \
     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |       \
     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static bool has(uint64_t set, int cap)
{
    return set & CAP_BIT(cap);
}

/* The state that was asked for is looked at, not believed. */
static int verify(uint64_t keep)
{
    CapabilitySets now;
    int r = capabilities_get(&now);

    if (r < 0)
        return r;
    if (now.effective != keep || now.permitted != keep || now.inheritable != keep ||
        capabilities_ambient() != keep)
        return -EPERM;
    return 0;
}

int privileges_reduce(Privileges *ret)
{
    CapabilitySets sets;
    Privileges p = {0};
    uint64_t keep, ambient;
    bool setpcap;
    int r, securebits;

    r = capabilities_get(&sets);
    if (r < 0)
        return r;
    keep = sets.permitted & MANAGER_CAPABILITIES;
    setpcap = has(sets.permitted, CAP_SETPCAP);
    securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    if (securebits < 0)
        return -errno;

    /* All that is permitted becomes effective, for the steps below; inheritable is what ambient
     * needs. Without SETPCAP inheritable may only grow within the bounding set (capset(2)), and
     * a manager that executed itself has an empty one, but has them inheritable already. */
    sets.effective = sets.permitted;
    sets.inheritable = keep;
    r = capabilities_set(&sets);
    if (r < 0)
        return r;
    /* Executing ourselves keeps ambient capabilities, whatever the bounding set is. Raising may be
     * locked by then, so what is there already is kept, not made anew. */
    ambient = capabilities_ambient();
    if (ambient != keep) {
        r = capabilities_set_ambient(keep);
        if (r < 0)
            return r;
    }
    if (setpcap) {
        r = capabilities_drop_bounding();
        if (r < 0)
            return r;
        if ((securebits & MANAGER_SECUREBITS) != MANAGER_SECUREBITS &&
            prctl(PR_SET_SECUREBITS, (securebits & ~SECBIT_KEEP_CAPS) | MANAGER_SECUREBITS, 0, 0,
                  0) < 0)
            return -errno;
    }
    sets = (CapabilitySets){.effective = keep, .permitted = keep, .inheritable = keep};
    r = capabilities_set(&sets);
    if (r < 0)
        return r;
    r = verify(keep);
    if (r < 0)
        return r;

    p.may_change_ids = has(keep, CAP_SETUID) && has(keep, CAP_SETGID);
    p.may_kill = has(keep, CAP_KILL);
    p.may_chroot = has(keep, CAP_SYS_CHROOT);
    p.bounding_empty = capabilities_bounding() == 0;
    securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    p.securebits_locked =
        securebits >= 0 && (securebits & MANAGER_SECUREBITS) == MANAGER_SECUREBITS;
    *ret = p;
    return 0;
}
