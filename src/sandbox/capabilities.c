#include "sandbox/capabilities.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t join(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

int capabilities_get(CapabilitySets *ret)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    *ret = (CapabilitySets){
        .effective = join(data[0].effective, data[1].effective),
        .permitted = join(data[0].permitted, data[1].permitted),
        .inheritable = join(data[0].inheritable, data[1].inheritable),
    };
    return 0;
}

int capabilities_set(const CapabilitySets *sets)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    for (int i = 0; i < 2; i++)
        data[i] = (struct __user_cap_data_struct){
            .effective = (uint32_t)(sets->effective >> (32 * i)),
            .permitted = (uint32_t)(sets->permitted >> (32 * i)),
            .inheritable = (uint32_t)(sets->inheritable >> (32 * i)),
        };
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int capability_last(void)
{
    static int last;

    /* The kernel itself says where its list ends: EINVAL. Asked once, it is a call for each. */
    if (last == 0)
        while (last + 1 < 64 && prctl(PR_CAPBSET_READ, last + 1, 0, 0, 0) >= 0)
            last++;
    return last;
}

uint64_t capabilities_bounding(void)
{
    uint64_t mask = 0;

    for (int cap = 0; cap <= capability_last(); cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            mask |= CAP_BIT(cap);
    return mask;
}

uint64_t capabilities_ambient(void)
{
    uint64_t mask = 0;

    for (int cap = 0; cap <= capability_last(); cap++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
            mask |= CAP_BIT(cap);
    return mask;
}

int capabilities_drop_bounding(void)
{
    const int last = capability_last();

    for (int cap = 0; cap <= last; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return -errno;
    return 0;
}

int capabilities_set_ambient(uint64_t mask)
{
    const int last = capability_last();

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    for (int cap = 0; cap <= last; cap++)
        if ((mask & CAP_BIT(cap)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
            return -errno;
    return 0;
}
