#include "ctl/capabilities.h"

#include "base/macro.h"

#include <errno.h>
#include <sys/capability.h>
#include <unistd.h>

static int set_empty_but(cap_value_t kept, bool keep)
{
    cap_t caps = cap_init();
    int r = 0;

    if (!caps)
        return -errno;
    if (keep && (cap_set_flag(caps, CAP_PERMITTED, 1, &kept, CAP_SET) < 0 ||
                 cap_set_flag(caps, CAP_EFFECTIVE, 1, &kept, CAP_SET) < 0))
        r = -errno;
    if (r == 0 && cap_set_proc(caps) < 0)
        r = -errno;
    cap_free(caps);
    return r;
}

/* Whether the permitted set has it. */
static bool has(cap_value_t value)
{
    cap_t caps = cap_get_proc();
    cap_flag_value_t flag = CAP_CLEAR;

    if (caps) {
        cap_get_flag(caps, value, CAP_PERMITTED, &flag);
        cap_free(caps);
    }
    return flag == CAP_SET;
}

int capabilities_drop(void)
{
    if (cap_reset_ambient() < 0)
        return -errno;
    return set_empty_but(CAP_DAC_OVERRIDE, geteuid() == 0 && has(CAP_DAC_OVERRIDE));
}
