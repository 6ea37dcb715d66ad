#include "ctl/capabilities.h"

#include "base/macro.h"

#include <errno.h>
#include <sys/capability.h>
#include <unistd.h>

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

static int set_only(const cap_value_t *kept, int n)
{
    cap_t caps = cap_init();
    int r = 0;

    if (!caps)
        return -errno;
    if (n > 0 && (cap_set_flag(caps, CAP_PERMITTED, n, kept, CAP_SET) < 0 ||
                  cap_set_flag(caps, CAP_EFFECTIVE, n, kept, CAP_SET) < 0))
        r = -errno;
    if (r == 0 && cap_set_proc(caps) < 0)
        r = -errno;
    cap_free(caps);
    return r;
}

int capabilities_drop(unsigned keeps)
{
    static const struct {
        cap_value_t value;
        unsigned keeps; /* 0: always */
    } known[] = {
        {CAP_DAC_OVERRIDE, 0},
        {CAP_CHOWN, CAPABILITIES_KEEP_CHOWN},
        {CAP_SETUID, CAPABILITIES_KEEP_IDS},
        {CAP_SETGID, CAPABILITIES_KEEP_IDS},
    };
    cap_value_t kept[ARRAY_SIZE(known)];
    int n = 0;

    if (cap_reset_ambient() < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (geteuid() == 0 && (known[i].keeps & keeps) == known[i].keeps && has(known[i].value))
            kept[n++] = known[i].value;
    return set_only(kept, n);
}

bool capabilities_has_chown(void)
{
    return has(CAP_CHOWN);
}

bool capabilities_has_ids(void)
{
    return has(CAP_SETUID) && has(CAP_SETGID);
}
